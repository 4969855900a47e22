"""Fits scaling models to throughput and predicts with uncertainty. Pure.

Every interval is first-order (delta method): the curvature of the least-squares fit, propagated to
the parameter or the prediction, times a t quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.models import ScalingModel

# A parameter is at its lower bound, 0, when it changes no throughput by more than this share.
_NO_EFFECT = 1e-6


@dataclass(frozen=True)
class ModelFit:
    """A scaling model fitted to throughput by least squares on log(FOVs/s).

    Attributes:
        model: what was fitted.
        base_rate: f1, fitted throughput of one node, FOVs/s.
        shape: fitted shape parameters, as in `model.parameters`.
        covariance: (p+1, p+1) of (log f1, *shape); zero rows for parameters held at a bound.
        freedom: degrees of freedom, points - parameters.
        noise: standard deviation of log(FOVs/s) around the fit.
        aicc: Akaike's criterion corrected for few points (Hurvich and Tsai 1989); inf where
            there are too few.
        count: points fitted.
    """

    model: ScalingModel
    base_rate: float
    shape: tuple[float, ...]
    covariance: np.ndarray
    freedom: int
    noise: float
    aicc: float
    count: int

    def throughput(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """FOVs/s of (n,) node counts."""
        counts = np.asarray(nodes, dtype=float)
        return self.base_rate * counts * self.model.efficiency(counts, *self.shape)

    def half_width(
        self, nodes: np.ndarray | Sequence[float], level: float = 0.95, measured: bool = False
    ) -> np.ndarray:
        """(n,) half the interval of log throughput; NaN without degrees of freedom.

        It covers the model's curve; with `measured` also the scatter of one new measurement. It
        takes the model as true: see `analysis.model_choice` before extrapolating.
        """
        slopes = self._slopes(np.asarray(nodes, dtype=float))
        variance = np.einsum("np,pq,nq->n", slopes, self.covariance, slopes)
        variance = variance + (self.noise**2 if measured else 0.0)
        return self._quantile(level) * np.sqrt(variance)

    def predict(
        self, nodes: np.ndarray | Sequence[float], level: float = 0.95, measured: bool = False
    ) -> pd.DataFrame:
        """Throughput with the bounds of `half_width`: nodes, fovs_per_second, low, high."""
        return bounded(nodes, self.throughput(nodes), self.half_width(nodes, level, measured))

    def parameters(self, level: float = 0.95) -> pd.DataFrame:
        """Shape parameters: name, estimate, low (at least 0), high; NaN bounds where held at 0."""
        deviation = np.sqrt(np.diag(self.covariance)[1:])
        half = np.where(deviation > 0, self._quantile(level) * deviation, np.nan)
        shape = np.array(self.shape)
        return pd.DataFrame(
            {
                "name": self.model.parameters,
                "estimate": shape,
                "low": np.maximum(shape - half, 0.0),
                "high": shape + half,
            }
        )

    def _quantile(self, level: float) -> float:
        return float(stats.t.ppf((1 + level) / 2, self.freedom)) if self.freedom > 0 else np.nan

    def _slopes(self, nodes: np.ndarray) -> np.ndarray:
        """(n, p+1) derivatives of log throughput by (log f1, *shape)."""
        columns = [np.ones_like(nodes)]
        for index, value in enumerate(self.shape):
            step = max(abs(value), 1e-6) * 1e-4
            above, below = list(self.shape), list(self.shape)
            above[index], below[index] = value + step, value - step
            ratio = self.model.efficiency(nodes, *above) / self.model.efficiency(nodes, *below)
            columns.append(np.log(ratio) / (2 * step))
        return np.stack(columns, axis=1)


def bounded(
    nodes: np.ndarray | Sequence[float], fovs_per_second: np.ndarray, half_width: np.ndarray
) -> pd.DataFrame:
    """Bounds `half_width` away in the logarithm: nodes, fovs_per_second, low, high."""
    spread = np.exp(half_width)
    return pd.DataFrame(
        {
            "nodes": np.asarray(nodes, dtype=float),
            "fovs_per_second": fovs_per_second,
            "low": fovs_per_second / spread,
            "high": fovs_per_second * spread,
        }
    )


def fit_model(model: ScalingModel, nodes: np.ndarray, fovs_per_second: np.ndarray) -> ModelFit:
    """Fits one model; relative errors count alike at every node count.

    Args:
        model: to fit.
        nodes: (n,) node counts; repeats at one count are separate points.
        fovs_per_second: (n,) measured throughput, > 0.

    Raises:
        ValueError: fewer points than parameters.
    """
    counts = np.asarray(nodes, dtype=float)
    logs = np.log(np.asarray(fovs_per_second, dtype=float))
    parameters = 1 + len(model.parameters)
    if counts.size < parameters:
        raise ValueError(f"{model.name} needs at least {parameters} points, not {counts.size}")

    def residuals(values: np.ndarray) -> np.ndarray:
        return values[0] + np.log(counts * model.efficiency(counts, *values[1:])) - logs

    start = [float(np.mean(logs - np.log(counts)))] + [1e-3] * len(model.parameters)
    bounds = ([-np.inf] + [0.0] * len(model.parameters), [np.inf, *model.upper])
    tolerance = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    fit = optimize.least_squares(residuals, start, bounds=bounds, x_scale="jac", **tolerance)
    freedom = counts.size - parameters
    squares = float(np.sum(fit.fun**2))
    noise = float(np.sqrt(squares / freedom)) if freedom > 0 else np.nan
    return ModelFit(
        model=model,
        base_rate=float(np.exp(fit.x[0])),
        shape=tuple(float(v) for v in fit.x[1:]),
        covariance=_covariance(fit, noise),
        freedom=freedom,
        noise=noise,
        aicc=_aicc(squares, counts.size, parameters + 1),
        count=int(counts.size),
    )


def _covariance(fit: optimize.OptimizeResult, noise: float) -> np.ndarray:
    """Parameters at their lower bound are held: the data say nothing about their sign."""
    size = fit.x.size
    effect = np.abs(fit.jac).max(axis=0) * fit.x
    free = np.concatenate([[True], effect[1:] > _NO_EFFECT])
    jacobian = fit.jac[:, free]
    covariance = np.zeros((size, size))
    covariance[np.ix_(free, free)] = np.linalg.pinv(jacobian.T @ jacobian) * noise**2
    return covariance


def _aicc(squares: float, count: int, parameters: int) -> float:
    """AICc of a least-squares fit; `parameters` counts the noise as one."""
    if count - parameters - 1 <= 0:
        return np.inf
    correction = 2 * parameters * (parameters + 1) / (count - parameters - 1)
    # A perfect fit would give log(0).
    return count * np.log(max(squares / count, 1e-30)) + 2 * parameters + correction
