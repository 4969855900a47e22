"""Weak and strong scaling: which points form a curve, their speed-up and efficiency. Pure.

The one place with these definitions: the figures, the throughput command and what sweeps write to
MLflow all call it. Nodes are real ones; an emulated node adds no hardware and is never passed here.
"""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ffn_core.metric_names import PRECISION

WEAK, STRONG = "weak", "strong"

WORK = (
    "data.name",
    "model.fov_zyx",
    "model.deltas_zyx",
    "model.depth",
    "model.features",
    "model.micro_batch_size",
    PRECISION,
    "cluster.threads_per_rank",
)
"""Parameters that change how long a step takes, besides nodes and batch.

Optimizer, rate and seed do not: runs that differ in them only are repeats.
"""


@dataclass(frozen=True)
class ScalingPoint:
    """What one run on real nodes measured.

    Attributes:
        nodes: as many as ranks.
        local_batch_size: FOVs of a node in a step.
        fovs_per_second: of all nodes together.
        work: values of `WORK`.
    """

    nodes: int
    local_batch_size: int
    fovs_per_second: float
    work: tuple[Hashable, ...] = ()


@dataclass(frozen=True)
class NodeCount:
    """One node count of a curve, over its repeats.

    Attributes:
        nodes: how many.
        repeats: runs behind the values.
        fovs_per_second: see `mean_rate`.
        speedup: rate over that of the baseline.
        parallel_efficiency: see `parallel_efficiency`.
        baseline_nodes: what both are relative to.
    """

    nodes: int
    repeats: int
    fovs_per_second: float
    speedup: float
    parallel_efficiency: float
    baseline_nodes: int


@dataclass(frozen=True)
class ScalingCurve:
    """Points at two node counts or more whose work is the same.

    Attributes:
        kind: `WEAK` (the same batch on every node) or `STRONG` (the same in all).
        batch_size: FOVs in a step, of a node or in all.
        work: values of `WORK`.
        members: indices of the points.
        node_counts: ordered by nodes.
    """

    kind: str
    batch_size: int
    work: tuple[Hashable, ...]
    members: tuple[int, ...]
    node_counts: tuple[NodeCount, ...]

    @property
    def baseline(self) -> NodeCount:
        """What the others are relative to."""
        return next(c for c in self.node_counts if c.nodes == c.baseline_nodes)

    def of_point(self, point: ScalingPoint) -> NodeCount:
        """One run of this curve by itself, relative to the mean of the baseline's repeats."""
        return _relative(point.nodes, 1, point.fovs_per_second, self.baseline)


def overall_rate(rates: Sequence[float]) -> float:
    """FOVs per second of a run from those of its records, which cover equally many FOVs each.

    FOVs over seconds: the harmonic mean.
    """
    return statistics.harmonic_mean([float(rate) for rate in rates])


def mean_rate(kind: str, rates: Sequence[float]) -> float:
    """FOVs per second over repeats: their mean, or for strong scaling that of a mean time."""
    values = [float(rate) for rate in rates]
    return statistics.fmean(values) if kind == WEAK else statistics.harmonic_mean(values)


def parallel_efficiency(
    nodes: int, fovs_per_second: float, baseline_nodes: int, baseline_fovs_per_second: float
) -> float:
    """Weak scaling fps(N) / (N/N0 fps(N0)).

    Strong scaling, T0 N0 / (T N) for the same work, is the same expression: the time for a FOV is
    one over the rate.
    """
    return fovs_per_second * baseline_nodes / (nodes * baseline_fovs_per_second)


def node_counts(
    kind: str, nodes: Sequence[int], rates: Sequence[float], baseline_nodes: int | None = None
) -> tuple[NodeCount, ...]:
    """Speed-up and efficiency for each node count.

    Args:
        kind: `WEAK` or `STRONG`.
        nodes: of each run.
        rates: FOVs per second of each run.
        baseline_nodes: the node count that the others are relative to; None is the smallest.

    Returns:
        Ordered by nodes.

    Raises:
        ValueError: there is no run, or none at the baseline.
    """
    by_nodes: dict[int, list[float]] = {}
    for count, rate in zip(nodes, rates, strict=True):
        by_nodes.setdefault(int(count), []).append(rate)
    base = min(by_nodes, default=0) if baseline_nodes is None else baseline_nodes
    if base not in by_nodes:
        raise ValueError(f"no run on {base} nodes to compare with; there are: {sorted(by_nodes)}")
    means = {count: mean_rate(kind, by_nodes[count]) for count in sorted(by_nodes)}
    baseline = NodeCount(base, len(by_nodes[base]), means[base], 1.0, 1.0, base)
    return tuple(_relative(n, len(by_nodes[n]), mean, baseline) for n, mean in means.items())


def scaling_curves(
    points: Sequence[ScalingPoint], baseline_nodes: int | None = None
) -> list[ScalingCurve]:
    """The curves among measured points; one without a run at ``baseline_nodes`` is left out.

    Args:
        points: one per run. Runs at the same place of a curve are repeats.
        baseline_nodes: see `node_counts`.

    Returns:
        Weak ones first, then by work and batch size. A point may belong to one of either kind.
    """
    curves = []
    for kind in (WEAK, STRONG):
        groups: dict[tuple[tuple[Hashable, ...], int], list[int]] = {}
        for i, point in enumerate(points):
            spread = 1 if kind == WEAK else point.nodes
            groups.setdefault((point.work, spread * point.local_batch_size), []).append(i)
        for (work, batch_size), members in sorted(groups.items(), key=_order):
            nodes = [points[i].nodes for i in members]
            if len(set(nodes)) < 2 or (baseline_nodes or nodes[0]) not in nodes:
                continue
            rates = [points[i].fovs_per_second for i in members]
            found = node_counts(kind, nodes, rates, baseline_nodes)
            curves.append(ScalingCurve(kind, batch_size, work, tuple(members), found))
    return curves


def _relative(nodes: int, repeats: int, rate: float, baseline: NodeCount) -> NodeCount:
    efficiency = parallel_efficiency(nodes, rate, baseline.nodes, baseline.fovs_per_second)
    speedup = rate / baseline.fovs_per_second
    return NodeCount(nodes, repeats, rate, speedup, efficiency, baseline.nodes)


def _order(item: tuple[tuple[tuple[Hashable, ...], int], list[int]]) -> tuple[object, ...]:
    """Sort groups whose work holds numbers, texts and None."""
    (work, batch_size), _ = item
    keys = tuple((v is None, isinstance(v, str), 0 if v is None else v) for v in work)
    return (keys, batch_size)
