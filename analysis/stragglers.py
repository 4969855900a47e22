"""Which rank the others wait for, and how long. Pure."""

from __future__ import annotations

import pandas as pd

from analysis.grouping import groups
from analysis.intervals import mean_interval


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
        points: from `analysis.summary.summarize`; rows without straggler_wait_s or step_s drop out.
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
