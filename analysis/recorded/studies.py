"""Studies from wherever they were recorded: the files kept with the code, or an MLflow store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pandas as pd

from analysis.runs import HISTORY_COLUMNS, RUN_COLUMNS, Runs
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY

RECORDED: Final = REPOSITORY / "analysis" / "recorded"
"""Where the studies kept with the code lie, a folder each."""

STORE_VARIABLE: Final = "FFN_SCALING_STORE"
"""Environment variable that names another store: an MLflow tracking URI or a folder of studies."""

_SERVERS = ("http:", "https:", "databricks")


def default_store() -> str:
    """`FFN_SCALING_STORE` where set, else the folder of the studies kept with the code."""
    return os.environ.get(STORE_VARIABLE) or str(RECORDED)


def is_tracking_uri(store: str) -> bool:
    """Whether a store is named by an MLflow tracking URI rather than as a folder."""
    return "://" in store or store.startswith(_SERVERS)


def load_studies(store: str | None = None) -> dict[str, Runs]:
    """Every study of a store, by name.

    Args:
        store: MLflow tracking URI, or a folder with a folder per study; None for the default.

    Raises:
        InputError: there is no such store, or no study in it.
    """
    store = store or default_store()
    if is_tracking_uri(store):
        # Imported here: MLflow takes a second that recorded studies need not wait for.
        from analysis.load_runs import load_runs

        runs = load_runs(store)
        return {name: runs.select(runs.table["experiment"] == name) for name in runs.experiments()}
    folders = study_folders(Path(store))
    if not folders:
        raise InputError(
            f"no recorded study in {store}: name a folder that holds some, or an MLflow tracking"
            " URI such as sqlite:////absolute/mlflow.db"
        )
    return {folder.name: Runs.from_recorded(folder) for folder in folders}


def load_study(name: str, store: str | None = None) -> Runs:
    """One study of a store; without any run where the store does not hold it.

    Raises:
        InputError: there is no such store, or no study in it.
    """
    studies = load_studies(store)
    return studies.get(name, empty_runs())


def study_folders(root: Path) -> list[Path]:
    """Folders of recorded studies in `root`, sorted by name."""
    found = {path.parent for kind in ("parquet", "csv") for path in root.glob(f"*/runs.{kind}")}
    return sorted(found)


def empty_runs() -> Runs:
    """No runs, with the columns that runs have."""
    table = pd.DataFrame(columns=[*RUN_COLUMNS, "nodes", "seed"])
    return Runs(table, pd.DataFrame(columns=list(HISTORY_COLUMNS)))
