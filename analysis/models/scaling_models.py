"""Models of how throughput falls short of the ideal as nodes are added. Pure.

Every model is a weak-scaling efficiency E(N) with E(1) = 1, so that the throughput of N nodes is
f1 * N * E(N) with f1 the throughput of one. Its parameters are dimensionless and >= 0; zero means
ideal scaling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import integrate, optimize, stats
from scipy.stats import norm

Efficiency = Callable[..., np.ndarray]


@dataclass(frozen=True)
class ScalingModel:
    """One efficiency model.

    Attributes:
        name: short, for legends and tables.
        parameters: names of the shape parameters, in the order `efficiency` takes them.
        upper: upper bound of each parameter (lower bounds are 0).
        efficiency: (nodes float (n,), *parameters) -> E (n,).
        source: where the formula comes from.
    """

    name: str
    parameters: tuple[str, ...]
    upper: tuple[float, ...]
    efficiency: Efficiency
    source: str


def amdahl(nodes: np.ndarray, serial: float) -> np.ndarray:
    """Speed-up 1 / (s + (1-s)/N) over N: E = 1 / (1 + s (N-1)). Amdahl 1967."""
    return 1 / (1 + serial * (nodes - 1))


def gustafson(nodes: np.ndarray, serial: float) -> np.ndarray:
    """Scaled speed-up N - s (N-1) over N: E = 1 - s (N-1)/N, leveling at 1-s. Gustafson 1988."""
    return 1 - serial * (nodes - 1) / nodes


def usl(nodes: np.ndarray, contention: float, coherency: float) -> np.ndarray:
    """Universal scalability law: E = 1 / (1 + sigma (N-1) + kappa N (N-1)). Gunther 2007."""
    return 1 / (1 + contention * (nodes - 1) + coherency * nodes * (nodes - 1))


def ring_allreduce(nodes: np.ndarray, latency: float, transfer: float) -> np.ndarray:
    """Step time t (1 + 2 (N-1) a + 2 (N-1)/N b) of a ring allreduce.

    2 (N-1) messages of 1/N of the gradient each: a is the latency of one, b the time to send and
    add the whole gradient, both over the compute time of a step. Patarasuk and Yuan 2009.
    """
    return 1 / (1 + 2 * (nodes - 1) * latency + 2 * (nodes - 1) / nodes * transfer)


def tree_allreduce(nodes: np.ndarray, hop: float) -> np.ndarray:
    """Step time t (1 + 2 log2(N) h) of a reduce and a broadcast along a binomial tree.

    h is latency plus transfer of one hop over the compute time of a step: throughput alone cannot
    tell the two apart. The number of rounds is taken between powers of two without rounding up.
    Thakur, Rabenseifner and Gropp 2005.
    """
    return 1 / (1 + 2 * np.log2(nodes) * hop)


def straggler(nodes: np.ndarray, variation: float) -> np.ndarray:
    """Everyone waits for the slowest of N independent normal step times.

    E = 1 / (1 + c e(N)) with c the coefficient of variation of a node's step time and e(N) the
    expected maximum of N standard normal values (order statistics; David and Nagaraja 2003).
    """
    return 1 / (1 + variation * expected_maximum(nodes))


def expected_maximum(count: np.ndarray | float) -> np.ndarray:
    """Expected maximum of `count` independent standard normal values, by quadrature.

    Exact to about 1e-9 for counts from 1 to 1e6 (0, 1/sqrt(pi), 3/(2 sqrt(pi)), ...).
    """
    power = np.atleast_1d(np.asarray(count, dtype=float))[:, None]
    x = np.linspace(-12.0, 12.0, 4801)
    log_cdf = norm.logcdf(x)
    density = power * np.exp((power - 1) * log_cdf + norm.logpdf(x))
    return integrate.trapezoid(x * density, x, axis=1).reshape(np.shape(count))


MODELS = (
    ScalingModel("Amdahl", ("serial",), (1.0,), amdahl, "Amdahl 1967"),
    ScalingModel("Gustafson", ("serial",), (0.999,), gustafson, "Gustafson 1988"),
    ScalingModel("USL", ("contention", "coherency"), (1.0, 1.0), usl, "Gunther 2007"),
    ScalingModel(
        "ring allreduce",
        ("latency", "transfer"),
        (10.0, 10.0),
        ring_allreduce,
        "Patarasuk and Yuan 2009",
    ),
    ScalingModel("tree allreduce", ("hop",), (10.0,), tree_allreduce, "Thakur et al. 2005"),
    ScalingModel("straggler", ("variation",), (10.0,), straggler, "expected maximum of N normals"),
)

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
        takes the model as true: see `analysis.models.model_average` before extrapolating.
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
    """Fit one model; relative errors count alike at every node count.

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
