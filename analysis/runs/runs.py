"""Recorded runs as two tidy tables, independent of where they were recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ffn_core import metric_names as names
from ffn_core.errors import InputError, file_error
from ffn_core.files import whole_file
from ffn_core.files.checked import check_parquet, damaged, seal_parquet
from ffn_core.inference.sample import SegmentedSample

_REMEDY = "take it from where it was copied, or export the study again: python -m analysis.recorded"

SAMPLES = "samples"
"""Folder of the samples of a recorded study, a file `RUN_ID.h5` each."""

# Parameter names of the recorder -> column of `Runs.table`; any other parameter keeps its name
# with dots turned into underscores.
COLUMN_OF_PARAMETER = {
    names.NODES: "nodes",
    names.RANKS: "ranks",
    names.LOCAL_BATCH_SIZE: "local_batch_size",
    names.OPTIMIZER: "optimizer",
    names.RATE_BASE: "lr_base",
    names.RATE_RULE: "lr_rule",
    names.RATE_PEAK: "lr_peak",
    names.WARMUP: "warmup",
    names.COOLDOWN: "cooldown",
    names.PRECISION: "precision",
    "model.depth": "depth",
    "model.features": "features",
    "model.fov_zyx": "fov_zyx",
    "model.deltas_zyx": "deltas_zyx",
    "data.name": "data",
}


def column_of(parameter: str) -> str:
    """Column of `Runs.table` that holds a parameter of the recorder."""
    return COLUMN_OF_PARAMETER.get(parameter, parameter.replace(".", "_"))


# What counts as the value of an option in runs recorded before there was such a one.
BEFORE_RECORDED = {"cooldown": "none"} | {
    column_of(option): str(value) if isinstance(value, list) else value
    for option, value in names.LATER.items()
    if value is not None
}


def is_among(column: str, options: Sequence[str]) -> bool:
    """Whether a column of `Runs.table` holds one of some options, or of sections of options.

    Columns that `COLUMN_OF_PARAMETER` names otherwise than their option are not.
    """
    prefixes = tuple(f"{column_of(option)}_" for option in options)
    return f"{column}_".startswith(prefixes)


RUN_COLUMNS = (
    "run_id",
    "name",
    "experiment",
    "parent_id",
    "status",
    "outcome",
    "emulated",
    "run_dir",
    "start_time",
)
_NEEDED_OF_RUNS = ("run_id", "experiment", "status")
"""Columns that a recorded study of any version has."""

_CLOCKS = {names.ELAPSED_S: "elapsed_s", names.OPTIMIZER_STEP: "optimizer_step"}
CLOCK_METRICS = tuple(_CLOCKS)
"""Metrics by which a history has its columns of time and steps."""

HISTORY_COLUMNS = ("run_id", "metric", "fovs", "elapsed_s", "optimizer_step", "value")


@dataclass(frozen=True)
class Runs:
    """Point runs and their metric histories.

    Attributes:
        table: one row per point run: `RUN_COLUMNS` plus one column per parameter (numeric where
            every value is a number); `global_batch_size` = nodes * local_batch_size, in FOVs.
        history: `HISTORY_COLUMNS`, one row per run, metric and step; `run_id` and `metric` as
            categories. `fovs` is the FOVs processed over all nodes; `elapsed_s` the training wall
            time and `optimizer_step` the updates applied by then, both NaN where the run did not
            record them.
        samples: by run id, a piece of the segmentation by the last checkpoint of those runs whose
            checkpoints were segmented.
    """

    table: pd.DataFrame
    history: pd.DataFrame
    samples: Mapping[str, SegmentedSample] = field(default_factory=dict)

    def select(self, keep: pd.Series) -> Runs:
        """Keep the runs whose row of `table` is true in `keep` (boolean, aligned with table)."""
        if keep.all():
            return self  # a history may have millions of rows
        table = self.table[keep].reset_index(drop=True)
        history = self.history[self.history["run_id"].isin(table["run_id"])]
        ids = set(table["run_id"])
        samples = {run_id: sample for run_id, sample in self.samples.items() if run_id in ids}
        return Runs(table, history.reset_index(drop=True), samples)

    def finished(self) -> Runs:
        """Keep the runs that ended well."""
        return self.select(self.table["status"] == "FINISHED")

    def experiments(self) -> list[str]:
        """Names of the experiments that have point runs, sorted."""
        return sorted(self.table["experiment"].unique())

    def history_of(self, metric: str) -> pd.DataFrame:
        """Rows of `history` of one metric, in their order."""
        return self.history.iloc[self._places.get(metric, np.array([], dtype=int))]

    @cached_property
    def _places(self) -> dict[str, np.ndarray]:
        """Row numbers in `history` by metric."""
        found = self.history.groupby("metric").indices
        return {str(name): np.asarray(rows) for name, rows in found.items()}

    def metric(self, name: str) -> pd.DataFrame:
        """History of one metric with the columns of `table` joined on, ordered by run and FOVs."""
        rows = self.history_of(name)
        merged = rows.merge(self.table, on="run_id", validate="many_to_one")
        return merged.sort_values(["run_id", "fovs"], ignore_index=True)

    def last(self, name: str, count: int = 1) -> pd.Series:
        """Mean of the last `count` values of a metric by run_id; runs without it are absent."""
        rows = self.history_of(name).dropna(subset=["value"])
        tail = rows.sort_values("fovs", kind="stable").groupby("run_id")["value"].tail(count)
        return tail.groupby(rows["run_id"].reindex(tail.index)).mean().rename(name)

    def to_parquet(self, directory: Path) -> None:
        """Write `runs.parquet` and `history.parquet`, which `from_recorded` reads back."""
        history = self.history.astype({"run_id": str, "metric": str})
        for name, table in (("runs", self.table), ("history", history)):
            with whole_file(directory / f"{name}.parquet") as partial:
                table.to_parquet(partial, index=False, compression="zstd")
                seal_parquet(partial)
        self._write_samples(directory / SAMPLES)

    def to_csv(self, directory: Path) -> None:
        """Write `runs.csv` and `history.csv.gz`, which `from_recorded` reads back."""
        directory.mkdir(parents=True, exist_ok=True)
        self.table.to_csv(directory / "runs.csv", index=False)
        # A fixed time stamp in the gzip header: the same runs give the same bytes.
        compression = {"method": "gzip", "mtime": 0}
        path = directory / "history.csv.gz"
        self.history.to_csv(path, index=False, compression=compression)
        self._write_samples(directory / SAMPLES)

    def _write_samples(self, folder: Path) -> None:
        """Write those there are; earlier ones do not stay."""
        for earlier in folder.glob("*.h5"):
            earlier.unlink()
        for run_id, sample in self.samples.items():
            sample.save(folder / f"{run_id}.h5")

    @classmethod
    def from_recorded(cls, directory: Path) -> Runs:
        """Read what `to_parquet` or `to_csv` wrote; Parquet is preferred where both lie there.

        Raises:
            InputError: the directory holds neither, or one of them is damaged.
        """
        files = sorted((directory / SAMPLES).glob("*.h5"))
        samples = {path.stem: SegmentedSample.load(path) for path in files}
        if (directory / "runs.parquet").is_file():
            table = _read_parquet(directory / "runs.parquet", _NEEDED_OF_RUNS)
            history = _read_parquet(directory / "history.parquet", HISTORY_COLUMNS)
            return cls(table, _as_categories(history), samples)
        if (directory / "runs.csv").is_file():
            # "none" is a learning-rate rule and a warm-up, not a missing value.
            table = _read_csv(directory / "runs.csv", _NEEDED_OF_RUNS)
            history = _read_csv(directory / "history.csv.gz", HISTORY_COLUMNS)
            return cls(table, _as_categories(history), samples)
        raise InputError(
            f"no recorded runs in {directory}: it needs runs.parquet or runs.csv beside its history"
        )


def _as_categories(history: pd.DataFrame) -> pd.DataFrame:
    return history.astype({"run_id": "category", "metric": "category"})


def _read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    check_parquet(path, _REMEDY)
    try:
        return _with_columns(pd.read_parquet(path), columns)
    except Exception as error:  # whatever Arrow makes of damaged bytes
        raise damaged(path, str(error) or type(error).__name__, _REMEDY) from error


def _read_csv(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        # "none" is a learning-rate rule and a warm-up, not a missing value.
        table = _with_columns(pd.read_csv(path, keep_default_na=False, na_values=[""]), columns)
        if "start_time" in table:
            table["start_time"] = pd.to_datetime(table["start_time"])
        return table
    except OSError as error:
        raise file_error("read", path, error) from error
    except Exception as error:  # whatever pandas makes of damaged bytes
        raise damaged(path, str(error) or type(error).__name__, _REMEDY) from error


def _with_columns(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"without the column {missing[0]}")
    return table


def runs_from_records(records: Sequence[dict[str, object]], history: pd.DataFrame) -> Runs:
    """Build `Runs` from one dict per run and a raw metric history.

    Args:
        records: RUN_COLUMNS and parameter columns (parameters as the strings recorded).
        history: columns run_id, metric, fovs, value; several values of one run, metric and step
            (a resumed run repeats the steps after its last checkpoint) are ordered oldest first.
    """
    table = pd.DataFrame(list(records))
    for column in table.columns.difference(list(RUN_COLUMNS)):
        table[column] = _numeric_where_possible(table[column])
    earlier = {column: value for column, value in BEFORE_RECORDED.items() if column in table}
    table = table.fillna(earlier)
    if {"nodes", "local_batch_size"} <= set(table.columns):
        table["global_batch_size"] = table["nodes"] * table["local_batch_size"]
    return Runs(table, _tidy(history))


def _tidy(history: pd.DataFrame) -> pd.DataFrame:
    """`HISTORY_COLUMNS` of a raw history, the newest of repeated values, ordered, with clocks.

    Works on numbers in place of run ids and names: of these a large store has millions.
    """
    run, run_ids = _numbered(history["run_id"])
    metric, metrics = _numbered(history["metric"])
    fovs = history["fovs"].to_numpy(np.int64)
    value = history["value"].to_numpy(float)
    order = np.lexsort((fovs, metric, run))  # stable: repeated values stay oldest first
    run, metric, fovs, value = run[order], metric[order], fovs[order], value[order]
    newest = np.ones(len(order), bool)
    newest[:-1] = (np.diff(run) != 0) | (np.diff(metric) != 0) | (np.diff(fovs) != 0)
    run, metric, fovs, value = run[newest], metric[newest], fovs[newest], value[newest]
    times, moment = np.unique(fovs, return_inverse=True)
    place = run.astype(np.int64) * max(len(times), 1) + moment
    columns = {
        "run_id": pd.Categorical.from_codes(run, run_ids),
        "metric": pd.Categorical.from_codes(metric, metrics),
        "fovs": fovs,
        "value": value,
    }
    for name, column in _CLOCKS.items():
        mine = metric == metrics.get_indexer(pd.Index([name]))[0]
        columns[column] = _looked_up(place, place[mine], value[mine])
    return pd.DataFrame(columns)[list(HISTORY_COLUMNS)]


def _numbered(given: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Place of each name (int64) among the distinct ones in order, and those."""
    codes, found = pd.factorize(given)
    distinct = pd.Index(found)
    if isinstance(distinct, pd.CategoricalIndex):
        distinct = distinct.astype("str")
    order = distinct.argsort()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[codes] if len(order) else codes.astype(np.int64), distinct.take(order)


def _looked_up(wanted: np.ndarray, known: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The value (float64) at the place in sorted ``known`` of each one wanted; NaN without one."""
    if not len(known):
        return np.full(len(wanted), np.nan)
    found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[found] == wanted, value[found], np.nan)


def _numeric_where_possible(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if bool((numbers.notna() | values.isna()).all()) else values
