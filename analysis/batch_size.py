"""What a larger batch costs in data and saves in steps, as a table. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.intervals import bootstrap_interval

_COSTS = ("fovs", "elapsed_s", "optimizer_step")


def tradeoff_table(reached: pd.DataFrame, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Cost to each target per node count: the median over repeats.

    A repeat that did not reach the target counts as more expensive than any that did, so the
    median is known while more than half of the repeats reach it.

    Args:
        reached: columns nodes, target, fovs, elapsed_s, optimizer_step; one row per run and
            target, NaN where not reached.
        level: coverage of the bootstrap intervals, given where every repeat reached the target.
        seed: of the bootstrap.

    Returns:
        One row per target and nodes: repeats, reached (how many), and for each cost its median
        and `_low`, `_high`.
    """
    rows = []
    for (target, nodes), group in reached.groupby(["target", "nodes"]):
        row: dict[str, object] = {
            "target": target,
            "nodes": nodes,
            "repeats": len(group),
            "reached": int(group["fovs"].notna().sum()),
        }
        for cost in _COSTS:
            values = group[cost].to_numpy(dtype=float)
            median = float(np.median(np.where(np.isnan(values), np.inf, values)))
            row[cost] = median if np.isfinite(median) else np.nan
            complete = not np.isnan(values).any()
            interval = bootstrap_interval(values if complete else [], level=level, seed=seed)
            row[f"{cost}_low"], row[f"{cost}_high"] = interval.low, interval.high
        rows.append(row)
    return pd.DataFrame(rows)
