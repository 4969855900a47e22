"""Confidence over a handful of seeds, and contrasts that keep the seeds paired. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from analysis.stats.intervals import Interval, Values, bootstrap_interval

METHOD = (
    "Intervals are 95 % percentile bootstraps of the mean over seeds (4000 resamples), widened "
    "around the mean by sqrt(n/(n-1)) t(n-1)/z: with a handful of seeds the plain percentile "
    "interval cannot leave their range and is far too narrow "
    "(Hesterberg 2015, section 4.3). One seed gives no interval, and no verdict."
)


LEAST_RESAMPLED = 5
_RESAMPLES = 4000


def seed_interval(values: Values, level: float = 0.95) -> Interval:
    """Interval of the mean over seeds, as `METHOD` says.

    Args:
        values: (n,) one value per seed; NaN values are dropped.
        level: coverage, in (0, 1).
    """
    plain = bootstrap_interval(values, statistic=np.mean, level=level)
    n = plain.count
    if n < 2:
        return plain
    tail = (1 + level) / 2
    widen = math.sqrt(n / (n - 1)) * float(stats.t.ppf(tail, n - 1) / stats.norm.ppf(tail))
    low = plain.estimate - widen * (plain.estimate - plain.low)
    high = plain.estimate + widen * (plain.high - plain.estimate)
    return Interval(plain.estimate, low, high, n)


def resampled_interval(
    statistic: Callable[[np.ndarray], float], count: int, level: float = 0.95
) -> Interval:
    """Interval of a statistic that is no mean over seeds, and may be infinite.

    Seeds are resampled whole; percentiles are expanded to allow for their small number (Hesterberg
    2015, section 4.3). Fewer than `LEAST_RESAMPLED` seeds give no bounds: the expanded percentiles
    would lie beyond the resamples.

    Args:
        statistic: of the (count,) indices of seeds, repeats among them.
        count: of seeds.
        level: coverage, in (0, 1).
    """
    estimate = statistic(np.arange(count))
    if count < LEAST_RESAMPLED:
        return Interval(estimate, math.nan, math.nan, count)
    picks = np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))
    values = np.array([statistic(picked) for picked in picks])
    quantile = math.sqrt(count / (count - 1)) * float(stats.t.ppf((1 + level) / 2, count - 1))
    tail = float(stats.norm.cdf(-quantile))
    # Not interpolated: between a number and an infinity lies nothing.
    low, high = np.quantile(values, [tail, 1 - tail], method="nearest")
    return Interval(estimate, float(low), float(high), count)


def contrast(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Score of `first` minus that of `second`, paired by seed and node count.

    Args:
        first: columns seed, nodes, score; one row per point.
        second: likewise.

    Returns:
        Index seed, one column per node count that both hold; NaN where a seed lacks one of them.
    """
    tables = [t.pivot_table(index="seed", columns="nodes", values="score") for t in (first, second)]
    difference = tables[0] - tables[1]
    return difference.dropna(axis="columns", how="all").dropna(axis="index", how="all")


def mean_over_nodes(difference: pd.DataFrame) -> pd.Series:
    """Mean over the node counts for every seed that has all of them, by seed."""
    return difference.dropna().mean(axis="columns").dropna()


def contrast_table(difference: pd.DataFrame) -> pd.DataFrame:
    """Per node count: nodes, difference with low and high, seeds."""
    rows = []
    for nodes in difference.columns:
        interval = seed_interval(difference[nodes].to_numpy(dtype=float))
        rows.append(
            {
                "nodes": int(nodes),
                "difference": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "seeds": interval.count,
            }
        )
    return pd.DataFrame(rows, columns=["nodes", "difference", "low", "high", "seeds"])
