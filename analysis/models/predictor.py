"""Time and node-hours to a target score for any node count. Pure.

hours(N) = FOVs to target at batch N * b / FOVs per second of N nodes: the statistical half of
scaling from `analysis.models.critical_batch`, the hardware half from
`analysis.models.model_average`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.models.critical_batch import CriticalBatch
from analysis.models.model_average import ThroughputModel

BOUNDS = ("hours", "hours_high")
_COUNTS = 4096


@dataclass(frozen=True)
class Predictor:
    """Both halves of the prediction.

    Attributes:
        throughput: FOVs/s against nodes.
        cost: FOVs to the target against batch size.
        local_batch_size: FOVs per node and step.
        level: coverage of the intervals, of one new run.
    """

    throughput: ThroughputModel
    cost: CriticalBatch
    local_batch_size: float
    level: float = 0.95

    def table(self, nodes: Sequence[float] | np.ndarray) -> pd.DataFrame:
        """Everything predicted of (n,) node counts.

        The two halves err independently: the halves of their intervals, in the logarithm, add in
        quadrature.

        Returns:
            In the order given: nodes, fovs, fovs_per_second, hours, node_hours, each of the last
            two with _low and _high (NaN where the runs cannot bound them), beyond_runs (the batch
            size lies outside those fitted), beyond_throughput (the node count does).
        """
        counts = np.asarray(nodes, dtype=float)
        batch = counts * self.local_batch_size
        fovs = self.cost.fovs(batch)
        rate = self.throughput.throughput(counts)
        hours = fovs / rate / 3600
        parts = (
            self.cost.half_width(batch, self.level),
            self.throughput.half_width(counts, self.level),
        )
        # With few runs the interval may exceed any float; inf then says the same.
        with np.errstate(over="ignore"):
            spread = np.exp(np.hypot(*parts))
        outside = (batch < self.cost.smallest) | (batch > self.cost.largest)
        return pd.DataFrame(
            {
                "nodes": counts.astype(int),
                "fovs": fovs,
                "fovs_per_second": rate,
                "hours": hours,
                "hours_low": hours / spread,
                "hours_high": hours * spread,
                "node_hours": counts * hours,
                "node_hours_low": counts * hours / spread,
                "node_hours_high": counts * hours * spread,
                "beyond_runs": outside,
                "beyond_throughput": (counts > self.throughput.largest)
                | (counts < self.throughput.baseline_nodes),
            }
        )

    def fewest_nodes(self, hours: float, most_nodes: int, bound: str = "hours") -> int | None:
        """The fewest nodes that reach the target in time; None where no count does.

        Args:
            hours: the deadline.
            most_nodes: largest node count considered.
            bound: which of `BOUNDS` must keep the deadline: the prediction or its upper bound.
        """
        grid = node_grid(most_nodes)
        in_time = np.flatnonzero(self.table(grid)[bound].to_numpy() <= hours)
        if in_time.size == 0:
            return None
        high = grid[in_time[0]]
        low = grid[in_time[0] - 1] if in_time[0] > 0 else high
        # Between neighboring powers of two the time passes the deadline once.
        while high - low > 1:
            middle = (low + high) // 2
            if self.table([middle])[bound].item() <= hours:
                high = middle
            else:
                low = middle
        return high

    def cheapest(self, most_nodes: int) -> int:
        """The node count of the fewest node-hours."""
        table = self.table(_all_counts(most_nodes))
        return int(table["nodes"].iloc[table["node_hours"].argmin()])

    def fastest(self, most_nodes: int, node_hours: float = math.inf) -> int:
        """The node count of the shortest time, of those that take at most so many node-hours.

        Where none does it is the one that takes the fewest.
        """
        table = self.table(_all_counts(most_nodes))
        paid = table[table["node_hours"] <= max(node_hours, table["node_hours"].min())]
        return int(paid["nodes"].iloc[paid["hours"].argmin()])

    def critical_nodes(self) -> float:
        """Node count of the critical batch size."""
        return self.cost.nodes(self.local_batch_size)


def _all_counts(most_nodes: int) -> np.ndarray:
    """Every node count up to some hundreds, then counts less than one percent apart."""
    return np.unique(np.geomspace(1, most_nodes, _COUNTS).round())


def node_grid(most_nodes: int) -> list[int]:
    """1, 2, 4, ... and the largest count itself."""
    powers = [2**p for p in range(int(np.log2(most_nodes)) + 1)]
    return powers if powers[-1] == most_nodes else [*powers, most_nodes]
