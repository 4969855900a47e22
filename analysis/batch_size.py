"""What a larger batch costs in data and saves in steps; the critical batch size. Pure.

Source of the fit: McCandlish et al. 2018, "An Empirical Model of Large-Batch Training"
(arXiv:1812.06162), equation 2.11: (S/S_min - 1) (E/E_min - 1) = 1 for S optimizer steps and
E = S * B examples to one target, with the critical batch size B_crit = E_min / S_min.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.intervals import bootstrap_interval

_COSTS = ("fovs", "elapsed_s", "optimizer_step")


def tradeoff_table(reached: pd.DataFrame, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Cost to each target per node count: the median over repeats.

    A repeat that did not reach the target counts as more expensive than any that did, so the
    median is known while more than half of the repeats reach it.

    Args:
        reached: columns nodes, target, fovs, elapsed_s, optimizer_step; one row per run and
            target, NaN where not reached.
        level: coverage of the bootstrap intervals, given where every repeat reached the target.
        seed: of the bootstrap.

    Returns:
        One row per target and nodes: repeats, reached (how many), and for each cost its median
        and `_low`, `_high`.
    """
    rows = []
    for (target, nodes), group in reached.groupby(["target", "nodes"]):
        row: dict[str, object] = {
            "target": target,
            "nodes": nodes,
            "repeats": len(group),
            "reached": int(group["fovs"].notna().sum()),
        }
        for cost in _COSTS:
            values = group[cost].to_numpy(dtype=float)
            median = float(np.median(np.where(np.isnan(values), np.inf, values)))
            row[cost] = median if np.isfinite(median) else np.nan
            complete = not np.isnan(values).any()
            interval = bootstrap_interval(values if complete else [], level=level, seed=seed)
            row[f"{cost}_low"], row[f"{cost}_high"] = interval.low, interval.high
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class CriticalBatch:
    """Fit of the steps-against-examples hyperbola to one target.

    Attributes:
        min_steps: S_min, optimizer steps an unlimited batch would need.
        min_fovs: E_min, FOVs an unlimited number of steps would need.
        batch_size: B_crit = E_min / S_min, in FOVs per optimizer step.
        low, high: confidence bounds of `batch_size`; NaN with fewer than three points.
        residual: rms of log(steps) around the fit.
        count: points fitted.
        smallest, largest: batch sizes fitted, in FOVs.
        covariance: (2, 2) of S_min and E_min; NaN with fewer than three points.
    """

    min_steps: float
    min_fovs: float
    batch_size: float
    low: float
    high: float
    residual: float
    count: int
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
        that the upper bound is the additive one. NaN with fewer than three points.
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
    batch_size: np.ndarray, steps: np.ndarray, level: float = 0.95
) -> CriticalBatch:
    """Fits S_min and E_min by least squares on log(steps).

    Args:
        batch_size: (n,) FOVs per optimizer step, at least two different values.
        steps: (n,) optimizer steps to the target; points that did not reach it (NaN) are dropped.
        level: coverage of the interval of B_crit (first-order, symmetric in its logarithm).

    Raises:
        ValueError: fewer than two different batch sizes reached the target.
    """
    batch = np.asarray(batch_size, dtype=float)
    needed = np.asarray(steps, dtype=float)
    kept = np.isfinite(batch) & np.isfinite(needed) & (needed > 0)
    batch, needed = batch[kept], needed[kept]
    if np.unique(batch).size < 2:
        raise ValueError("at least two batch sizes must reach the target")

    def residuals(logs: np.ndarray) -> np.ndarray:
        return np.logaddexp(logs[0], logs[1] - np.log(batch)) - np.log(needed)

    start = np.log([needed.min() / 2, (needed * batch).min() / 2])
    fit = optimize.least_squares(residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    log_critical = float(fit.x[1] - fit.x[0])
    min_steps, min_fovs = np.exp(fit.x)
    covariance = _covariance(fit, batch)
    # Of log(E_min / S_min).
    contrast = np.array([-1.0 / min_steps, 1.0 / min_fovs])
    freedom = batch.size - 2
    quantile = stats.t.ppf((1 + level) / 2, freedom) if freedom > 0 else np.nan
    half = quantile * np.sqrt(contrast @ covariance @ contrast)
    # Where one bound of the hyperbola is not seen in the data the other end of the interval is inf.
    with np.errstate(over="ignore"):
        low, high = np.exp(log_critical - half), np.exp(log_critical + half)
    return CriticalBatch(
        min_steps=float(min_steps),
        min_fovs=float(min_fovs),
        batch_size=float(np.exp(log_critical)),
        low=float(low),
        high=float(high),
        residual=float(np.sqrt(np.mean(fit.fun**2))),
        count=int(batch.size),
        smallest=float(batch.min()),
        largest=float(batch.max()),
        covariance=covariance,
    )


def _covariance(fit: optimize.OptimizeResult, batch: np.ndarray) -> np.ndarray:
    """Of S_min and E_min, from the curvature of the fit; NaN without degrees of freedom.

    Not of their logarithms: in those, data without a sign of S_min would seem to fix it at 0.
    """
    freedom = fit.fun.size - fit.x.size
    if freedom < 1:
        return np.full((fit.x.size, fit.x.size), np.nan)
    min_steps, min_fovs = np.exp(fit.x)
    slopes = np.stack([np.ones_like(batch), 1 / batch], axis=1)
    slopes /= (min_steps + min_fovs / batch)[:, None]
    return np.linalg.pinv(slopes.T @ slopes) * (2 * fit.cost / freedom)


def complete_batches(reached: pd.DataFrame) -> pd.DataFrame:
    """Rows of the node counts of which every repeat reached the target.

    A node count of which only the luckier seeds reached it would bias a fit towards cheap batches.

    Args:
        reached: rows of one target: nodes, optimizer_step (NaN where not reached), and others.
    """
    every = reached.groupby("nodes")["optimizer_step"].transform(lambda steps: steps.notna().all())
    return reached[every.astype(bool)]
