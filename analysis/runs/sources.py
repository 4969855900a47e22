"""Where a command reads runs from: an MLflow store, or tables recorded from one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

import pandas as pd

from analysis.runs.runs import Runs
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.runtime import default_tracking_uri, sqlite_path

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
        from analysis.runs.mlflow_reader import load_runs

        runs = load_runs(store)
        return {name: runs.select(runs.table["experiment"] == name) for name in runs.experiments()}
    folders = study_folders(Path(store))
    if not folders:
        raise InputError(
            f"no recorded study in {store}: name a folder that holds some, or an MLflow tracking"
            " URI such as sqlite:////absolute/mlflow.db"
        )
    return {folder.name: Runs.from_recorded(folder) for folder in folders}


def files_of(store: str) -> list[Path]:
    """Where on this machine a store is kept: its database, or the folders of its studies."""
    if (database := sqlite_path(store)) is not None:
        return [database]
    if is_tracking_uri(store):
        return []
    return study_folders(Path(store)) or [Path(store)]


def study_folders(root: Path) -> list[Path]:
    """Folders of recorded studies in `root`, sorted by name."""
    found = {path.parent for kind in ("parquet", "csv") for path in root.glob(f"*/runs.{kind}")}
    return sorted(found)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add `--store` (also `--uri`) and `--recorded`, of which at most one may be given."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--store",
        "--uri",
        help="MLflow tracking URI; default: MLFLOW_TRACKING_URI or sqlite:///<cwd>/mlflow.db",
    )
    source.add_argument(
        "--recorded",
        type=Path,
        help="folder of a recorded study, or of several, in place of a store",
    )


def read_source(
    arguments: argparse.Namespace,
    experiment: str | None = None,
    metrics: Collection[str] | None = None,
) -> Runs:
    """The runs of one experiment, or of all, from where the options of `add_source` say.

    Args:
        arguments: those options.
        experiment: name of the experiment.
        metrics: that are needed; others of a store are not read. None for all.

    Raises:
        InputError: nothing to read there, or no such experiment.
    """
    if arguments.recorded is not None:
        runs = _recorded(arguments.recorded)
        if experiment is None:
            return runs
        if experiment not in runs.experiments():
            known = ", ".join(runs.experiments())
            raise InputError(
                f"no experiment {experiment!r} in {arguments.recorded}; there are: {known}"
            )
        return runs.select(runs.table["experiment"] == experiment)
    # Imported here: MLflow takes a second that --help and a wrong option need not wait for.
    from analysis.runs.mlflow_reader import load_runs

    return load_runs(arguments.store or default_tracking_uri(), experiment, metrics)


def source_files(arguments: argparse.Namespace) -> list[Path]:
    """Files and folders that `read_source` reads."""
    if arguments.recorded is not None:
        return files_of(str(arguments.recorded))
    return files_of(arguments.store or default_tracking_uri())


def _recorded(folder: Path) -> Runs:
    if not study_folders(folder):
        return Runs.from_recorded(folder)
    studies = load_studies(str(folder)).values()
    table = pd.concat([runs.table for runs in studies], ignore_index=True)
    history = pd.concat([runs.history for runs in studies], ignore_index=True)
    samples = {run_id: sample for runs in studies for run_id, sample in runs.samples.items()}
    return Runs(table, history, samples)
