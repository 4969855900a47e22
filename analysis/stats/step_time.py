"""Time of a step split into its phases, comparable between real and emulated nodes. Pure."""

from __future__ import annotations

import pandas as pd

from analysis.runs.grouping import groups
from analysis.stats.intervals import mean_interval
from ffn_core.metric_names import ALLREDUCE, COMPUTE, INPUT, STRAGGLER_WAIT, UPDATE

# Column of the summary -> what the phase is called, in the order of drawing.
_PHASE_COLUMNS = {
    f"{phase}_s": phase.replace("_", " ")
    for phase in (COMPUTE, ALLREDUCE, STRAGGLER_WAIT, INPUT, UPDATE)
}


def phase_table(points: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds per FOV of one rank, by phase, mean over the runs of each node count.

    A step is divided by the FOVs each rank works through in it (nodes * local batch / ranks), so
    that an emulated node count, whose ranks carry several nodes, compares with a real one.

    Args:
        points: from `analysis.runs.summary.summarize`; rows without step_s are dropped, a
            phase that was not recorded counts as zero.

    Returns:
        Ordered by nodes: nodes, emulated, runs, compute, allreduce, straggler wait, input, update,
        other (the rest of the step, never below 0).
    """
    timed = points.dropna(subset=["step_s"])
    fovs_per_rank = timed["nodes"] * timed["local_batch_size"] / timed["ranks"]
    table = timed[["nodes", "emulated"]].copy()
    for column, phase in _PHASE_COLUMNS.items():
        table[phase] = 1e3 * timed[column].fillna(0) / fovs_per_rank
    named = table[list(_PHASE_COLUMNS.values())].sum(axis=1)
    table["other"] = (1e3 * timed["step_s"] / fovs_per_rank - named).clip(lower=0)
    grouped = table.groupby(["nodes", "emulated"])
    return grouped.mean().assign(runs=grouped.size()).reset_index()


def slowest_shares(records: pd.DataFrame) -> pd.DataFrame:
    """How often each rank was the slowest.

    Args:
        records: columns ranks and value, the slowest rank of one record (`time/slowest_rank`).

    Returns:
        Ordered by ranks and rank: ranks, rank (0 to ranks - 1), records (of that rank count),
        share of them (sums to 1 over the ranks of a count; 1/ranks where chance decides).
    """
    rows = []
    for ranks, group in groups(records.dropna(subset=["value"]), "ranks"):
        counts = group["value"].astype(int).value_counts()
        for rank in range(int(ranks)):
            share = float(counts.get(rank, 0)) / len(group)
            rows.append({"ranks": ranks, "rank": rank, "records": len(group), "share": share})
    return pd.DataFrame(rows, columns=["ranks", "rank", "records", "share"])


def wait_table(points: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Share of a step that a rank spends waiting for the slowest, mean over ranks and runs.

    Args:
        points: from `analysis.runs.summary.summarize`; rows without straggler_wait_s or
            step_s drop out.
        level: coverage of the t intervals over runs (NaN bounds for one run).

    Returns:
        Ordered by ranks: ranks, runs, share, low, high.
    """
    rows = []
    for ranks, group in groups(points.dropna(subset=["straggler_wait_s", "step_s"]), "ranks"):
        interval = mean_interval((group["straggler_wait_s"] / group["step_s"]).to_numpy(), level)
        rows.append(
            {
                "ranks": ranks,
                "runs": interval.count,
                "share": interval.estimate,
                "low": interval.low,
                "high": interval.high,
            }
        )
    return pd.DataFrame(rows, columns=["ranks", "runs", "share", "low", "high"])
