"""Confidence intervals for a handful of repeated measurements. Pure.

`Interval` is for figures and tables: NaN, which leaves a gap there, where a bound is unknowable.
`Estimate` is for claims: None with the reason in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

Values = Sequence[float] | np.ndarray

_NO_SPREAD = 1e-12
"""A spread below this share of the values is rounding."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence bounds, in the unit of the values.

    `low` and `high` are NaN when `count` values cannot bound the estimate.
    """

    estimate: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Estimate:
    """A number whose error is Student t distributed: a mean over seeds, or the slope of a fit.

    Attributes:
        value: the estimate; None where there is none.
        error: its standard error; None where the data do not give one.
        freedom: degrees of freedom of `error`.
        count: values it rests on.
        reason: why there is no value or no error; empty where both are known.
    """

    value: float | None
    error: float | None
    freedom: float
    count: int
    reason: str = ""

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        """Both ends of the t interval; None where there is none."""
        if self.value is None or self.error is None:
            return None
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def p_above(self, bound: float) -> float | None:
        """One-sided p-value against "the truth is at most `bound`"; None without an error."""
        if self.value is None or self.error is None:
            return None
        return float(stats.t.sf((self.value - bound) / self.error, self.freedom))

    def p_below(self, bound: float) -> float | None:
        """One-sided p-value against "the truth is at least `bound`"; None without an error."""
        if self.value is None or self.error is None:
            return None
        return float(stats.t.cdf((self.value - bound) / self.error, self.freedom))


def mean_estimate(values: Values, of: str = "seed") -> Estimate:
    """The mean of independent values with its t distributed error. NaN values are dropped.

    Equal values give no error: their spread cannot be estimated, and taking it for 0 would claim
    certainty.

    Args:
        values: (n,) one per seed.
        of: what one value is of, for the reason.
    """
    kept = _finite(values)
    if kept.size == 0:
        return Estimate(None, None, 0, 0, f"no {of}")
    mean = float(kept.mean())
    if kept.size == 1:
        return Estimate(mean, None, 0, 1, f"one {of} shows no spread")
    spread = float(kept.std(ddof=1))
    if spread <= _NO_SPREAD * max(float(np.abs(kept).max()), 1.0):
        reason = f"all {kept.size} values are equal ({mean:.3g}): their spread is unknown"
        return Estimate(mean, None, kept.size - 1, kept.size, reason)
    return Estimate(mean, spread / math.sqrt(kept.size), kept.size - 1, kept.size)


def paired_estimate(first: Values, second: Values, of: str = "seed") -> Estimate:
    """The mean of `first` minus `second`, paired: (n,) each, in the same order of seeds."""
    return mean_estimate(np.subtract(first, second, dtype=float), of)


def log_ratio_estimate(first: Values, second: Values, of: str = "seed") -> Estimate:
    """The mean base-2 logarithm of `first` over `second`, paired by seed; NaN pairs are dropped.

    Rates and costs scatter by factors, so that their ratios are averaged in the logarithm. A value
    that is not above 0 has none, and dropping it would flatter: then there is no estimate.
    """
    top, bottom = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    kept = np.isfinite(top) & np.isfinite(bottom)
    top, bottom = top[kept], bottom[kept]
    low = np.minimum(top, bottom)
    if (low <= 0).any():
        reason = f"a value of {low.min():g} has no ratio"
        return Estimate(None, None, 0, int(kept.sum()), reason)
    return mean_estimate(np.log2(top / bottom), of)


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


def ratio_interval(numerator: Values, denominator: Values, level: float = 0.95) -> Interval:
    """Interval of mean(numerator) / mean(denominator), two independent sets of repeats.

    First-order error propagation with Welch-Satterthwaite degrees of freedom. `count` is the
    smaller number of repeats; with one repeat on either side, or a mean of 0, there are no bounds.
    """
    top, bottom = _finite(numerator), _finite(denominator)
    count = min(top.size, bottom.size)
    if count == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    if bottom.mean() == 0:
        return Interval(math.nan, math.nan, math.nan, count)
    ratio = float(top.mean() / bottom.mean())
    if count == 1 or ratio == 0:
        return Interval(ratio, math.nan, math.nan, count)
    parts = [v.var(ddof=1) / v.size / v.mean() ** 2 for v in (top, bottom)]
    if sum(parts) == 0:
        return Interval(ratio, ratio, ratio, count)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (top.size - 1) + parts[1] ** 2 / (bottom.size - 1))
    half = float(ratio * stats.t.ppf((1 + level) / 2, freedom) * math.sqrt(sum(parts)))
    return Interval(ratio, ratio - half, ratio + half, count)


def _finite(values: Values) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]
