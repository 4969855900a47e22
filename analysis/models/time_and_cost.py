"""Time and node-hours to a target against nodes: measured on real ones, modeled for any. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.models.model_average import ThroughputModel
from analysis.runs.grouping import groups
from analysis.stats.targets import first_reached, tradeoff_table


def pareto_front(hours: np.ndarray, node_hours: np.ndarray) -> np.ndarray:
    """Which points no other beats in both time and cost (boolean, (n,)); NaN never counts."""
    known = np.isfinite(hours) & np.isfinite(node_hours)
    kept = np.zeros(hours.shape, dtype=bool)
    for index in np.flatnonzero(known):
        no_worse = known & (hours <= hours[index]) & (node_hours <= node_hours[index])
        better = no_worse & ((hours < hours[index]) | (node_hours < node_hours[index]))
        kept[index] = not better.any()
    return kept


def seconds_of_stages(ends: np.ndarray, rate: np.ndarray, fovs: np.ndarray) -> np.ndarray:
    """Time until so many FOVs of a run in stages: the sum of FOVs over throughput of each.

    Args:
        ends: (s,) FOVs at the end of each stage, rising.
        rate: (s,) FOVs/s in each.
        fovs: (n,) FOVs asked for, up to the last end.

    Returns:
        (n,) seconds.
    """
    starts = np.concatenate([[0.0], ends[:-1]])
    done = np.clip(np.asarray(fovs, float)[:, None] - starts, 0.0, ends - starts)
    return np.asarray((done / rate).sum(axis=1))


MEASURED, MODELED = "measured", "modeled"


def time_and_cost(reached: pd.DataFrame, throughput: ThroughputModel) -> pd.DataFrame:
    """Time and cost per target, kind and node count: geometric means over repeats.

    Measured: wall time of the real nodes among the runs. Modeled: FOVs of every node
    count, real or emulated, over the throughput modeled there. The two are never mixed: each
    kind has its own baseline, the smallest node count that reached the target.

    Args:
        reached: columns nodes, target, emulated, fovs, elapsed_s, optimizer_step; one row per run
            and target, NaN where not reached.
        throughput: FOVs/s against nodes.

    Returns:
        target, kind, nodes, hours, node_hours, speedup and cost_ratio (both over the baseline),
        pareto (bool: no other node count of the same target and kind is better in both time and
        cost). Node counts of which a run did not reach the target are absent.
    """
    modeled = tradeoff_table(reached)
    rate = throughput.throughput(modeled["nodes"].to_numpy(float))
    modeled["hours"] = modeled["fovs"] / rate / 3600
    measured = reached[~reached["emulated"].astype(bool)]
    parts = [modeled.assign(kind=MODELED)]
    if not measured.empty:
        table = tradeoff_table(measured)
        parts.append(table.assign(kind=MEASURED, hours=table["elapsed_s"] / 3600))
    rows = pd.concat(parts, ignore_index=True).dropna(subset=["hours"])
    rows["node_hours"] = rows["nodes"] * rows["hours"]
    done = [_relative(group) for _, group in rows.groupby(["target", "kind"])]
    columns = ["target", "kind", "nodes", "hours", "node_hours", "speedup", "cost_ratio", "pareto"]
    return pd.concat(done, ignore_index=True)[columns] if done else pd.DataFrame(columns=columns)


def _relative(group: pd.DataFrame) -> pd.DataFrame:
    ordered = group.sort_values("nodes", ignore_index=True)
    base = ordered.iloc[0]
    return ordered.assign(
        speedup=base["hours"] / ordered["hours"],
        cost_ratio=ordered["node_hours"] / base["node_hours"],
        pareto=pareto_front(ordered["hours"].to_numpy(), ordered["node_hours"].to_numpy()),
    )


def published_time_and_cost(vertices: pd.DataFrame, targets: tuple[float, ...]) -> pd.DataFrame:
    """Hours and node-hours to F1 targets, from the published curves.

    Args:
        vertices: columns nodes, hours, f1; one row per evaluation.
        targets: of F1, reached at the first evaluation interpolated to it.

    Returns:
        target, nodes, hours, node_hours, pareto; node counts that did not reach it are absent.
    """
    rows = [
        {
            "target": target,
            "nodes": nodes,
            "hours": first_reached(curve["hours"].to_numpy(), curve["f1"].to_numpy(), target),
        }
        for target in targets
        for nodes, curve in groups(vertices, "nodes")
    ]
    table = pd.DataFrame(rows).dropna(subset=["hours"])
    table["node_hours"] = table["nodes"] * table["hours"]
    table["pareto"] = False
    for _, group in table.groupby("target"):
        front = pareto_front(group["hours"].to_numpy(), group["node_hours"].to_numpy())
        table.loc[group.index, "pareto"] = front
    return table.reset_index(drop=True)
