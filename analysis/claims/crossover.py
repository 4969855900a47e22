"""Where square-root overtakes linear scaling, and whether the noise scale predicts it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims.learning_rate_rules import STUDY, rule_difference
from analysis.runs.runs import Runs
from analysis.stats.hypothesis_tests import Inverted
from analysis.stats.intervals import mean_estimate
from analysis.verdicts.plan import LEVEL
from analysis.verdicts.scored_runs import (
    Studies,
    alive,
    describe,
    ended,
    ruled,
    scored_points,
    with_warmup,
)
from analysis.verdicts.verdict import Finding, no_runs
from ffn_core.metric_names import NOISE_SCALE

LATE_SHARE: Final = 0.25
"""The noise scale at convergence is the median over this last share of the FOVs."""

_STEPS_PER_DOUBLING: Final = 64


def crossover(studies: Studies) -> Finding:
    """log2 of the node count from which linear scaling is behind."""
    points = scored_points(studies, STUDY)
    difference = rule_difference(points).dropna()
    if difference.empty:
        return no_runs(STUDY, why="no seed with both rules at every node count")
    crossings = difference.apply(crossover_nodes, axis="columns").astype(float)
    evidence = crossings.rename("crossover_nodes").rename_axis("seed").reset_index()
    return Finding(log2_crossover(difference), describe(points), evidence)


def noise_predicts_crossover(studies: Studies) -> Finding:
    """log2 of the global batch at the crossover over the noise scale."""
    points = scored_points(studies, STUDY)
    difference = rule_difference(points).dropna()
    noise = late_noise_scale(studies, ruled(with_warmup(points), "sqrt"))
    if difference.empty or noise.empty:
        return no_runs(STUDY, why=f"no seed with both rules, or none with `{NOISE_SCALE}`,")
    batch = float(points["local_batch_size"].iloc[0])
    crossing = log2_crossover(difference)
    late = mean_estimate(np.log2(noise.to_numpy(dtype=float) / batch))
    if crossing.value is None or late.bounds() is None:
        reason = crossing.reason or late.reason
        unknown = Inverted(None, crossing.count, lambda _: (math.nan, math.nan), reason)
        return Finding(unknown, describe(points))
    middle = crossing.value - float(late.value or 0.0)

    def interval(level: float) -> tuple[float, float]:
        """The two err independently: the halves of their intervals add in quadrature."""
        low, high = crossing.interval(level)
        ends = late.bounds(level)
        assert ends is not None
        if math.isinf(middle):
            return low - ends[1], high - ends[0]
        half = (ends[1] - ends[0]) / 2
        center = float(crossing.value or 0.0)
        return middle - math.hypot(center - low, half), middle + math.hypot(high - center, half)

    evidence = noise.rename("noise_scale_fovs").rename_axis("seed").reset_index()
    effect = Inverted(middle, min(crossing.count, late.count), interval)
    return Finding(effect, describe(points), evidence)


FINDERS: Final[Mapping[str, Callable[[Studies], Finding]]] = {
    "crossover": crossover,
    "noise_predicts_crossover": noise_predicts_crossover,
}


def log2_crossover(difference: pd.DataFrame) -> Inverted:
    """log2 of the node count at which the mean over seeds crosses zero.

    Its interval holds every count at which the t interval of the mean difference, interpolated in
    log2(nodes) for each seed, holds 0 (test inversion: no resampling). It is open (infinite) where
    that of the smallest count is not wholly above 0, or that of the largest not wholly below.

    Args:
        difference: F1 of linear minus square-root scaling, index seed, columns nodes; no NaN.
    """
    count = len(difference)
    values = difference.to_numpy(dtype=float)
    logs = np.log2(difference.columns.to_numpy(dtype=float))
    if count < 2:
        return Inverted(None, count, lambda _: (-math.inf, math.inf), "one seed shows no spread")
    steps = int(_STEPS_PER_DOUBLING * (logs[-1] - logs[0])) + 1
    grid = np.linspace(logs[0], logs[-1], steps)
    each = np.stack([np.interp(grid, logs, row) for row in values])
    mean, error = each.mean(axis=0), each.std(axis=0, ddof=1) / math.sqrt(count)

    if float(error.max()) <= 1e-12:
        reason = f"all {count} seeds are equal: their spread is unknown"
        return Inverted(None, count, lambda _: (-math.inf, math.inf), reason)
    crossing = crossover_nodes(pd.Series(values.mean(axis=0), index=2**logs))
    value = -math.inf if crossing == 0 else math.log2(crossing)

    def interval(level: float) -> tuple[float, float]:
        half = stats.t.ppf((1 + level) / 2, count - 1) * error
        low, high = mean - half, mean + half
        may = grid[(low <= 0) & (high >= 0)]
        before, beyond = low[0] <= 0, high[-1] >= 0
        if not may.size:
            # Ahead or behind everywhere, or a jump from the one to the other between two counts.
            ends = (-math.inf, logs[0]) if before else (logs[-1], math.inf)
            return ends if before or beyond else (value, value)
        return -math.inf if before else float(may[0]), math.inf if beyond else float(may[-1])

    return Inverted(value, count, interval)


def crossover_nodes(difference: pd.Series) -> float:
    """Node count from which square-root scaling stays ahead.

    Args:
        difference: F1 of linear minus square-root scaling, index nodes, ascending.

    Returns:
        Interpolated linearly in log2(nodes) between the last count at which linear is not behind
        and the next; inf where linear is not behind at the largest count, 0 where it is behind at
        all of them.
    """
    nodes = difference.index.to_numpy(dtype=float)
    values = difference.to_numpy(dtype=float)
    ahead = np.flatnonzero(values >= 0)
    if ahead.size == 0:
        return 0.0
    last = int(ahead[-1])
    if last == len(values) - 1:
        return math.inf
    share = values[last] / (values[last] - values[last + 1])
    logs = np.log2(nodes)
    return float(2 ** (logs[last] + share * (logs[last + 1] - logs[last])))


def crossover_bounds(difference: pd.DataFrame) -> tuple[float, float, float] | None:
    """Node count of the crossover with its interval, 0 or inf beyond those tried; None unknown."""
    found = log2_crossover(difference)
    bounds = found.bounds(LEVEL)
    if found.value is None or bounds is None:
        return None
    return float(2.0**found.value), float(2.0 ** bounds[0]), float(2.0 ** bounds[1])


def late_noise_scale(studies: Studies, points: pd.DataFrame) -> pd.Series:
    """Noise scale at convergence in FOVs, by seed.

    Geometric mean over node counts of the median over the last quarter of each of these runs that
    survived. Values that are not positive and finite are left out.
    """
    trained = alive(points)
    if trained.empty:
        return pd.Series(dtype=float)
    names = trained["experiment"].unique()
    noise = pd.concat([late_noise_of_runs(ended(studies[name])) for name in names])
    logs = trained["run_id"].map(np.log(noise)).astype(float)
    return logs.groupby(trained["seed"]).mean().dropna().map(math.exp)


def late_noise_of_runs(runs: Runs) -> pd.Series:
    """Median noise scale in FOVs over the last quarter of every run, by run_id."""
    rows = runs.history[runs.history["metric"] == NOISE_SCALE]
    # Without any such record the column would keep the type of the ids.
    last = rows["run_id"].map(runs.history.groupby("run_id")["fovs"].max()).astype(float)
    late = rows[(rows["fovs"] >= (1 - LATE_SHARE) * last) & np.isfinite(rows["value"])]
    return late[late["value"] > 0].groupby("run_id")["value"].median()
