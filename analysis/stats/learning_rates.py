"""The rate of the highest score per node count, and the power law those follow. Pure.

That rate is a value of the grid, and where scores differ by noise a random one: from a grid that
moves with the nodes its power law says how the grid moves. `analysis.models.rate_scans` estimates
the best rate from all scores, with an interval, and `analysis.models.learning_rate_law_fits` its
laws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats


def normalized_accuracy(scan: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy per node count and rate, over the best of the scan at that node count.

    Args:
        scan: columns nodes, lr_peak, accuracy; one row per run. NaN accuracies are dropped.

    Returns:
        Ordered by nodes and rate: nodes, lr_peak, accuracy (mean over repeats), repeats,
        normalized_accuracy in [0, 1], best (bool; the first of equals).
    """
    grouped = scan.dropna(subset=["accuracy"]).groupby(["nodes", "lr_peak"])["accuracy"]
    table = grouped.agg(accuracy="mean", repeats="count").reset_index()
    best = table.groupby("nodes")["accuracy"]
    table["normalized_accuracy"] = table["accuracy"] / best.transform("max")
    table["best"] = table.index.isin(best.idxmax())
    return table


def best_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of `normalized_accuracy` with the best rate of each node count.

    `at_edge` tells that the best rate is the lowest or highest tried there: the true optimum may
    lie outside the scan.
    """
    rates = table.groupby("nodes")["lr_peak"]
    edge = (table["lr_peak"] == rates.transform("min")) | (
        table["lr_peak"] == rates.transform("max")
    )
    return table.assign(at_edge=edge)[table["best"]].reset_index(drop=True)


@dataclass(frozen=True)
class PowerLaw:
    """rate = prefactor * nodes ** exponent; exponent 1 is linear scaling, 0.5 square-root.

    `exponent_low` and `exponent_high` are confidence bounds; NaN with fewer than three points.
    """

    prefactor: float
    exponent: float
    exponent_low: float
    exponent_high: float
    count: int

    def rate(self, nodes: np.ndarray | float) -> np.ndarray:
        """Learning rate at a node count."""
        return self.prefactor * np.asarray(nodes, dtype=float) ** self.exponent


def fit_power_law(nodes: np.ndarray, rates: np.ndarray, level: float = 0.95) -> PowerLaw:
    """Straight-line fit of log(rate) against log(nodes) with a t interval of the slope.

    Args:
        nodes: (n,) at least two different values.
        rates: (n,) learning rates, > 0.
        level: coverage of the interval.

    Raises:
        ValueError: fewer than two different node counts.
    """
    if np.unique(nodes).size < 2:
        raise ValueError("a power law needs at least two node counts")
    fit = stats.linregress(np.log(nodes), np.log(rates))
    count = len(nodes)
    half = float(stats.t.ppf((1 + level) / 2, count - 2) * fit.stderr) if count > 2 else np.nan
    slope = float(fit.slope)
    return PowerLaw(float(np.exp(fit.intercept)), slope, slope - half, slope + half, count)
