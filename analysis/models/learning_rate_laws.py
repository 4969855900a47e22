"""Laws of the best learning rate against the number of nodes, and best rates to fit them to. Pure.

A law is rate(n) = b * gain(n) with gain(1) = 1 and b the best rate of one node. Its shape, where it
has one, is a single number. `analysis.models.learning_rate_law_fits` fits it to `Observations`:
best rates (`RatePoints`, least squares on their logarithm) or the scores of the runs of a scan
(`analysis.models.rate_scans.RateScans`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

_LEAST_VARIANCE = 1e-12
_SHAPES = 41


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        name: short, for legends and tables.
        shape: name of its shape parameter; empty where it has none.
        bounds: the values of the parameter looked through.
        logarithmic: whether the parameter is positive and looked through in its logarithm.
        gain: (nodes (n,) float, shape) -> rate over that of one node (n,).
        source: where the formula comes from.
    """

    name: str
    shape: str
    bounds: tuple[float, float]
    logarithmic: bool
    gain: Callable[[np.ndarray, float], np.ndarray]
    source: str

    @property
    def parameters(self) -> int:
        """The rate of one node, and the shape."""
        return 2 if self.shape else 1

    def shapes(self) -> np.ndarray:
        """Values of the shape to look through, evenly spaced; one where there is no shape."""
        if not self.shape:
            return np.array([1.0])
        return (np.geomspace if self.logarithmic else np.linspace)(*self.bounds, _SHAPES)


def power(nodes: np.ndarray, exponent: float) -> np.ndarray:
    """Gain n^p; p = 1 is linear, p = 0.5 the square root."""
    return nodes**exponent


def saturating(nodes: np.ndarray, noise_scale: float) -> np.ndarray:
    """Gain n (B + 1) / (n + B): linear for n << B, constant for n >> B.

    The gain ratio of AdaScale SGD (Johnson et al. 2020, arXiv:2007.05105), with B the ratio of the
    gradient's variance at one node to its squared mean: the noise scale in batches of one node.
    """
    return nodes * (noise_scale + 1) / (nodes + noise_scale)


def rise_and_fall(nodes: np.ndarray, noise_scale: float) -> np.ndarray:
    """Gain 2 / (sqrt(B / n) + sqrt(n / B)) over its value at n = 1.

    That is sqrt(n) (B + 1) / (n + B): the square root for n << B, a peak at n = B, and a fall
    beyond. Of Adam, with B the noise scale in batches of one node: Li et al. 2024,
    arXiv:2405.14578.
    """
    return np.sqrt(nodes) * (noise_scale + 1) / (nodes + noise_scale)


_SCALES = (1e-2, 1e6)
LINEAR = Law("linear", "", (1, 1), False, lambda n, _: n, "Goyal et al. 2017")
SQUARE_ROOT = Law("square root", "", (1, 1), False, lambda n, _: np.sqrt(n), "Krizhevsky 2014")
POWER = Law("power", "exponent", (-3.0, 4.0), False, power, "")
SATURATING = Law("saturating", "noise scale", _SCALES, True, saturating, "Johnson et al. 2020")
RISE_AND_FALL = Law("rise and fall", "noise scale", _SCALES, True, rise_and_fall, "Li et al. 2024")
LAWS = (LINEAR, SQUARE_ROOT, POWER, SATURATING, RISE_AND_FALL)


class Observations(Protocol):
    """What a law is fitted to, at (n,) node counts."""

    @property
    def nodes(self) -> np.ndarray:
        """(n,) node counts, > 0."""

    @property
    def count(self) -> int:
        """Observations whose errors are independent."""

    @property
    def nuisance(self) -> int:
        """Parameters of the observations themselves, besides those of a law."""

    def log_best(self) -> np.ndarray:
        """(n,) log(best rate); NaN where only a bound or nothing is known."""

    def span(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) bounds of log(rate) between which the observations lie."""

    def keep(self, chosen: np.ndarray) -> Observations:
        """Those where `chosen` (n,) is true."""

    def misfit(self, log_rates: np.ndarray) -> np.ndarray:
        """-2 log likelihood, less a constant, of best rates (..., n); the noise at its best."""


@dataclass(frozen=True)
class RatePoints:
    """Best rates with equal normal errors of their logarithm; of some only a bound is known.

    Bounds enter the likelihood by the probability of what was seen (Tobin 1958). Without any the
    fit is least squares.

    Attributes:
        nodes: (n,) node counts; repeats at one count are separate points.
        log_low, log_high: (n,) log(rate), equal where the best rate is known; -inf or inf where
            it is at most or at least the other.
    """

    nodes: np.ndarray
    log_low: np.ndarray
    log_high: np.ndarray

    @property
    def count(self) -> int:
        """Points, censored ones included."""
        return int(self.nodes.size)

    @property
    def nuisance(self) -> int:
        """None: a point has no parameters of its own."""
        return 0

    def log_best(self) -> np.ndarray:
        """(n,) log(best rate); NaN where it is censored."""
        return np.where(self._known, self.log_low, np.nan)

    def span(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) the finite bounds."""
        low = np.where(np.isfinite(self.log_low), self.log_low, self.log_high)
        return low, np.where(np.isfinite(self.log_high), self.log_high, self.log_low)

    def keep(self, chosen: np.ndarray) -> RatePoints:
        """The points where `chosen` (n,) is true."""
        return RatePoints(self.nodes[chosen], self.log_low[chosen], self.log_high[chosen])

    def misfit(self, log_rates: np.ndarray) -> np.ndarray:
        """-2 log likelihood, less a constant, of best rates (..., n); the noise at its best."""
        known = self._known
        squares = np.sum((log_rates[..., known] - self.log_low[known]) ** 2, axis=-1)
        if known.all():
            return self.count * np.log(np.maximum(squares / self.count, _LEAST_VARIANCE))
        # The likeliest scatter, per law value: a coarse search and then a fine one around it.
        scatter = np.ones(squares.shape)
        for factors in (np.geomspace(0.01, 10.0, 10), np.geomspace(0.5, 2.0, 9)):
            tried = scatter * factors[(slice(None),) + (None,) * squares.ndim]
            value = 2 * known.sum() * np.log(tried) + squares / tried**2
            value = value - 2 * self._log_chance(log_rates[..., ~known], tried)
            at = np.argmin(value, axis=0)[None]
            scatter = np.take_along_axis(tried, at, axis=0)[0]
        return np.take_along_axis(value, at, axis=0)[0]

    @property
    def _known(self) -> np.ndarray:
        return self.log_low == self.log_high

    def _log_chance(self, log_rates: np.ndarray, scatter: np.ndarray) -> np.ndarray:
        """Log probability of the bounds, summed over the censored points: the shape of scatter."""
        low, high = self.log_low[~self._known], self.log_high[~self._known]
        within = np.where(np.isinf(high), log_rates - low, high - log_rates)
        return np.sum(special.log_ndtr(within / scatter[..., None]), axis=-1)


def rate_points(
    nodes: np.ndarray,
    rates: np.ndarray,
    at_lowest: np.ndarray | None = None,
    at_highest: np.ndarray | None = None,
) -> RatePoints:
    """Best rates as observations.

    Args:
        nodes: (n,) node counts, > 0.
        rates: (n,) best rates, > 0.
        at_lowest: (n,) true where the best was the lowest rate tried and so is an upper bound.
        at_highest: (n,) true where it was the highest and so is a lower bound.

    Raises:
        ValueError: a node count or rate that has no logarithm.
    """
    counts, values = np.asarray(nodes, dtype=float), np.asarray(rates, dtype=float)
    for name, numbers in (("node counts", counts), ("learning rates", values)):
        wrong = numbers[~(np.isfinite(numbers) & (numbers > 0))]
        if wrong.size:
            raise ValueError(f"{name} must be positive, not {wrong[0]:g}")
    low, high = np.log(values), np.log(values)
    if at_lowest is not None:
        low = np.where(at_lowest, -np.inf, low)
    if at_highest is not None:
        high = np.where(at_highest, np.inf, high)
    either_way = np.isinf(low) & np.isinf(high)
    return RatePoints(counts[~either_way], low[~either_way], high[~either_way])
