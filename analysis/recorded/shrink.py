"""Metric histories made small enough to be kept with the code. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from analysis.runs.runs import Runs
from ffn_core.metric_names import GRADIENT_NORM, LEARNING_RATE, OPTIMIZER_STEP, TRAIN

# Column -> parts of the path that are kept.
_FOLDERS = {"run_dir": 2, "runs_dir": 1, "data_cache_dir": 1}
# Names of volumes, which may be paths; what is a URL says nothing of the machine.
_VOLUMES = ("data_image", "data_labels", "data_mask", "data_coordinates", "model_checkpoint")
_LOCAL_PATH = re.compile(r"(?:^|(?<=:))/(?!/)(?:[^/]*/)*")
# What no figure, table or verdict needs every record of.
_COARSE = (f"{TRAIN}/", LEARNING_RATE, GRADIENT_NORM, OPTIMIZER_STEP)


def thin(runs: Runs, keep_every: int) -> Runs:
    """Keep every `keep_every`-th record, and the last, of the metrics that may be coarse.

    Those are `train/*`, `learning_rate`, `gradient_norm` and `optimizer_step`. Evaluations,
    throughput, step phases and the noise scale stay whole, so that summaries do not change.
    """
    history = runs.history
    coarse = history["metric"].str.startswith(_COARSE)
    place = history.groupby(["run_id", "metric"]).cumcount(ascending=False)
    kept = history[~coarse | (place % keep_every == 0)]
    return replace(runs, history=kept.reset_index(drop=True))


def samples_of_first_seed(runs: Runs) -> Runs:
    """Keep the segmentation samples of the smallest seed that has any: one per point."""
    table = runs.table[runs.table["run_id"].isin(list(runs.samples))]
    first = table.loc[table["seed"] == table["seed"].min(), "run_id"]
    return replace(runs, samples={run_id: runs.samples[run_id] for run_id in first})


def without_machine_paths(table: pd.DataFrame) -> pd.DataFrame:
    """Folders and files without the part that only the machine of the runs has.

    `run_dir` becomes EXPERIMENT/POINT, other folders and files their own name; missing ones stay
    missing.
    """
    folders = [c for c in _FOLDERS if c in table]
    cleaned = {c: table[c].map(lambda path, c=c: _tail(path, _FOLDERS[c])) for c in folders}
    for column in _VOLUMES:
        if column in table:
            cleaned[column] = table[column].map(
                lambda name: _LOCAL_PATH.sub("", name) if isinstance(name, str) else name
            )
    return table.assign(**cleaned)


def _tail(path: object, parts: int) -> object:
    return path if pd.isna(path) else "/".join(str(path).split("/")[-parts:])  # type: ignore[call-overload]
