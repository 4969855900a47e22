"""Where square-root overtakes linear scaling, and whether the noise scale foretells it. Pure."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.learning_rate_rules import STUDY, rule_difference
from analysis.claims.scored_runs import Studies, describe, ended, ruled, scored_points, with_warmup
from analysis.claims.seed_intervals import resampled_interval
from analysis.claims.verdict import (
    MEASURED,
    UNDECIDED,
    UNKNOWN,
    Verdict,
    decide_within,
    power_of_two,
)
from analysis.runs.runs import Runs
from analysis.stats.intervals import Interval

PUBLISHED_CROSSOVER: Final = (16.0, 32.0)
"""Published: linear up to 16 nodes, square root from the next measured count, 32."""

NOISE: Final = "noise_scale/simple"
LATE_SHARE: Final = 0.25
"""The noise scale at convergence is the median over this last share of the FOVs."""

TRAINED: Final = 0.5
"""Only runs that reach this F1 tell a noise scale at convergence."""


def crossover_verdicts(studies: Studies) -> list[Verdict]:
    """The crossover node count, and the noise scale as its prediction."""
    points = scored_points(studies, STUDY)
    difference = rule_difference(points).dropna()
    crossings = difference.apply(crossover_nodes, axis="columns").astype(float)
    noise = late_noise_scale(studies, points)
    evidence = pd.DataFrame({"crossover_nodes": crossings, "noise_scale_fovs": noise})
    evidence = evidence.rename_axis("seed").reset_index()
    return [
        _crossover(points, difference, evidence),
        _prediction(points, difference, noise, evidence),
    ]


def log2_crossover(difference: pd.DataFrame, less: pd.Series | None = None) -> Interval:
    """log2 of the node count at which the mean over seeds crosses; -inf or inf where it does not.

    Args:
        difference: F1 of linear minus square-root scaling, index seed, columns nodes.
        less: by seed: what is subtracted, as its mean over the same seeds.
    """
    nodes, values = difference.columns, difference.to_numpy(dtype=float)
    shift = np.zeros(len(values)) if less is None else less.reindex(difference.index).to_numpy()

    def of_seeds(picked: np.ndarray) -> float:
        crossing = crossover_nodes(pd.Series(values[picked].mean(axis=0), index=nodes))
        with np.errstate(divide="ignore"):
            return float(np.log2(crossing) - shift[picked].mean())

    return resampled_interval(of_seeds, len(values))


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


def late_noise_scale(studies: Studies, points: pd.DataFrame) -> pd.Series:
    """Noise scale at convergence in FOVs, by seed.

    Geometric mean over node counts of the median over the last quarter of each run, of warmed-up
    square-root runs that train. Values that are not positive and finite are left out.
    """
    trained = ruled(with_warmup(points), "sqrt")
    trained = trained[trained["score"] >= TRAINED]
    if trained.empty:
        return pd.Series(dtype=float)
    names = trained["experiment"].unique()
    noise = pd.concat([late_noise_of_runs(ended(studies[name])) for name in names])
    logs = trained["run_id"].map(np.log(noise)).astype(float)
    return logs.groupby(trained["seed"]).mean().dropna().map(math.exp)


def late_noise_of_runs(runs: Runs) -> pd.Series:
    """Median noise scale in FOVs over the last quarter of every run, by run_id."""
    rows = runs.history[runs.history["metric"] == NOISE]
    # Without any such record the column would keep the type of the ids.
    last = rows["run_id"].map(runs.history.groupby("run_id")["fovs"].max()).astype(float)
    late = rows[(rows["fovs"] >= (1 - LATE_SHARE) * last) & np.isfinite(rows["value"])]
    return late[late["value"] > 0].groupby("run_id")["value"].median()


def _crossover(points: pd.DataFrame, difference: pd.DataFrame, evidence: pd.DataFrame) -> Verdict:
    low, high = PUBLISHED_CROSSOVER
    key, claim = "crossover", f"The rules cross between {low:g} and {high:g} nodes"
    measure = "node count from which square-root scaling stays ahead in the mean over seeds"
    rule = (
        f"supported: interval within a factor of two of {low:g} to {high:g}; not supported: "
        "interval outside it. The network and data of the published study are larger, so that "
        "its crossover need not be this one's"
    )
    if difference.empty:
        reason = f"no seed has both rules at every node count yet: {describe(points)}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, evidence)
    logs = log2_crossover(difference)
    verdict = decide_within(logs, math.log2(low) - 1, math.log2(high) + 1)
    effect = power_of_two(logs)
    return Verdict(key, claim, verdict, effect, measure, rule, MEASURED, describe(points), evidence)


def _prediction(
    points: pd.DataFrame, difference: pd.DataFrame, noise: pd.Series, evidence: pd.DataFrame
) -> Verdict:
    key = "noise_predicts_crossover"
    claim = "The gradient noise scale at convergence predicts the crossover to a factor of two"
    measure = "global batch size at the crossover over the noise scale, means over seeds"
    rule = "supported: interval within 1/2 to 2; not supported: interval outside it"
    known = difference[difference.index.isin(noise.index)]
    if known.empty:
        lacking = f"no seed has both rules at every node count and {NOISE} of a trained run"
        reason = f"{lacking}: {describe(points)}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, evidence)
    batch = float(points["local_batch_size"].iloc[0])
    logs = log2_crossover(known, np.log2(noise / batch))
    verdict = decide_within(logs, -1.0, 1.0)
    effect = power_of_two(logs)
    return Verdict(key, claim, verdict, effect, measure, rule, MEASURED, describe(points), evidence)
