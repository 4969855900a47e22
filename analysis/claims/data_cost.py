"""Claims about what a large batch costs in data and saves in time. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.crossover import late_noise_scale
from analysis.models.critical_batch import CriticalBatch, fit_runs
from analysis.reference import published
from analysis.runs.runs import Runs
from analysis.stats.hypothesis_tests import Inverted
from analysis.stats.intervals import Estimate, log_ratio_estimate, mean_estimate
from analysis.stats.targets import targets_table
from analysis.verdicts.plan import PRIMARY
from analysis.verdicts.scored_runs import Studies, describe, ended, scored_points
from analysis.verdicts.verdict import MEASURED, MODELED, NOT_REACHED, Finding, no_runs

STUDY: Final = "data_cost"
FEW: Final = 1
MANY: Final = 64
MODEL: Final = f"{MODELED}: FOVs of this study over the published throughput"

Costed = Callable[[Studies, float | None], Finding]


def small_batch_data(studies: Studies, target: float | None) -> Finding:
    """log2 of FOVs to the target at many nodes over those at few."""
    points, reached = cost_points(studies, target)
    if reached.empty:
        return _nothing(target)
    return cost_ratio(reached, _by_nodes(reached), MANY, FEW, points, f"target F1 {target:g}")


def large_batch_time(studies: Studies, target: float | None) -> Finding:
    """log2 of the modeled time to the target at few nodes over that at many."""
    points, reached = cost_points(studies, target)
    if reached.empty:
        return _nothing(target)
    rate = published_rate(reached["nodes"].to_numpy())
    timed = reached.assign(fovs=reached["fovs"] / rate, fovs_done=reached["fovs_done"] / rate)
    return cost_ratio(timed, _by_nodes(timed), FEW, MANY, points, f"target F1 {target:g}", MODEL)


def noise_predicts_critical_batch(studies: Studies, target: float | None) -> Finding:
    """log2 of the fitted critical batch over the noise scale."""
    points, reached = cost_points(studies, target)
    if reached.empty:
        return _nothing(target)
    fit = fit_runs(reached)
    noise = late_noise_scale(studies, points).dropna()
    evidence = critical_evidence(reached, noise)
    effect = _critical_over_noise(fit, noise)
    return Finding(effect, describe(points), evidence, note=f"target F1 {target:g}")


FINDERS: Final[Mapping[str, Costed]] = {
    one.__name__: one for one in (small_batch_data, large_batch_time, noise_predicts_critical_batch)
}


def cost_points(studies: Studies, target: float | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points of the study, and the cost of the target for each; both empty without a target."""
    points = scored_points(studies, STUDY)
    if target is None or points.empty:
        return points.iloc[:0], pd.DataFrame()
    runs = ended(studies[STUDY])
    return points, reached_table(runs, points, (target,))


def reached_table(
    runs: Runs, points: pd.DataFrame, targets: tuple[float, ...], metric: str = PRIMARY
) -> pd.DataFrame:
    """FOVs to each target per point, by the monotone curve of single evaluations.

    Returns:
        The columns of `targets_table`, and nodes, seed and global_batch_size of the points.
    """
    table = targets_table(runs, metric, targets, rising=True)
    known = points[["run_id", "nodes", "seed", "global_batch_size"]]
    return table.merge(known, on="run_id")


def cost_ratio(
    table: pd.DataFrame,
    arms: pd.Series,
    above: int | str,
    below: int | str,
    points: pd.DataFrame,
    note: str,
    kind: str = MEASURED,
) -> Finding:
    """log2 of the cost in one arm over that in another, paired by seed.

    A run that missed the target costs at least what it processed. Then the ratio is a bound: from
    below where the arm above missed, from above where the other did; pairs that both missed say
    nothing.

    Args:
        table: columns seed, fovs (NaN where missed) and fovs_done.
        arms: of each row.
        above: arm in the numerator.
        below: arm in the denominator.
        points: all points, to name them.
        note: more about the measure.
        kind: measured, of a cost in FOVs, or modeled, of one in seconds.
    """
    missed = table["fovs"].isna()
    cost = table.assign(arm=arms, cost=table["fovs"].fillna(table["fovs_done"]), missed=missed)
    costs = cost.pivot_table(index="seed", columns="arm", values="cost")
    lacks = cost.pivot_table(index="seed", columns="arm", values="missed", aggfunc="max")
    unit = "fovs" if kind == MEASURED else "seconds"
    evidence = cost_table(cost).rename(columns={"cost": unit})
    if above not in costs or below not in costs:
        return no_runs(STUDY, why=f"no pair of {above} and {below}")
    pairs = costs[[above, below]].dropna().index
    numerator, denominator = (lacks[arm].loc[pairs].to_numpy(dtype=bool) for arm in (above, below))
    known = ~(numerator & denominator)
    if not known.any():
        lost = Estimate(None, None, 0, 0, "no run reached the target")
        takes = "a longer budget: no pair has a run that reached the target"
        return Finding(lost, describe(points), evidence, outcome=NOT_REACHED, takes=takes)
    sides = (costs[arm].loc[pairs].to_numpy(dtype=float)[known] for arm in (above, below))
    effect = log_ratio_estimate(*sides)
    bound = _bound(bool(numerator[known].any()), bool(denominator[known].any()))
    if bound == "none":
        reason = "runs on both sides missed the target: the ratio is not bounded"
        effect = Estimate(effect.value, None, 0, effect.count, reason)
    if bound in ("low", "high"):
        note += "; runs that missed it count with all their FOVs"
    return Finding(effect, describe(points), evidence, note=note, kind=kind, bound=bound)


def cost_table(costs: pd.DataFrame) -> pd.DataFrame:
    """Per arm: cost to the target (geometric mean, range), seeds, and how many reached it.

    Args:
        costs: columns arm, cost (a lower bound where missed) and missed.
    """
    grouped = costs.groupby("arm")
    logs = costs.assign(log=np.log(costs["cost"].to_numpy(dtype=float))).groupby("arm")["log"]
    table = grouped["cost"].agg(lowest="min", highest="max")
    table.insert(0, "cost", np.exp(logs.mean()))
    table["seeds"] = grouped.size()
    table["reached"] = table["seeds"] - grouped["missed"].sum().astype(int)
    return table.reset_index()


def published_rate(nodes: np.ndarray) -> np.ndarray:
    """Published throughput in FOVs/s at node counts, interpolated in the logarithms.

    Raises:
        ValueError: a count outside the 1 to 1024 nodes published.
    """
    table = published.throughput()
    counts = np.asarray(nodes, dtype=float)
    if counts.min() < table["nodes"].min() or counts.max() > table["nodes"].max():
        raise ValueError("throughput is published for 1 to 1024 nodes")
    logs = np.interp(np.log(counts), np.log(table["nodes"]), np.log(table["fovs_per_second"]))
    return np.exp(logs)


def critical_evidence(table: pd.DataFrame, noise: pd.Series) -> pd.DataFrame:
    """Critical batch fitted to all seeds, and to each alone, beside the noise scale; in FOVs."""
    fits = {"all": fit_runs(table)} | {str(s): fit_runs(rows) for s, rows in table.groupby("seed")}
    late = {str(seed): value for seed, value in noise.items()}
    if len(noise):
        late["all"] = float(np.exp(np.log(noise.to_numpy(dtype=float)).mean()))
    rows = [
        {
            "seed": seed,
            "critical_batch": None if fit is None else fit.batch_size,
            "low": None if fit is None else fit.low,
            "high": None if fit is None else fit.high,
            "noise_scale": late.get(seed),
        }
        for seed, fit in fits.items()
    ]
    return pd.DataFrame(rows)


def _critical_over_noise(fit: CriticalBatch | None, noise: pd.Series) -> Inverted:
    """log2 of the critical batch, fitted to all seeds, over the noise scale, averaged over seeds.

    The two err independently: their standard errors add in quadrature, with the degrees of freedom
    of the one that has fewer.
    """

    def unknown(reason: str) -> Inverted:
        return Inverted(None, 0, lambda _: (-math.inf, math.inf), reason)

    if fit is None:
        return unknown("it takes three batch sizes, two of which reach the target")
    late = mean_estimate(np.log2(noise.to_numpy(dtype=float)))
    if late.value is None or late.error is None:
        return unknown(f"of the noise scale: {late.reason}")
    # Far beyond the largest batch tried the data only say that it is larger.
    if fit.unseen or math.isnan(fit.low):
        return unknown("the data do not bound the critical batch")
    value = math.log2(fit.batch_size) - late.value
    half = math.log2(fit.high / fit.batch_size) if fit.high < math.inf else math.inf
    half_level = Estimate(0.0, 1.0, fit.count - 2, fit.count).bounds()
    assert half_level is not None
    error = math.hypot(half / half_level[1], late.error)
    joint = Estimate(value, error, min(fit.count - 2, late.freedom), late.count)

    def interval(level: float) -> tuple[float, float]:
        found = joint.bounds(level)
        assert found is not None
        return found

    return Inverted(value, late.count, interval)


def _bound(numerator: bool, denominator: bool) -> str:
    """From which side the ratio is bounded where runs in these arms missed the target."""
    if numerator and denominator:
        return "none"
    return "low" if numerator else "high" if denominator else ""


def _by_nodes(table: pd.DataFrame) -> pd.Series:
    return table["nodes"]


def _nothing(target: float | None) -> Finding:
    if target is None:
        return no_runs(STUDY, why="no target set by the pilot, or no finished point")
    return no_runs(STUDY)
