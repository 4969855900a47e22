"""Confidence intervals for a handful of repeated measurements. Pure; NaN where unknowable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

Values = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence bounds, in the unit of the values.

    `low` and `high` are NaN when `count` values cannot bound the estimate.
    """

    estimate: float
    low: float
    high: float
    count: int


def mean_interval(values: Values, level: float = 0.95) -> Interval:
    """Student-t interval of the mean: mean ± t((1+level)/2, n-1) * s / sqrt(n).

    NaN values are dropped. One value gives no bounds, none gives NaN throughout.
    """
    kept = _finite(values)
    if kept.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(kept.mean())
    if kept.size == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = stats.t.ppf((1 + level) / 2, kept.size - 1) * kept.std(ddof=1) / math.sqrt(kept.size)
    return Interval(mean, mean - float(half), mean + float(half), kept.size)


def bootstrap_interval(
    values: Values,
    statistic: Callable[..., np.ndarray] = np.median,
    level: float = 0.95,
    resamples: int = 4000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval (Efron 1979) of a statistic, the median by default.

    Args:
        values: (n,) repeats; NaN values are dropped.
        statistic: called as `statistic(samples, axis=-1)` on (resamples, n) values.
        level: coverage, in (0, 1).
        resamples: number of resamples with replacement.
        seed: of the resampling; the same seed gives the same interval.
    """
    kept = _finite(values)
    if kept.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    estimate = float(statistic(kept, axis=-1))
    if kept.size == 1:
        return Interval(estimate, math.nan, math.nan, 1)
    picks = np.random.default_rng(seed).integers(kept.size, size=(resamples, kept.size))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(statistic(kept[picks], axis=-1), [tail, 100 - tail])
    return Interval(estimate, float(low), float(high), kept.size)


def ratio_interval(numerator: Values, denominator: Values, level: float = 0.95) -> Interval:
    """Interval of mean(numerator) / mean(denominator), two independent sets of repeats.

    First-order error propagation with Welch-Satterthwaite degrees of freedom. `count` is the
    smaller number of repeats; with one repeat on either side there are no bounds.
    """
    top, bottom = _finite(numerator), _finite(denominator)
    count = min(top.size, bottom.size)
    if count == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    ratio = float(top.mean() / bottom.mean())
    if count == 1:
        return Interval(ratio, math.nan, math.nan, 1)
    parts = [v.var(ddof=1) / v.size / v.mean() ** 2 for v in (top, bottom)]
    if sum(parts) == 0:
        return Interval(ratio, ratio, ratio, count)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (top.size - 1) + parts[1] ** 2 / (bottom.size - 1))
    half = float(ratio * stats.t.ppf((1 + level) / 2, freedom) * math.sqrt(sum(parts)))
    return Interval(ratio, ratio - half, ratio + half, count)


def _finite(values: Values) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]
