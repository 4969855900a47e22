"""Weak and strong scaling: throughput and parallel efficiency against a baseline. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.runs.grouping import groups, varies
from analysis.stats.intervals import Interval, mean_interval, ratio_interval


def weak_efficiency(
    nodes: np.ndarray | float,
    fovs_per_second: np.ndarray | float,
    baseline_nodes: float,
    baseline_fovs_per_second: float,
) -> np.ndarray:
    """Weak-scaling efficiency fps(N) / (N/N0 * fps(N0)): work per node fixed."""
    ideal = np.asarray(nodes, dtype=float) / baseline_nodes * baseline_fovs_per_second
    return np.asarray(fovs_per_second, dtype=float) / ideal


def strong_efficiency(
    nodes: np.ndarray | float,
    time_s: np.ndarray | float,
    baseline_nodes: float,
    baseline_time_s: float,
) -> np.ndarray:
    """Strong-scaling efficiency T0*N0 / (T*N): the same total work on more nodes."""
    used = np.asarray(time_s, dtype=float) * np.asarray(nodes, dtype=float)
    return baseline_time_s * baseline_nodes / used


def weak_scaling_table(measured: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Throughput and weak-scaling efficiency per node count, over repeats.

    Args:
        measured: columns nodes and fovs_per_second, one row per run at the same work per node;
            real nodes only, an emulated node adds no hardware.
        level: coverage of the intervals.

    Returns:
        Ordered by nodes: nodes, repeats, fovs_per_second (mean) with _low and _high (t interval),
        ideal_fovs_per_second, speedup, parallel_efficiency with _low and _high (the baseline's own
        spread included), baseline_nodes (the smallest measured). Bounds are NaN for one repeat;
        the baseline's efficiency is 1 by definition and has no bounds.

    Raises:
        ValueError: no rows.
    """
    return _scaling_table(measured, "fovs_per_second", level)


def strong_scaling_table(measured: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Time to the same total work and strong-scaling efficiency per node count, over repeats.

    Args:
        measured: columns nodes and time_s (seconds for the fixed work), one row per run.
        level: coverage of the intervals.

    Returns:
        Ordered by nodes: nodes, repeats, time_s with _low and _high, ideal_time_s, and the rest
        as in `weak_scaling_table`.

    Raises:
        ValueError: no rows.
    """
    return _scaling_table(measured, "time_s", level)


def _scaling_table(measured: pd.DataFrame, column: str, level: float) -> pd.DataFrame:
    """The table of either kind: ideally throughput grows with the nodes and time as 1/nodes."""
    by_nodes = _by_nodes(measured, column)
    baseline = min(by_nodes)
    rows = []
    for nodes, values in by_nodes.items():
        base = by_nodes[baseline]
        if column == "time_s":
            speedup, growth = ratio_interval(base, values, level), baseline / nodes
        else:
            speedup, growth = ratio_interval(values, base, level), nodes / baseline
        ideal = float(base.mean()) * growth
        rows.append(_row(nodes, baseline, column, values, ideal, speedup, level))
    return pd.DataFrame(rows)


def _by_nodes(measured: pd.DataFrame, column: str) -> dict[int, np.ndarray]:
    known = measured.dropna(subset=[column])
    by_nodes = {n: rows[column].to_numpy() for n, rows in groups(known, "nodes")}
    if not by_nodes:
        raise ValueError(f"no {column} to tabulate")
    return by_nodes


def _row(
    nodes: int,
    baseline: int,
    name: str,
    values: np.ndarray,
    ideal: float,
    speedup: Interval,
    level: float,
) -> dict[str, float]:
    mean = mean_interval(values, level)
    known = nodes != baseline
    return {
        "nodes": nodes,
        "repeats": mean.count,
        name: mean.estimate,
        f"{name}_low": mean.low,
        f"{name}_high": mean.high,
        f"ideal_{name}": ideal,
        "speedup": speedup.estimate,
        "parallel_efficiency": speedup.estimate * baseline / nodes,
        "parallel_efficiency_low": speedup.low * baseline / nodes if known else np.nan,
        "parallel_efficiency_high": speedup.high * baseline / nodes if known else np.nan,
        "baseline_nodes": baseline,
    }


# Parameters that change how long a step takes.
_WORK = (
    "data",
    "fov_zyx",
    "deltas_zyx",
    "depth",
    "features",
    "model_micro_batch_size",
    "cluster_threads_per_rank",
)


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


def scaling_series(points: pd.DataFrame) -> list[ScalingSeries]:
    """Finds the weak- and strong-scaling curves among measured points.

    Optimizer, rate and seed do not change the work of a step: runs that differ in them count as
    repeats.

    Args:
        points: finished runs on real nodes, from `analysis.runs.summary.summarize`.

    Returns:
        One series per model, data and fixed batch size with at least two node counts; weak ones
        first.
    """
    points = points.dropna(subset=["fovs_per_second"])
    work = [c for c in _WORK if c in points]
    varying = [c for c in work if varies(points[c])]
    series = []
    for kind, fixed in (("weak", "local_batch_size"), ("strong", "global_batch_size")):
        for _, group in points.groupby([*work, fixed], dropna=False):
            if not varies(group["nodes"]):
                continue
            first = group.iloc[0]
            scope = "per node" if kind == "weak" else "in all"
            words = [f"{kind}, {first[fixed]:g} FOV{'s' if first[fixed] != 1 else ''} {scope}"]
            words += [f"{column} {first[column]}" for column in varying]
            series.append(ScalingSeries(kind, ", ".join(words), _table(kind, group), group))
    return series


def _table(kind: str, group: pd.DataFrame) -> pd.DataFrame:
    if kind == "weak":
        return weak_scaling_table(group)
    # The fixed work: one FOV. Any other amount gives the same efficiency.
    return strong_scaling_table(group.assign(time_s=1 / group["fovs_per_second"]))
