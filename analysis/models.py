"""Models of how throughput falls short of the ideal as nodes are added. Pure.

Every model is a weak-scaling efficiency E(N) with E(1) = 1, so that the throughput of N nodes is
f1 * N * E(N) with f1 the throughput of one. Its parameters are dimensionless and >= 0; zero means
ideal scaling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import integrate
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
    """Scaled speed-up N - s (N-1) over N: E = 1 - s (N-1)/N, levelling at 1-s. Gustafson 1988."""
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
