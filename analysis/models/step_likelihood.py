"""How likely the steps of runs are under a steps-against-batch hyperbola, known or bounded. Pure.

log(steps) scatters normally around log(S_min + E_min / B). A run whose steps are known counts with
the density there; one known to lie between two bounds with the probability between them
(interval-censored; above the last evaluation is right-, below the first left-censored).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

_LEAST_SCATTER = 1e-6
"""Smallest standard deviation of log(steps): exact data have none, and the likelihood no bound."""


@dataclass(frozen=True)
class Observed:
    """Runs of one target.

    Attributes:
        batch: (n,) FOVs per step of the runs whose steps are known.
        needed: (n,) those steps.
        bounded: (m,) FOVs per step of the runs that are only bounded.
        after, by: (m,) their steps lie above `after` (>= 0) and at most at `by` (inf: unknown).
    """

    batch: np.ndarray
    needed: np.ndarray
    bounded: np.ndarray
    after: np.ndarray
    by: np.ndarray

    @property
    def informative(self) -> int:
        """Runs that reached the target."""
        return self.needed.size + int(np.isfinite(self.by).sum())

    def most_likely(self) -> tuple[float, float, float]:
        """log(S_min), log(E_min), and the standard deviation of log(steps)."""
        squares = self._least_squares()
        if not self.bounded.size:
            return squares
        start = np.array([*squares[:2], np.log(0.15)])
        bounds = [(-30.0, 60.0), (-30.0, 60.0), (np.log(_LEAST_SCATTER), 10.0)]
        fits = [
            optimize.minimize(self.surprise, x, jac=True, method="L-BFGS-B", bounds=bounds)
            for x in (start, *self._likely_starts())
        ]
        best = min(fits, key=lambda fit: fit.fun).x
        return float(best[0]), float(best[1]), float(np.exp(best[2]))

    def covariance(self, log_steps: float, log_fovs: float, scatter: float) -> np.ndarray:
        """(2, 2) of S_min and E_min, from the curvature of the fit; NaN without freedom.

        Not of their logarithms: in those, data without a sign of S_min would seem to fix it at 0.
        """
        freedom = self.informative - 2
        if freedom < 1:
            return np.full((2, 2), np.nan)
        batch = np.concatenate([self.batch, self.bounded])
        slopes = np.stack([np.ones_like(batch), 1 / batch], axis=1)
        slopes /= (np.exp(log_steps) + np.exp(log_fovs) / batch)[:, None]
        low, high = self._ends(log_steps, log_fovs, scatter)
        at_low, at_high = _shares(low, high)
        pull = at_high - at_low
        curvature = _times(high, at_high) - _times(low, at_low) + pull**2
        weight = np.concatenate([np.ones(self.needed.size), curvature])
        information = slopes.T @ (weight[:, None] * slopes)
        return np.linalg.pinv(information) * (scatter**2 * self.informative / freedom)

    def surprise(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log-likelihood of log(S_min), log(E_min), log(scatter), and its gradient."""
        scatter = np.exp(x[2])
        apart = (curve(self.batch, x[0], x[1]) - np.log(self.needed)) / scatter
        low, high = self._ends(x[0], x[1], scatter)
        at_low, at_high = _shares(low, high)
        value = apart.size * x[2] + 0.5 * apart @ apart - _log_between(low, high).sum()
        by_curve = np.concatenate([apart, at_high - at_low]) / scatter
        batch = np.concatenate([self.batch, self.bounded])
        share = np.exp(x[0] - curve(batch, x[0], x[1]))  # of S_min in the steps
        by_scatter = (
            apart.size - apart @ apart + (_times(high, at_high) - _times(low, at_low)).sum()
        )
        return float(value), np.array([by_curve @ share, by_curve @ (1 - share), by_scatter])

    def _middle(self) -> tuple[np.ndarray, np.ndarray]:
        """Batch and steps of all runs that reached the target, bounded ones at their middle."""
        reached = np.isfinite(self.by)
        middle = (self.after[reached] + self.by[reached]) / 2
        return (
            np.concatenate([self.batch, self.bounded[reached]]),
            np.concatenate([self.needed, middle]),
        )

    def _least_squares(self) -> tuple[float, float, float]:
        batch, steps = self._middle()
        start = np.log([steps.min() / 2, (steps * batch).min() / 2])
        fit = optimize.least_squares(
            lambda logs: curve(batch, logs[0], logs[1]) - np.log(steps),
            start,
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        return float(fit.x[0]), float(fit.x[1]), float(np.sqrt(np.mean(fit.fun**2)))

    def _likely_starts(self) -> list[np.ndarray]:
        """The likeliest of a grid.

        The likelihood has a second, poorer maximum, at which no run's steps depend on its batch.
        """
        batch, reached = self._middle()
        steps = np.concatenate([reached, self.after[~np.isfinite(self.by)]])
        fovs = reached * batch
        grid = itertools.product(
            np.log(np.geomspace(steps.min() / 10, steps.max(), 8)),
            np.log(np.geomspace(fovs.min() / 4, fovs.max(), 5)),
            np.log([0.1, 0.4]),
        )
        return sorted((np.array(x) for x in grid), key=lambda x: self.surprise(x)[0])[:3]

    def _ends(
        self, log_steps: float, log_fovs: float, scatter: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both bounds of the bounded runs, in standard deviations from the curve."""
        expected = curve(self.bounded, log_steps, log_fovs)
        with np.errstate(divide="ignore"):
            ends = np.log(self.after), np.log(self.by)
        return (ends[0] - expected) / scatter, (ends[1] - expected) / scatter


def curve(batch: np.ndarray, log_steps: float, log_fovs: float) -> np.ndarray:
    """log(S_min + E_min / B)."""
    return np.logaddexp(log_steps, log_fovs - np.log(batch))


def _log_between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """log(Phi(high) - Phi(low)) for low < high, also far out in either tail."""
    negated = low > 0
    below = np.where(negated, -high, low)
    above = np.where(negated, -low, high)
    larger, smaller = special.log_ndtr(above), special.log_ndtr(below)
    with np.errstate(divide="ignore"):
        return larger + np.log1p(-np.exp(np.minimum(smaller - larger, -1e-15)))


def _shares(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """phi(low) and phi(high) over Phi(high) - Phi(low)."""
    between = _log_between(low, high)
    density = [-0.5 * end**2 - 0.5 * np.log(2 * np.pi) for end in (low, high)]
    return np.exp(density[0] - between), np.exp(density[1] - between)


def _times(end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Their product, 0 at an infinite end, where the density vanishes faster."""
    return np.where(np.isfinite(end), end, 0.0) * share
