"""The critical batch size, fitted to runs of which some may have missed the target. Pure.

Source of the curve: McCandlish et al. 2018, "An Empirical Model of Large-Batch Training"
(arXiv:1812.06162), equation 2.11: (S/S_min - 1) (E/E_min - 1) = 1 for S optimizer steps and
E = S * B examples to one target, with the critical batch size B_crit = E_min / S_min.

A run that ended before the target says that it needs more steps than it had: a right-censored
observation. Leaving such runs out would make large batches look cheap (Tobin 1958).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

_LEAST_SCATTER = 1e-6
"""Smallest standard deviation of log(steps): exact data have none, and the likelihood no bound."""


@dataclass(frozen=True)
class CriticalBatch:
    """Fit of the steps-against-examples hyperbola to one target.

    Attributes:
        min_steps: S_min, optimizer steps an unlimited batch would need.
        min_fovs: E_min, FOVs an unlimited number of steps would need.
        batch_size: B_crit = E_min / S_min, in FOVs per optimizer step.
        low, high: confidence bounds of `batch_size`; NaN unless three runs reached the target.
        residual: standard deviation of log(steps) around the fit, of most likelihood.
        count: runs that reached the target.
        missed: runs that did not, and count as needing more steps than they had.
        smallest, largest: batch sizes of all these runs, in FOVs.
        covariance: (2, 2) of S_min and E_min; NaN unless three runs reached it.
    """

    min_steps: float
    min_fovs: float
    batch_size: float
    low: float
    high: float
    residual: float
    count: int
    missed: int
    smallest: float
    largest: float
    covariance: np.ndarray

    @property
    def unseen(self) -> bool:
        """Whether the critical batch size lies far above all batch sizes tried."""
        return self.batch_size > 10 * self.largest

    def steps(self, batch_size: np.ndarray | float) -> np.ndarray:
        """Steps to the target at a batch size in FOVs: S_min * (1 + B_crit / B)."""
        return self.min_steps * (1 + self.batch_size / np.asarray(batch_size, dtype=float))

    def fovs(self, batch_size: np.ndarray | float) -> np.ndarray:
        """FOVs to the target at a batch size in FOVs: E_min * (1 + B / B_crit)."""
        return self.min_fovs * (1 + np.asarray(batch_size, dtype=float) / self.batch_size)

    def half_width(self, batch_size: np.ndarray | float, level: float = 0.95) -> np.ndarray:
        """Half the interval of log(steps), and so of log(FOVs), of one new run at a batch size.

        First-order: the curve's own uncertainty and the scatter of runs around it. Where the data
        do not show S_min the curve's part, relative h, can be large: it enters as log(1 + h), so
        that the upper bound is the additive one. NaN with fewer than three runs.
        """
        batch = np.asarray(batch_size, dtype=float)
        freedom = self.count - 2
        if freedom < 1:
            return np.full(batch.shape, np.nan)
        slopes = np.stack([np.ones_like(batch), 1 / batch], axis=-1) / self.steps(batch)[..., None]
        variance = np.einsum("...p,pq,...q->...", slopes, self.covariance, slopes)
        quantile = stats.t.ppf((1 + level) / 2, freedom)
        scatter = quantile * self.residual * np.sqrt(self.count / freedom)
        return np.hypot(np.log1p(quantile * np.sqrt(variance)), scatter)

    def nodes(self, local_batch_size: float) -> float:
        """Node count whose global batch is critical.

        Up to there twice the nodes save nearly half the steps; at it a run needs twice S_min
        steps and twice E_min FOVs; beyond it more nodes mostly cost data.
        """
        return self.batch_size / local_batch_size


def fit_critical_batch(
    batch_size: np.ndarray,
    steps: np.ndarray,
    at_least: np.ndarray | None = None,
    *,
    level: float = 0.95,
) -> CriticalBatch:
    """Fits S_min and E_min by maximum likelihood, log(steps) scattering normally around the curve.

    Where every run reached the target that is least squares.

    Args:
        batch_size: (n,) FOVs per optimizer step.
        steps: (n,) optimizer steps to the target; NaN where it was not reached.
        at_least: (n,) steps that each run had, of which those matter that missed the target;
            without it they are left out.
        level: coverage of the interval of B_crit (first-order, symmetric in its logarithm).

    Raises:
        ValueError: fewer than two different batch sizes reached the target.
    """
    batch = np.asarray(batch_size, dtype=float)
    needed = np.asarray(steps, dtype=float)
    had = np.full(batch.shape, np.nan) if at_least is None else np.asarray(at_least, dtype=float)
    reached = np.isfinite(batch) & np.isfinite(needed) & (needed > 0)
    censored = np.isfinite(batch) & np.isnan(needed) & np.isfinite(had) & (had > 0)
    if np.unique(batch[reached]).size < 2:
        raise ValueError("at least two batch sizes must reach the target")
    known = _Observed(batch[reached], needed[reached], batch[censored], had[censored])
    log_steps, log_fovs, scatter = known.most_likely()
    min_steps, min_fovs = float(np.exp(log_steps)), float(np.exp(log_fovs))
    covariance = known.covariance(log_steps, log_fovs, scatter)
    # Of log(E_min / S_min).
    contrast = np.array([-1.0 / min_steps, 1.0 / min_fovs])
    freedom = known.needed.size - 2
    quantile = stats.t.ppf((1 + level) / 2, freedom) if freedom > 0 else np.nan
    half = quantile * np.sqrt(contrast @ covariance @ contrast)
    log_critical = log_fovs - log_steps
    # Where one bound of the hyperbola is not seen in the data the other end of the interval is inf.
    with np.errstate(over="ignore"):
        low, high = np.exp(log_critical - half), np.exp(log_critical + half)
    used = batch[reached | censored]
    return CriticalBatch(
        min_steps=min_steps,
        min_fovs=min_fovs,
        batch_size=float(np.exp(log_critical)),
        low=float(low),
        high=float(high),
        residual=scatter,
        count=int(known.needed.size),
        missed=int(known.had.size),
        smallest=float(used.min()),
        largest=float(used.max()),
        covariance=covariance,
    )


def fit_runs(runs: pd.DataFrame) -> CriticalBatch | None:
    """The fit to runs of one target; None with fewer than three batch sizes, or two that reach it.

    Args:
        runs: columns global_batch_size, optimizer_step (to the target, NaN where it was missed)
            and steps_done (of the whole run).
    """
    reaching = runs.loc[runs["optimizer_step"].notna(), "global_batch_size"].nunique()
    if runs["global_batch_size"].nunique() < 3 or reaching < 2:
        return None
    return fit_every_run(runs)


def fit_every_run(runs: pd.DataFrame) -> CriticalBatch:
    """The fit to runs of one target, as a table with the columns that `fit_runs` names.

    Raises:
        ValueError: fewer than two different batch sizes reached the target.
    """
    columns = ("global_batch_size", "optimizer_step", "steps_done")
    return fit_critical_batch(*(runs[c].to_numpy(dtype=float) for c in columns))


@dataclass(frozen=True)
class _Observed:
    """Runs that reached the target (`batch`, `needed` steps) and that did not (`missed`, `had`)."""

    batch: np.ndarray
    needed: np.ndarray
    missed: np.ndarray
    had: np.ndarray

    def most_likely(self) -> tuple[float, float, float]:
        """log(S_min), log(E_min), and the standard deviation of log(steps)."""
        start = np.log([self.needed.min() / 2, (self.needed * self.batch).min() / 2])
        squares = optimize.least_squares(self._residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
        scatter = float(np.sqrt(np.mean(squares.fun**2)))
        if not self.had.size:
            return float(squares.x[0]), float(squares.x[1]), scatter
        bounds = [(-30.0, 60.0), (-30.0, 60.0), (np.log(_LEAST_SCATTER), 10.0)]
        fits = [
            optimize.minimize(self._surprise, x, jac=True, method="L-BFGS-B", bounds=bounds)
            for x in self._starts(squares.x)
        ]
        best = min(fits, key=lambda fit: fit.fun).x
        return float(best[0]), float(best[1]), float(np.exp(best[2]))

    def covariance(self, log_steps: float, log_fovs: float, scatter: float) -> np.ndarray:
        """(2, 2) of S_min and E_min, from the curvature of the fit; NaN without freedom.

        Not of their logarithms: in those, data without a sign of S_min would seem to fix it at 0.
        """
        freedom = self.needed.size - 2
        if freedom < 1:
            return np.full((2, 2), np.nan)
        batch = np.concatenate([self.batch, self.missed])
        slopes = np.stack([np.ones_like(batch), 1 / batch], axis=1)
        slopes /= (np.exp(log_steps) + np.exp(log_fovs) / batch)[:, None]
        short = (_curve(self.missed, log_steps, log_fovs) - np.log(self.had)) / scatter
        hazard = _hazard(short)
        weight = np.concatenate([np.ones(self.needed.size), hazard * (hazard + short)])
        information = slopes.T @ (weight[:, None] * slopes)
        return np.linalg.pinv(information) * (scatter**2 * self.needed.size / freedom)

    def _starts(self, squares: np.ndarray) -> list[np.ndarray]:
        """Where to look from: least squares, and the likeliest of a grid.

        The likelihood has a second, poorer maximum, at which no run's steps depend on its batch.
        """
        steps = np.concatenate([self.needed, self.had])
        fovs = self.needed * self.batch
        grid = itertools.product(
            np.log(np.geomspace(steps.min() / 10, steps.max(), 8)),
            np.log(np.geomspace(fovs.min() / 4, fovs.max(), 5)),
            np.log([0.1, 0.4]),
        )
        likely = sorted((np.array(x) for x in grid), key=lambda x: self._surprise(x)[0])
        return [np.append(squares, np.log(0.15)), *likely[:3]]

    def _residuals(self, logs: np.ndarray) -> np.ndarray:
        return _curve(self.batch, logs[0], logs[1]) - np.log(self.needed)

    def _surprise(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log-likelihood of log(S_min), log(E_min), log(scatter), and its gradient."""
        scatter = np.exp(x[2])
        apart = self._residuals(x[:2]) / scatter
        short = (_curve(self.missed, x[0], x[1]) - np.log(self.had)) / scatter
        hazard = _hazard(short)
        value = apart.size * x[2] + 0.5 * apart @ apart - special.log_ndtr(short).sum()
        by_curve = np.concatenate([apart, -hazard]) / scatter
        batch = np.concatenate([self.batch, self.missed])
        share = np.exp(x[0] - _curve(batch, x[0], x[1]))  # of S_min in the steps
        by_scatter = apart.size - apart @ apart + hazard @ short
        return float(value), np.array([by_curve @ share, by_curve @ (1 - share), by_scatter])


def _curve(batch: np.ndarray, log_steps: float, log_fovs: float) -> np.ndarray:
    """log(S_min + E_min / B)."""
    return np.logaddexp(log_steps, log_fovs - np.log(batch))


def _hazard(short: np.ndarray) -> np.ndarray:
    """phi(x) / Phi(x), also far below zero."""
    return np.exp(-0.5 * short**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(short))
