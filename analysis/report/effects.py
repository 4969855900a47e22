"""What the options that a sweep varied did to the score, with intervals over seeds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

import pandas as pd

from analysis.runs.grouping import varies
from analysis.runs.recipes import recipe_columns
from analysis.runs.runs import Runs
from analysis.stats.hypothesis_tests import holm
from analysis.stats.intervals import Estimate, mean_estimate
from analysis.verdicts.plan import DEAD_BELOW
from analysis.verdicts.scored_runs import ended
from ffn_core.metric_names import (
    AVERAGED_F1,
    BASELINE_F1,
    LOSS,
    SCORE_BEST,
    SCORE_FINAL,
    VALIDATION_F1,
)

LEVEL: Final = 0.95
_EVERY_PAIR_UP_TO: Final = 4
"""Values of an option of which each is compared with each; of more, with the first only."""

HIGHER, LOWER, OPEN, NO_INTERVAL = "higher", "lower", "no difference shown", "no interval"


@dataclass(frozen=True)
class Effect:
    """Score with one value of an option minus that with another, all else alike.

    Attributes:
        option: column of the run table.
        value, other: the two values.
        estimate: over seeds, each seed's difference being the mean over all else that varied.
        pairs: pairs of points that differ in this option only, neither of them dead.
        lowest, highest: of the differences of those pairs; None without a pair.
        died, other_died: dead runs and all runs with either value, as text.
        adjusted: two-sided p-value of no difference after Holm's correction over all effects of
            the study; None where there is no interval.
    """

    option: str
    value: Any
    other: Any
    estimate: Estimate
    pairs: int
    lowest: float | None
    highest: float | None
    died: str
    other_died: str
    adjusted: float | None = None

    @property
    def verdict(self) -> str:
        """`HIGHER`, `LOWER`, `OPEN` or `NO_INTERVAL`, after the correction."""
        if self.adjusted is None or self.estimate.value is None:
            return NO_INTERVAL
        if self.adjusted >= 1 - LEVEL:
            return OPEN
        return HIGHER if self.estimate.value > 0 else LOWER


def judged_points(runs: Runs) -> pd.DataFrame:
    """Points that came to their end, one row each, with what came out.

    Returns:
        The run table with the columns score (mean of the last evaluations, as each run recorded
        it; the last raw F1 of runs that recorded no score), best, baseline (F1 of calling every
        voxel object), NaN where not recorded; and dead (diverged, or a score of F1 that fell below
        `DEAD_BELOW`).
    """
    kept = ended(runs)
    table, ids = kept.table, kept.table["run_id"]
    score = ids.map(kept.last(SCORE_FINAL)).fillna(ids.map(kept.last(VALIDATION_F1)))
    diverged = pd.Series(False, index=table.index)
    if "outcome" in table:
        diverged = table["outcome"] == "diverged"
    of_f1 = score_name(runs).endswith("f1")
    return table.assign(
        score=score,
        best=ids.map(kept.last(SCORE_BEST)),
        baseline=ids.map(kept.last(BASELINE_F1)),
        dead=diverged | (of_f1 & (score < DEAD_BELOW)),
    )


def score_name(runs: Runs) -> str:
    """The metric that the runs are judged by."""
    if "score_name" not in runs.table:
        return AVERAGED_F1
    known = runs.table["score_name"].dropna().unique()
    return str(known[0]) if len(known) else AVERAGED_F1


def falls(score: str) -> bool:
    """Whether less of a score is better."""
    return score.endswith(LOSS)


def varied_options(points: pd.DataFrame) -> list[str]:
    """Columns of options that vary over points, without the seed and what follows from others."""
    found: list[str] = []
    if points.empty:
        return found
    for column in ("nodes", *recipe_columns(points)):
        if column in _RESULTS or column not in points or not varies(points[column]):
            continue
        both = points[[*found, column]].astype(str).drop_duplicates()
        if not found or both.duplicated(found).any():
            found.append(column)
    return found


_RESULTS: Final = ("score", "best", "baseline", "dead")


def effects(points: pd.DataFrame) -> list[Effect]:
    """The effects of every option that varied, of `judged_points`, corrected for their number."""
    options = varied_options(points)
    found = [
        _effect(points, option, options, value, other)
        for option in options
        for value, other in _comparisons(points[option])
    ]
    adjusted = holm([_two_sided(one.estimate) for one in found])
    return [replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True)]


def _comparisons(values: pd.Series) -> list[tuple[Any, Any]]:
    """Pairs of values to compare: with the smallest number, or of few words each with each."""
    numeric = pd.api.types.is_numeric_dtype(values)
    known = values.dropna().unique().tolist()
    ordered = sorted(known) if numeric else sorted(known, key=str)
    if numeric or len(ordered) > _EVERY_PAIR_UP_TO:
        return [(value, ordered[0]) for value in ordered[1:]]
    return [(second, first) for first, second in combinations(ordered, 2)]


def _effect(
    points: pd.DataFrame, option: str, options: Sequence[str], value: Any, other: Any
) -> Effect:
    sides = [points[points[option] == one] for one in (value, other)]
    died = [f"{int(side['dead'].sum())} of {len(side)}" for side in sides]
    rest = [column for column in options if column != option]
    index = [*rest, "seed"] if "seed" in points else [*rest]
    alive = [side[~side["dead"]].dropna(subset=["score"]) for side in sides]
    scores = [_by(side, index) for side in alive]
    difference = (scores[0] - scores[1]).dropna()
    estimate = _over_seeds(difference)
    low, high = (
        (None, None) if difference.empty else (float(difference.min()), float(difference.max()))
    )
    return Effect(option, value, other, estimate, len(difference), low, high, died[0], died[1])


def _by(side: pd.DataFrame, index: Sequence[str]) -> pd.Series:
    """Score by all else that varied, and seed; what one of them lacks is a value like any other."""
    keyed = side.assign(**{c: side[c].astype(str) for c in index})
    return keyed.assign(all="").groupby(["all", *index])["score"].mean()


def _over_seeds(difference: pd.Series) -> Estimate:
    """Mean over seeds of what is in every seed; the seed is the last level of the index."""
    if difference.empty:
        return Estimate(None, None, 0, 0, "no pair of points differs in this alone")
    if difference.index.names[-1] != "seed":
        return Estimate(float(difference.mean()), None, 0, 1, "no seed is recorded")
    rest = [name for name in difference.index.names if name != "seed"]
    whole = difference.reset_index(name="by").pivot_table("by", index=rest, columns="seed").dropna()
    if whole.empty:
        return Estimate(None, None, 0, 0, "no pair is there for every seed")
    return mean_estimate(whole.mean(axis="index").to_numpy())


def _two_sided(estimate: Estimate) -> float | None:
    above, below = estimate.p_above(0.0), estimate.p_below(0.0)
    if above is None or below is None:
        return None
    return min(1.0, 2 * min(above, below))
