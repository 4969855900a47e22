"""Tables of weak and strong scaling with intervals over repeats. Pure.

What an efficiency is, and which points form a curve, is defined in `ffn_core.parallel_efficiency`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.runs.grouping import groups, varies
from analysis.runs.runs import column_of
from analysis.stats.intervals import mean_interval, ratio_interval
from ffn_core.parallel_efficiency import (
    STRONG,
    WEAK,
    WORK,
    NodeCount,
    ScalingPoint,
    node_counts,
    scaling_curves,
)


def weak_scaling_table(
    measured: pd.DataFrame, level: float = 0.95, baseline_nodes: int | None = None
) -> pd.DataFrame:
    """Throughput and weak-scaling efficiency per node count, over repeats.

    Args:
        measured: columns nodes and fovs_per_second, one row per run at the same work per node;
            real nodes only, an emulated node adds no hardware.
        level: coverage of the intervals.
        baseline_nodes: what the others are relative to; None is the smallest node count.

    Returns:
        Ordered by nodes: nodes, repeats, fovs_per_second (mean) with _low and _high (t interval),
        ideal_fovs_per_second, speedup, parallel_efficiency with _low and _high (the baseline's own
        spread included), baseline_nodes. Bounds are NaN for one repeat;
        the baseline's efficiency is 1 by definition and has no bounds.

    Raises:
        ValueError: no rows.
    """
    return _scaling_table(measured, "fovs_per_second", level, baseline_nodes)


def strong_scaling_table(
    measured: pd.DataFrame, level: float = 0.95, baseline_nodes: int | None = None
) -> pd.DataFrame:
    """Time to the same total work and strong-scaling efficiency per node count, over repeats.

    Args:
        measured: columns nodes and time_s (seconds for the fixed work), one row per run.
        level: coverage of the intervals.
        baseline_nodes: what the others are relative to; None is the smallest node count.

    Returns:
        Ordered by nodes: nodes, repeats, time_s with _low and _high, ideal_time_s, and the rest
        as in `weak_scaling_table`.

    Raises:
        ValueError: no rows.
    """
    return _scaling_table(measured, "time_s", level, baseline_nodes)


def _scaling_table(
    measured: pd.DataFrame, column: str, level: float, baseline_nodes: int | None
) -> pd.DataFrame:
    """The table of either kind: ideally throughput grows with the nodes and time as 1/nodes."""
    by_nodes = _by_nodes(measured, column)
    kind = STRONG if column == "time_s" else WEAK
    nodes = [n for n, values in by_nodes.items() for _ in values]
    values = np.concatenate(list(by_nodes.values()))
    rates = 1 / values if kind == STRONG else values
    counts = node_counts(kind, nodes, [float(rate) for rate in rates], baseline_nodes)
    base = by_nodes[counts[0].baseline_nodes]
    return pd.DataFrame([_row(column, by_nodes[c.nodes], base, c, level) for c in counts])


def _by_nodes(measured: pd.DataFrame, column: str) -> dict[int, np.ndarray]:
    known = measured.dropna(subset=[column])
    by_nodes = {n: rows[column].to_numpy() for n, rows in groups(known, "nodes")}
    if not by_nodes:
        raise ValueError(f"no {column} to tabulate")
    return by_nodes


def _row(
    name: str, values: np.ndarray, base: np.ndarray, count: NodeCount, level: float
) -> dict[str, float]:
    """What repeats say of one node count, with bounds where there are enough of them."""
    mean = mean_interval(values, level)
    share = count.baseline_nodes / count.nodes
    if name == "time_s":
        speedup, ideal = ratio_interval(base, values, level), base.mean() * share
    else:
        speedup, ideal = ratio_interval(values, base, level), base.mean() / share
    known = count.nodes != count.baseline_nodes
    return {
        "nodes": count.nodes,
        "repeats": count.repeats,
        name: mean.estimate,
        f"{name}_low": mean.low,
        f"{name}_high": mean.high,
        f"ideal_{name}": float(ideal),
        "speedup": count.speedup,
        "parallel_efficiency": count.parallel_efficiency,
        "parallel_efficiency_low": speedup.low * share if known else np.nan,
        "parallel_efficiency_high": speedup.high * share if known else np.nan,
        "baseline_nodes": count.baseline_nodes,
    }


@dataclass(frozen=True)
class ScalingSeries:
    """Points that form one scaling curve.

    Attributes:
        kind: "weak" (work per node fixed) or "strong" (total batch fixed).
        label: for legends; names the fixed batch size and whatever else tells series apart.
        table: from `weak_scaling_table` or `strong_scaling_table`.
        points: the measured points behind it, one row per run.
    """

    kind: str
    label: str
    table: pd.DataFrame
    points: pd.DataFrame


def measured_alone(points: pd.DataFrame) -> pd.DataFrame:
    """Without points that shared the machine with others: their throughput says less of it."""
    if "sweep_parallel" not in points:
        return points
    return points[~(points["sweep_parallel"] > 1)]


def scaling_series(points: pd.DataFrame, baseline_nodes: int | None = None) -> list[ScalingSeries]:
    """Find the weak- and strong-scaling curves among measured points.

    Optimizer, rate and seed do not change the work of a step: runs that differ in them count as
    repeats.

    Args:
        points: finished runs on real nodes, from `analysis.runs.summary.summarize`.
        baseline_nodes: the node count efficiencies are relative to; None is a curve's smallest.

    Returns:
        One series per model, data and fixed batch size with at least two node counts; weak ones
        first.
    """
    points = measured_alone(points).dropna(subset=["fovs_per_second"])
    work = [c for c in (column_of(name) for name in WORK) if c in points]
    varying = [c for c in work if varies(points[c])]
    series = []
    for curve in scaling_curves(_measured(points, work), baseline_nodes):
        group = points.iloc[list(curve.members)]
        scope = "per node" if curve.kind == WEAK else "in all"
        plural = "s" if curve.batch_size != 1 else ""
        words = [f"{curve.kind}, {curve.batch_size:g} FOV{plural} {scope}"]
        words += [f"{column} {group.iloc[0][column]}" for column in varying]
        table = _table(curve.kind, group, baseline_nodes)
        series.append(ScalingSeries(curve.kind, ", ".join(words), table, group))
    return series


def _measured(points: pd.DataFrame, work: list[str]) -> list[ScalingPoint]:
    return [
        ScalingPoint(
            int(row["nodes"]),
            int(row["local_batch_size"]),
            float(row["fovs_per_second"]),
            tuple(None if pd.isna(row[c]) else row[c] for c in work),
        )
        for _, row in points.iterrows()
    ]


def _table(kind: str, group: pd.DataFrame, baseline_nodes: int | None) -> pd.DataFrame:
    if kind == WEAK:
        return weak_scaling_table(group, baseline_nodes=baseline_nodes)
    # The fixed work: one FOV. Any other amount gives the same efficiency.
    timed = group.assign(time_s=1 / group["fovs_per_second"])
    return strong_scaling_table(timed, baseline_nodes=baseline_nodes)
