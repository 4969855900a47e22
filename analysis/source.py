"""Where a command reads runs from: an MLflow store, or tables recorded from one."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from analysis.recorded.studies import load_studies, study_folders
from analysis.runs import Runs
from ffn_core.errors import InputError


def add_source(parser: argparse.ArgumentParser) -> None:
    """Adds `--store` (also `--uri`) and `--recorded`, of which at most one may be given."""
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


def read_source(arguments: argparse.Namespace, experiment: str | None = None) -> Runs:
    """The runs of one experiment, or of all, from where the options of `add_source` say.

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
    from analysis.load_runs import default_store, load_runs

    return load_runs(arguments.store or default_store(), experiment)


def _recorded(folder: Path) -> Runs:
    if not study_folders(folder):
        return Runs.from_recorded(folder)
    studies = load_studies(str(folder)).values()
    table = pd.concat([runs.table for runs in studies], ignore_index=True)
    history = pd.concat([runs.history for runs in studies], ignore_index=True)
    samples = {run_id: sample for runs in studies for run_id, sample in runs.samples.items()}
    return Runs(table, history, samples)
