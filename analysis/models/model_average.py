"""Which scaling model to believe: AICc, held-out error, and an average over models. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.models.scaling_models import MODELS, ModelFit, ScalingModel, bounded, fit_model
from analysis.reference import published

# A prefix of the node counts is forecast from once it has this many.
_FIRST_FORECAST = 4


def compare_models(
    nodes: np.ndarray,
    fovs_per_second: np.ndarray,
    models: Sequence[ScalingModel] = MODELS,
) -> pd.DataFrame:
    """Fit every model and rank them by AICc, with their errors on node counts left out.

    Models with more parameters than there are points are left out.

    Returns:
        Ordered by aicc: model, parameters (text, with 95 % first-order intervals), aicc,
        delta_aicc, weight (Akaike), rms_error (relative, of the fit to all points),
        left_out_nodes, left_out_error (relative error of the throughput of the largest node
        count, predicted from all smaller ones; > 0 is too high), forecast_error (rms of such
        errors over every node count that has four smaller ones).
    """
    counts = np.asarray(nodes, dtype=float)
    rates = np.asarray(fovs_per_second, dtype=float)
    rows = []
    for fit in _fits(counts, rates, models):
        rows.append(
            {
                "model": fit.model.name,
                "parameters": _written(fit),
                "aicc": fit.aicc,
                "rms_error": float(np.sqrt(np.mean((fit.throughput(counts) / rates - 1) ** 2))),
                "left_out_nodes": counts.max(),
                "left_out_error": leave_largest_out(fit.model, counts, rates),
                "forecast_error": _forecast_error(fit.model, counts, rates),
            }
        )
    table = pd.DataFrame(rows)
    # Without points enough for AICc (inf) no model is better than another.
    finite = np.isfinite(table["aicc"])
    best = table["aicc"].min() if finite.any() else 0.0
    table.insert(3, "delta_aicc", (table["aicc"] - best).where(finite))
    table.insert(4, "weight", akaike_weights(table["aicc"].to_numpy()))
    return table.sort_values("aicc", ignore_index=True, kind="stable")


def leave_largest_out(model: ScalingModel, nodes: np.ndarray, fovs_per_second: np.ndarray) -> float:
    """Relative error at the largest node count of a fit to all smaller ones; NaN if too few."""
    rest = nodes < nodes.max()
    if rest.sum() < 1 + len(model.parameters) or np.unique(nodes[rest]).size < 2:
        return float("nan")
    fit = fit_model(model, nodes[rest], fovs_per_second[rest])
    measured = float(np.mean(fovs_per_second[~rest]))
    return float(fit.throughput([nodes.max()])[0] / measured - 1)


def akaike_weights(aicc: np.ndarray) -> np.ndarray:
    """exp(-delta/2), summing to 1 (Burnham and Anderson 2002, section 2.9); NaN if none is finite.

    Args:
        aicc: (n,) of models fitted to the same points; inf gets no weight.
    """
    if not np.isfinite(aicc).any():
        return np.full(aicc.shape, np.nan)
    relative = np.exp(-(aicc - aicc.min()) / 2)
    return relative / relative.sum()


@dataclass(frozen=True)
class ModelAverage:
    """Several fits to the same points, averaged by their Akaike weights.

    The average of log throughput, with an interval that covers the disagreement of the models
    beside the uncertainty of each: Burnham and Anderson 2002, section 4.3, adjusted standard error
    sum_i w_i sqrt(var_i (t_i / z)^2 + (y_i - y)^2).

    Attributes:
        fits: the fits, best first.
        weights: (n,) summing to 1.
    """

    fits: tuple[ModelFit, ...]
    weights: np.ndarray

    def throughput(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """FOVs/s of (n,) node counts."""
        return np.exp(self.weights @ self._logs(nodes))

    def half_width(
        self, nodes: np.ndarray | Sequence[float], level: float = 0.95, measured: bool = False
    ) -> np.ndarray:
        """(n,) half the interval of log throughput, of the curve or of one new measurement."""
        logs = self._logs(nodes)
        own = np.stack([fit.half_width(nodes, level, measured) for fit in self.fits])
        apart = stats.norm.ppf((1 + level) / 2) * (logs - self.weights @ logs)
        return self.weights @ np.sqrt(own**2 + apart**2)

    def predict(
        self, nodes: np.ndarray | Sequence[float], level: float = 0.95, measured: bool = False
    ) -> pd.DataFrame:
        """Throughput with the bounds of `half_width`: nodes, fovs_per_second, low, high."""
        return bounded(nodes, self.throughput(nodes), self.half_width(nodes, level, measured))

    def _logs(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """(models, n) log throughput."""
        # Each count once: some models take memory for every node of every count.
        counts, place = np.unique(np.asarray(nodes, dtype=float), return_inverse=True)
        return np.log(np.stack([fit.throughput(counts) for fit in self.fits]))[:, place]


def average_models(
    nodes: np.ndarray,
    fovs_per_second: np.ndarray,
    models: Sequence[ScalingModel] = MODELS,
) -> ModelAverage:
    """Fit every model and average those that the points can rank.

    Raises:
        ValueError: fewer than three node counts or five points, too few to rank any model.
    """
    counts = np.asarray(nodes, dtype=float)
    fits = _fits(counts, np.asarray(fovs_per_second, dtype=float), models)
    ranked = sorted((fit for fit in fits if np.isfinite(fit.aicc)), key=lambda fit: fit.aicc)
    if np.unique(counts).size < 3 or not ranked:
        raise ValueError("a scaling model takes three node counts and five points or more")
    return ModelAverage(tuple(ranked), akaike_weights(np.array([fit.aicc for fit in ranked])))


def _fits(
    nodes: np.ndarray, fovs_per_second: np.ndarray, models: Sequence[ScalingModel]
) -> list[ModelFit]:
    possible = [model for model in models if nodes.size >= 1 + len(model.parameters)]
    return [fit_model(model, nodes, fovs_per_second) for model in possible]


def _forecast_error(model: ScalingModel, nodes: np.ndarray, fovs_per_second: np.ndarray) -> float:
    """Rms of `leave_largest_out` over the prefixes of the node counts."""
    errors = []
    for largest in np.unique(nodes)[_FIRST_FORECAST:]:
        kept = nodes <= largest
        errors.append(leave_largest_out(model, nodes[kept], fovs_per_second[kept]))
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan")


def _written(fit: ModelFit) -> str:
    words = []
    for name, value, low, high in fit.parameters().itertuples(index=False, name=None):
        bounds = "held at 0" if np.isnan(low) else f"{low:.2g} to {high:.2g}"
        words.append(f"{name} {value:.3g} ({bounds})")
    return ", ".join(words)


_WORK_OF_A_STEP = ("fov_zyx", "depth", "features", "local_batch_size")


@dataclass(frozen=True)
class ThroughputModel:
    """Scaling models fitted to throughput at several node counts, and what they stand for.

    Attributes:
        source: whose throughput, in words.
        nodes, fovs_per_second: (n,) points fitted.
        average: the models, averaged by their Akaike weights.
        scale: factor from the throughput fitted to the throughput meant, see `with_node`.
    """

    source: str
    nodes: np.ndarray
    fovs_per_second: np.ndarray
    average: ModelAverage
    scale: float = 1.0

    @property
    def baseline_nodes(self) -> float:
        """The smallest node count fitted."""
        return float(self.nodes.min())

    @property
    def largest(self) -> float:
        """The largest node count fitted; beyond it the model extrapolates."""
        return float(self.nodes.max())

    @property
    def node_fovs_per_second(self) -> float:
        """Throughput per node at the baseline."""
        base = self.fovs_per_second[self.nodes == self.nodes.min()].mean()
        return self.scale * float(base) / self.baseline_nodes

    def throughput(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """FOVs/s of (n,) node counts."""
        return self.scale * self.average.throughput(nodes)

    def efficiency(self, nodes: np.ndarray | Sequence[float]) -> np.ndarray:
        """(n,) weak-scaling efficiency against the measured baseline."""
        counts = np.asarray(nodes, dtype=float)
        return self.throughput(counts) / (counts * self.node_fovs_per_second)

    def half_width(self, nodes: np.ndarray | Sequence[float], level: float = 0.95) -> np.ndarray:
        """(n,) half the interval of log throughput of one new measurement."""
        return self.average.half_width(nodes, level, measured=True)

    def comparison(self) -> pd.DataFrame:
        """Every model with its parameters, AICc and held-out errors."""
        return compare_models(self.nodes, self.fovs_per_second)

    def with_node(self, fovs_per_second: float) -> ThroughputModel:
        """The same efficiency on nodes of another speed (FOVs/s of one node)."""
        return replace(self, scale=self.scale * fovs_per_second / self.node_fovs_per_second)


def fit_throughput(source: str, nodes: np.ndarray, fovs_per_second: np.ndarray) -> ThroughputModel:
    """Fit and average every scaling model.

    Raises:
        ValueError: fewer than three node counts or five points.
    """
    counts = np.asarray(nodes, dtype=float)
    rates = np.asarray(fovs_per_second, dtype=float)
    return ThroughputModel(source, counts, rates, average_models(counts, rates))


def published_throughput() -> ThroughputModel:
    """The published weak scaling, 1 to 1024 KNL nodes."""
    table = published.throughput()
    return fit_throughput(
        f"published, {published.ARXIV}, KNL nodes",
        table["nodes"].to_numpy(),
        table["fovs_per_second"].to_numpy(),
    )


def modeled_throughput(points: pd.DataFrame) -> ThroughputModel:
    """The published efficiency on nodes as fast as one rank of some runs.

    What stands in for a cluster where runs emulate it. The efficiency is that of the published
    network and machine.

    Args:
        points: from `analysis.runs.summary.summarize`, with fovs_per_second known.
    """
    per_rank = points["fovs_per_second"] / points["ranks"]
    return published_throughput().with_node(float(per_rank.median()))


def same_work(points: pd.DataFrame, like: pd.DataFrame) -> pd.Series:
    """Which points do the same work per node and step as those in `like` (boolean, aligned).

    That is: field of view, depth, features and local batch size. Optimizer, rate and data do not
    change how long a step takes.
    """
    columns = [c for c in _WORK_OF_A_STEP if c in points and c in like]
    wanted = set(like[columns].itertuples(index=False, name=None))
    return pd.Series(
        [row in wanted for row in points[columns].itertuples(index=False, name=None)],
        index=points.index,
        dtype=bool,
    )
