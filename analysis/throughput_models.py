"""Throughput of any node count, from a study's own scaling runs or the published values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis import published
from analysis.model_choice import ModelAverage, average_models, compare_models

_WORK_OF_A_STEP = ("fov_zyx", "depth", "features", "local_batch_size")


@dataclass(frozen=True)
class ThroughputModel:
    """Scaling models fitted to throughput at several node counts, and what they stand for.

    Attributes:
        source: whose throughput, in words.
        nodes, fovs_per_second: (n,) points fitted.
        average: the models, averaged by their Akaike weights.
        scale: factor from the throughput fitted to the throughput meant, see `with_node`.
    """

    source: str
    nodes: np.ndarray
    fovs_per_second: np.ndarray
    average: ModelAverage
    scale: float = 1.0

    @property
    def baseline_nodes(self) -> float:
        """The smallest node count fitted."""
        return float(self.nodes.min())

    @property
    def largest(self) -> float:
        """The largest node count fitted; beyond it the model extrapolates."""
        return float(self.nodes.max())

    @property
    def node_fovs_per_second(self) -> float:
        """Throughput per node at the baseline."""
        base = self.fovs_per_second[self.nodes == self.nodes.min()].mean()
        return self.scale * float(base) / self.baseline_nodes

    def throughput(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """FOVs/s of (n,) node counts."""
        return self.scale * self.average.throughput(nodes)

    def efficiency(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """(n,) weak-scaling efficiency against the measured baseline."""
        counts = np.asarray(nodes, dtype=float)
        return self.throughput(counts) / (counts * self.node_fovs_per_second)

    def half_width(self, nodes: np.ndarray | Sequence[float], level: float = 0.95) -> np.ndarray:
        """(n,) half the interval of log throughput of one new measurement."""
        return self.average.half_width(nodes, level, measured=True)

    def comparison(self) -> pd.DataFrame:
        """Every model with its parameters, AICc and held-out errors."""
        return compare_models(self.nodes, self.fovs_per_second)

    def with_node(self, fovs_per_second: float) -> ThroughputModel:
        """The same efficiency on nodes of another speed (FOVs/s of one node)."""
        return replace(self, scale=self.scale * fovs_per_second / self.node_fovs_per_second)


def fit_throughput(source: str, nodes: np.ndarray, fovs_per_second: np.ndarray) -> ThroughputModel:
    """Fits and averages every scaling model.

    Raises:
        ValueError: fewer than three node counts or five points.
    """
    counts = np.asarray(nodes, dtype=float)
    rates = np.asarray(fovs_per_second, dtype=float)
    return ThroughputModel(source, counts, rates, average_models(counts, rates))


def published_throughput() -> ThroughputModel:
    """The published weak scaling, 1 to 1024 KNL nodes."""
    table = published.throughput()
    return fit_throughput(
        f"published, {published.ARXIV}, KNL nodes",
        table["nodes"].to_numpy(),
        table["fovs_per_second"].to_numpy(),
    )


def modelled_throughput(points: pd.DataFrame) -> ThroughputModel:
    """The published efficiency on nodes as fast as one rank of some runs.

    What stands in for a cluster where runs emulate it. The efficiency is that of the published
    network and machine.

    Args:
        points: from `analysis.summary.summarize`, with fovs_per_second known.
    """
    per_rank = points["fovs_per_second"] / points["ranks"]
    return published_throughput().with_node(float(per_rank.median()))


def same_work(points: pd.DataFrame, like: pd.DataFrame) -> pd.Series:
    """Which points do the same work per node and step as those in `like` (boolean, aligned).

    That is: field of view, depth, features and local batch size. Optimizer, rate and data do not
    change how long a step takes.
    """
    columns = [c for c in _WORK_OF_A_STEP if c in points and c in like]
    wanted = set(like[columns].itertuples(index=False, name=None))
    return pd.Series(
        [row in wanted for row in points[columns].itertuples(index=False, name=None)],
        index=points.index,
        dtype=bool,
    )
