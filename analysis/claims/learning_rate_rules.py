"""Claims about learning-rate rules, base rate and warm-up. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import pandas as pd

from analysis.stats.intervals import mean_estimate
from analysis.verdicts.plan import LARGE, SMALL, WARMUP_AT
from analysis.verdicts.scored_runs import Studies, at, describe, ruled, scored_points, with_warmup
from analysis.verdicts.seed_intervals import contrast, death_contrast, score_contrast
from analysis.verdicts.verdict import NOT_REACHED, Finding, no_runs
from ffn_core.metric_names import BASELINE_F1

STUDY: Final = "rules"
LOW_BASE: Final = "rules_low_base"
COLD: Final = "no_warmup"
GATE: Final = "fib25_gate"
REAL: Final = "fib25_rules"

_LARGER: Final = "a larger network or more FOVs: no run beats calling every voxel object"

Contrast = Callable[[pd.DataFrame, pd.DataFrame], Finding]


def linear_small(studies: Studies) -> Finding:
    """Linear minus square-root scaling at small node counts."""
    points = at(scored_points(studies, STUDY), SMALL)
    return _between(score_contrast, points, "linear", "sqrt", STUDY)


def sqrt_large(studies: Studies) -> Finding:
    """Square-root minus linear scaling at the large node count."""
    points = at(scored_points(studies, STUDY), LARGE)
    return _between(score_contrast, points, "sqrt", "linear", STUDY)


def linear_dies(studies: Studies) -> Finding:
    """Deaths of linear against square-root scaling at the large node count."""
    points = at(scored_points(studies, STUDY), LARGE)
    return _between(death_contrast, points, "linear", "sqrt", STUDY)


def unscaled_as_good(studies: Studies) -> Finding:
    """The rate of one node minus square-root scaling at all node counts."""
    points = at(scored_points(studies, STUDY), (*SMALL, *LARGE))
    return _between(score_contrast, points, "none", "sqrt", STUDY)


def linear_low_base(studies: Studies) -> Finding:
    """Linear minus square-root scaling at the large node count, from a quarter of the base."""
    points = at(scored_points(studies, LOW_BASE), LARGE)
    return _between(score_contrast, points, "linear", "sqrt", LOW_BASE)


def linear_dies_base(studies: Studies) -> Finding:
    """Deaths of linear scaling at the large node count: from the base, and from a quarter of it."""
    sides = [
        at(ruled(with_warmup(scored_points(studies, name)), "linear"), LARGE)
        for name in (STUDY, LOW_BASE)
    ]
    return _compare(death_contrast, sides[0], sides[1], STUDY, LOW_BASE)


def warmup_linear(studies: Studies) -> Finding:
    """With minus without warm-up, linear scaling."""
    return _compare(score_contrast, *_warm_and_cold(studies, "linear"), STUDY, COLD)


def warmup_sqrt(studies: Studies) -> Finding:
    """With minus without warm-up, square-root scaling."""
    return _compare(score_contrast, *_warm_and_cold(studies, "sqrt"), STUDY, COLD)


def warmup_deaths(studies: Studies) -> Finding:
    """Deaths without against with warm-up, linear scaling."""
    warm, cold = (at(points, LARGE) for points in _warm_and_cold(studies, "linear"))
    return _compare(death_contrast, cold, warm, STUDY, COLD)


def real_gate(studies: Studies) -> Finding:
    """F1 minus that of calling every voxel object, of square-root runs on the real volume.

    The gate's own runs, one of each rate, decide nothing: where none of them beats the baseline the
    study ends there.
    """
    gate = scored_points(studies, GATE).dropna(subset=["baseline"])
    points = ruled(scored_points(studies, REAL).dropna(subset=["baseline"]), "sqrt")
    if points.empty and gate.empty:
        return no_runs(GATE, REAL, why=f"no finished point with `{BASELINE_F1}`")
    used = gate if points.empty else points
    gain = mean_estimate((used["score"] - used["baseline"]).to_numpy(dtype=float))
    shown = used[["nodes", "seed", "lr_peak", "score", "baseline", "auc"]]
    found = Finding(gain, describe(used), shown)
    if len(points):
        return found
    if _passed(gate):
        return no_runs(REAL)
    return replace(found, outcome=NOT_REACHED, takes=_LARGER)


def sqrt_large_real(studies: Studies) -> Finding:
    """Square-root minus linear scaling at the large node count, on the real volume."""
    points = at(scored_points(studies, REAL), LARGE)
    gate = scored_points(studies, GATE).dropna(subset=["baseline"])
    if points.empty and len(gate) and not _passed(gate):
        basis = f"`{GATE}` did not pass, so `{REAL}` was not run"
        return replace(no_runs(REAL), outcome=NOT_REACHED, basis=basis, takes=_LARGER)
    found = _between(score_contrast, points, "sqrt", "linear", REAL)
    behind = points["score"] <= points["baseline"]
    if not found.outcome and bool(behind.all()):
        return replace(found, outcome=NOT_REACHED, takes=_LARGER)
    return found


def _passed(gate: pd.DataFrame) -> bool:
    """Whether a run of the gate beats calling every voxel object."""
    return bool((gate["score"] > gate["baseline"]).any())


FINDERS: Final[Mapping[str, Callable[[Studies], Finding]]] = {
    one.__name__: one
    for one in (
        linear_small,
        sqrt_large,
        linear_dies,
        unscaled_as_good,
        linear_low_base,
        linear_dies_base,
        warmup_linear,
        warmup_sqrt,
        warmup_deaths,
        real_gate,
        sqrt_large_real,
    )
}


def rule_difference(points: pd.DataFrame) -> pd.DataFrame:
    """F1 of linear minus F1 of square-root scaling, warmed up: index seed, columns nodes > 1.

    At one node the two rules are the same. Dead runs count with their score: they are behind.
    """
    warm = with_warmup(points)
    warm = warm[warm["nodes"] > 1]
    return contrast(ruled(warm, "linear"), ruled(warm, "sqrt"))


def warmup_difference(points: pd.DataFrame) -> pd.DataFrame:
    """F1 with minus F1 without warm-up of points of one rule: index seed, columns nodes."""
    return contrast(with_warmup(points), with_warmup(points, warm=False))


def _warm_and_cold(studies: Studies, rule: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    warm = at(ruled(with_warmup(scored_points(studies, STUDY)), rule), WARMUP_AT)
    cold = at(ruled(with_warmup(scored_points(studies, COLD), warm=False), rule), WARMUP_AT)
    return warm, cold


def _between(
    compare: Contrast, points: pd.DataFrame, first: str, second: str, study: str
) -> Finding:
    """Two rules of one study, both warmed up."""
    warm = with_warmup(points)
    return _compare(compare, ruled(warm, first), ruled(warm, second), study)


def _compare(
    compare: Contrast, first: pd.DataFrame, second: pd.DataFrame, *studies: str
) -> Finding:
    if first.empty or second.empty:
        return no_runs(*studies)
    found = compare(first, second)
    return replace(found, basis=f"{describe(pd.concat([first, second]))}; {found.basis}")
