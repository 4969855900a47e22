"""The critical batch size, fitted to runs of which some may have missed the target. Pure.

Source of the curve: McCandlish et al. 2018, "An Empirical Model of Large-Batch Training"
(arXiv:1812.06162), equation 2.11: (S/S_min - 1) (E/E_min - 1) = 1 for S optimizer steps and
E = S * B examples to one target, with the critical batch size B_crit = E_min / S_min.

A run that ended before the target says that it needs more steps than it had: a right-censored
observation. Leaving such runs out would make large batches look cheap (Tobin 1958). A run at the
target by its first evaluation needs at most the steps it had then: a left-censored one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.models.step_likelihood import Observed


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
    at_most: np.ndarray | None = None,
    *,
    level: float = 0.95,
) -> CriticalBatch:
    """Fit S_min and E_min by maximum likelihood, log(steps) scattering normally around the curve.

    Where the steps of every run are known that is least squares.

    Args:
        batch_size: (n,) FOVs per optimizer step.
        steps: (n,) optimizer steps to the target; NaN where they are not known.
        at_least: (n,) steps at which such a run had not reached the target; without it these runs
            are left out.
        at_most: (n,) steps by which such a run had reached it; NaN or without it: never.
        level: coverage of the interval of B_crit (first-order, symmetric in its logarithm).

    Raises:
        ValueError: fewer than two different batch sizes reached the target.
    """
    known = _observed(batch_size, steps, at_least, at_most)
    reached = np.concatenate([known.batch, known.bounded[np.isfinite(known.by)]])
    if np.unique(reached).size < 2:
        raise ValueError("at least two batch sizes must reach the target")
    log_steps, log_fovs, scatter = known.most_likely()
    min_steps, min_fovs = float(np.exp(log_steps)), float(np.exp(log_fovs))
    covariance = known.covariance(log_steps, log_fovs, scatter)
    # Of log(E_min / S_min).
    contrast = np.array([-1.0 / min_steps, 1.0 / min_fovs])
    freedom = known.informative - 2
    quantile = stats.t.ppf((1 + level) / 2, freedom) if freedom > 0 else np.nan
    half = quantile * np.sqrt(contrast @ covariance @ contrast)
    log_critical = log_fovs - log_steps
    # Where one bound of the hyperbola is not seen in the data the other end of the interval is inf.
    with np.errstate(over="ignore"):
        low, high = np.exp(log_critical - half), np.exp(log_critical + half)
    used = np.concatenate([known.batch, known.bounded])
    return CriticalBatch(
        min_steps=min_steps,
        min_fovs=min_fovs,
        batch_size=float(np.exp(log_critical)),
        low=float(low),
        high=float(high),
        residual=scatter,
        count=known.informative,
        missed=int(np.isinf(known.by).sum()),
        smallest=float(used.min()),
        largest=float(used.max()),
        covariance=covariance,
    )


def _observed(
    batch_size: np.ndarray,
    steps: np.ndarray,
    at_least: np.ndarray | None,
    at_most: np.ndarray | None,
) -> Observed:
    """Runs sorted into those whose steps are known and those bounded; others are left out."""
    batch = np.asarray(batch_size, dtype=float)
    needed = np.asarray(steps, dtype=float)
    unknown = np.full(batch.shape, np.nan)
    after = unknown if at_least is None else np.asarray(at_least, dtype=float)
    by = unknown if at_most is None else np.asarray(at_most, dtype=float)
    by = np.where(np.isnan(by), np.inf, by)
    reached = np.isfinite(batch) & np.isfinite(needed) & (needed > 0)
    # Between 0 and infinity lies every run: that says nothing.
    says = (after > 0) | np.isfinite(by)
    bounded = np.isfinite(batch) & np.isnan(needed) & np.isfinite(after) & says
    return Observed(batch[reached], needed[reached], batch[bounded], after[bounded], by[bounded])


def fit_runs(runs: pd.DataFrame) -> CriticalBatch | None:
    """The fit to runs of one target; None with fewer than three batch sizes, or two that reach it.

    Args:
        runs: columns global_batch_size, optimizer_step (to the target, NaN where it was missed)
            and steps_done (of the whole run); where it has after_steps and by_steps, a run at the
            target by its first evaluation (after_steps 0) counts as needing at most by_steps.
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
    batch, steps, done = (
        runs[c].to_numpy(dtype=float) for c in ("global_batch_size", "optimizer_step", "steps_done")
    )
    if "after_steps" not in runs:
        return fit_critical_batch(batch, steps, done)
    at_once = np.isfinite(steps) & (runs["after_steps"].to_numpy(dtype=float) == 0)
    by = np.where(at_once, runs["by_steps"].to_numpy(dtype=float), np.nan)
    return fit_critical_batch(
        batch, np.where(at_once, np.nan, steps), np.where(at_once, 0.0, done), by
    )
