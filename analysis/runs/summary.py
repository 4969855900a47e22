"""One row per point run: what it was and what came out. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from analysis.runs.grouping import varies
from analysis.runs.runs import Runs
from analysis.runs.score import score_of
from analysis.text import short_number
from ffn_core.metric_names import (
    ALLREDUCE,
    BASELINE_F1,
    COMPUTE,
    COUPLING_EFFICIENCY,
    INPUT,
    SCORE_FINAL,
    STEP,
    STRAGGLER_WAIT,
    THROUGHPUT,
    UPDATE,
    time_metric,
)
from ffn_core.parallel_efficiency import overall_rate

# Means over the history carried into the summary, and their column there, in this order.
_PHASES = (STEP, COMPUTE, ALLREDUCE, INPUT, STRAGGLER_WAIT, UPDATE)
_MEANS = {COUPLING_EFFICIENCY: "coupling_efficiency"} | {
    time_metric(phase): f"{phase}_s" for phase in _PHASES
}

MOST_ROWS = 100
"""Points that are listed on the terminal."""

REPORT_COLUMNS = (
    "experiment",
    "name",
    "nodes",
    "ranks",
    "emulated",
    "optimizer",
    "lr_rule",
    "lr_peak",
    "warmup",
    "seed",
    "best_f1",
    "final_f1",
    "final_accuracy",
    "final_score",
    "baseline_f1",
    "f1_is",
    "fovs_per_second",
    "fovs",
    "wall_s",
    "status",
    "run_id",
)


def summarize(runs: Runs) -> pd.DataFrame:
    """Add outcomes to the run table, ordered by experiment, nodes, recipe and seed.

    Added columns: best_f1 (highest), final_f1 and final_accuracy (mean of the last evaluations),
    all of the score that `score_of` names and `f1_is` repeats; final_score (`score/final`, as the
    run was judged); baseline_f1; fovs (processed over all nodes), wall_s (training wall time),
    fovs_per_second (harmonic mean of the records, which cover equally many FOVs each, so that it
    is FOVs over seconds), coupling_efficiency and the step phases in seconds (means of the
    records). NaN where not recorded. The throughput of an emulated point is that of its `ranks`
    processes.
    """
    table = runs.table.copy()
    score = score_of(runs)
    f1 = runs.history_of(score.f1).groupby("run_id")["value"]
    by_run = {
        "best_f1": f1.max(),
        "final_f1": runs.last(score.f1, score.last),
        "final_accuracy": runs.last(score.accuracy, score.last),
        "final_score": runs.last(SCORE_FINAL),
        "baseline_f1": runs.last(BASELINE_F1),
        "fovs": runs.history.groupby("run_id")["fovs"].max(),
        "wall_s": runs.history.groupby("run_id")["elapsed_s"].max(),
    }
    rates = runs.history_of(THROUGHPUT).groupby("run_id")["value"]
    by_run["fovs_per_second"] = rates.agg(lambda values: overall_rate(values.tolist()))
    by_run |= {column: _means(runs, metric) for metric, column in _MEANS.items()}
    for column, values in by_run.items():
        table[column] = table["run_id"].map(values)
    table["f1_is"] = score.f1
    order = ["experiment", "nodes", "optimizer", "lr_rule", "lr_peak", "warmup", "seed"]
    return table.sort_values([c for c in order if c in table], ignore_index=True)


def _means(runs: Runs, metric: str) -> pd.Series:
    """Mean over the records of each run, indexed by run_id."""
    return runs.history_of(metric).groupby("run_id")["value"].mean()


def _number(digits: int) -> Callable[[Any], str]:
    return lambda value: f"{value:.{digits}f}"


def _whole(value: float) -> str:
    # Whole numbers become floats in a column where one run lacks the parameter.
    return f"{value:.0f}"


def _duration(seconds: float) -> str:
    """12.3 s, 4:05 (min), 2:03:04 (h)."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


# Column of the summary -> heading and how a value is written.
_SETTINGS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "nodes": ("nodes", _whole),
    "emulated": ("", lambda value: "emul." if value else "real"),
    "optimizer": ("optimizer", str),
    "lr_rule": ("rule", str),
    "lr_peak": ("peak rate", lambda value: f"{value:.1e}"),
    "warmup": ("warm-up", str),
    "local_batch_size": ("batch", _whole),
    "seed": ("seed", _whole),
}
_OUTCOMES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "best_f1": ("best", _number(3)),
    "final_f1": ("final", _number(3)),
    "fovs_per_second": ("FOVs/s", lambda value: f"{value:.3g}"),
    "fovs": ("FOVs", short_number),
    "wall_s": ("time", _duration),
    "status": ("status", lambda value: value.lower()),
}


def summary_table(summary: pd.DataFrame, experiment: str) -> Table:
    """One line per point; settings that are the same for all points go into the title.

    `best` and `final` are of the F1 that `f1_is` names. Of more than `MOST_ROWS` points, those of
    the highest final score are listed.
    """
    present = {c: v for c, v in _SETTINGS.items() if c in summary}
    varying = {c: v for c, v in present.items() if c == "nodes" or varies(summary[c])}
    same = [
        f"{heading} {write(summary[column].iloc[0])}".strip()
        for column, (heading, write) in present.items()
        if column not in varying
    ]
    plural = "s" if len(summary) != 1 else ""
    title = f"{experiment}: {len(summary)} point{plural}" + (
        f" ({', '.join(same)})" if same else ""
    )
    table = Table(
        title=title,
        title_justify="left",
        caption=_what_scores_are(summary),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    columns = varying | _OUTCOMES
    for column, (heading, _) in columns.items():
        numeric = pd.api.types.is_numeric_dtype(summary[column]) and column != "emulated"
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for _, row in _listed(summary).iterrows():
        table.add_row(*(_cell(row[column], write) for column, (_, write) in columns.items()))
    return table


def _listed(summary: pd.DataFrame) -> pd.DataFrame:
    if len(summary) <= MOST_ROWS:
        return summary
    return summary.sort_values("final_f1", ascending=False).head(MOST_ROWS).sort_index()


def _what_scores_are(summary: pd.DataFrame) -> str:
    said = f"best, final: {', '.join(summary['f1_is'].unique())}"
    baseline = summary["baseline_f1"].median()
    if not math.isnan(baseline):
        said += f"; everything object: {baseline:.3f}"
    if len(summary) > MOST_ROWS:
        said += f"; listed: the {MOST_ROWS} points of highest final score"
    return said


def _cell(value: Any, write: Callable[[Any], str]) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "-" if missing else write(value)
