"""One row per point run: what it was and what came out. Pure."""

from __future__ import annotations

import pandas as pd

from analysis.runs import Runs

FINAL_EVALUATIONS = 3

# Means over the history carried into the summary, and their column there.
_MEANS = {
    "scaling/coupling_efficiency": "coupling_efficiency",
    "time/step_s": "step_s",
    "time/compute_s": "compute_s",
    "time/allreduce_s": "allreduce_s",
    "time/input_s": "input_s",
    "time/straggler_wait_s": "straggler_wait_s",
    "time/update_s": "update_s",
}

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
    "fovs_per_second",
    "fovs",
    "wall_s",
    "status",
    "run_id",
)


def summarize(runs: Runs) -> pd.DataFrame:
    """Adds outcomes to the run table, ordered by experiment, nodes, recipe and seed.

    Added columns: best_f1 (highest validation F1), final_f1 and final_accuracy (validation, mean
    of the last `FINAL_EVALUATIONS`), fovs (processed over all nodes), wall_s (training wall time),
    fovs_per_second (harmonic mean of the records, which cover equally many FOVs each, so that it
    is FOVs over seconds), coupling_efficiency and the step phases in seconds (means of the
    records). NaN where not recorded. The throughput of an emulated point is that of its `ranks`
    processes.
    """
    table = runs.table.copy()
    f1 = runs.history[runs.history["metric"] == "validation/f1"].groupby("run_id")["value"]
    by_run = {
        "best_f1": f1.max(),
        "final_f1": runs.last("validation/f1", FINAL_EVALUATIONS),
        "final_accuracy": runs.last("validation/accuracy", FINAL_EVALUATIONS),
        "fovs": runs.history.groupby("run_id")["fovs"].max(),
        "wall_s": runs.history.groupby("run_id")["elapsed_s"].max(),
    }
    by_run["fovs_per_second"] = 1 / _means(runs, "throughput/fovs_per_second", power=-1)
    by_run |= {column: _means(runs, metric) for metric, column in _MEANS.items()}
    for column, values in by_run.items():
        table[column] = table["run_id"].map(values)
    order = ["experiment", "nodes", "optimizer", "lr_rule", "lr_peak", "warmup", "seed"]
    return table.sort_values([c for c in order if c in table], ignore_index=True)


def _means(runs: Runs, metric: str, power: int = 1) -> pd.Series:
    """Mean of the values to a power over the records of each run, indexed by run_id."""
    rows = runs.history[runs.history["metric"] == metric]
    return (rows["value"] ** power).groupby(rows["run_id"]).mean()
