"""How a training went, in words: what its evaluations show, and what to try next. Pure.

The end of a run is compared with what came shortly before, and the difference with the scatter of
neighboring evaluations, which trend alone does not make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ffn_core.metric_names import AVERAGED_AUC

DIVERGED: Final = "diverged"
TOO_FEW: Final = "too few evaluations"
TRIVIAL: Final = "below trivial"
FELL: Final = "fell"
RISING: Final = "still rising"
PLATEAU: Final = "plateau"

FEWEST: Final = 5
"""Evaluations from which on anything is said."""

SMALL_CHANGE: Final = 0.005
"""Differences below are none, however little evaluations scatter; of a loss, relative to it."""

FALL_OVER_SMALL: Final = 4
"""A fall from the best is said from this many small changes on,"""

EARLY_FALL_OVER_SMALL: Final = 40
"""and among fewer than `FEWEST` evaluations, whose scatter is not known, from this many on."""

NEAR_ZERO: Final = 0.5
"""Of the trivial score: below, a network may not have begun to learn."""


@dataclass(frozen=True)
class Course:
    """How a training went.

    Attributes:
        kind: `DIVERGED`, `TOO_FEW`, `TRIVIAL`, `FELL`, `RISING` or `PLATEAU`.
        words: What was seen, one clause.
        advice: What to try.
    """

    kind: str
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.words}. Try {self.advice}."


def course_of(
    name: str,
    fovs: Sequence[float],
    scores: Sequence[float],
    falling: bool = False,
    trivial: float | None = None,
    diverged: bool = False,
) -> Course:
    """Say how a training went.

    Args:
        name: Of the score, for the words.
        fovs: (n,) FOVs trained on at each evaluation, ascending.
        scores: (n,) the score then.
        falling: Less of the score is better, as of a loss.
        trivial: Score of a predictor that has learned nothing; None if there is no such value.
        diverged: Its loss or its weights are no longer finite.
    """
    if diverged:
        return Course(
            DIVERGED,
            "the training diverged: its loss is no longer a finite number",
            "a third of learning_rate.base, or a warm-up (warmup=tenth)",
        )
    judged = _early if len(scores) < FEWEST else _judged
    return judged(name, np.asarray(fovs, float), np.asarray(scores, float), falling, trivial)


def _early(
    name: str, fovs: np.ndarray, scores: np.ndarray, falling: bool, _trivial: float | None
) -> Course:
    """Of few evaluations only a steep fall says anything."""
    if len(scores):
        better = -scores if falling else scores
        best, small = int(better.argmax()), SMALL_CHANGE * (abs(better[-1]) if falling else 1.0)
        if better[best] - better[-1] > EARLY_FALL_OVER_SMALL * small:
            return _fell(name, scores[best], fovs[best], scores[-1])
    return Course(
        TOO_FEW,
        f"{len(scores)} evaluations say little of where {name} is going",
        "a larger budget, or a smaller validation.every_fovs",
    )


def _judged(
    name: str, fovs: np.ndarray, scores: np.ndarray, falling: bool, trivial: float | None
) -> Course:
    better = -scores if falling else scores
    recent = max(FEWEST - 1, len(scores) // 2)
    size = recent // 2
    before, after = better[-recent:][:size].mean(), better[-size:].mean()
    error = _scatter(better[-recent:]) * np.sqrt(2 / size)
    small = SMALL_CHANGE * (abs(after) if falling else 1.0)
    rising = bool(after - before > max(small, error))
    was, is_now = abs(before), abs(after)
    span = f"over the last {fovs[-1] - fovs[-recent]:,.0f} FOVs"
    if trivial is not None and after <= trivial:
        return _below(name, is_now, trivial, rising)
    means = np.convolve(better, np.ones(size) / size, "valid")
    best = int(means.argmax())
    if means[best] - after > max(FALL_OVER_SMALL * small, 2 * error):
        return _fell(name, abs(means[best]), fovs[best + size // 2], is_now)
    if rising:
        verb = "falling" if falling else "rising"
        return Course(
            RISING,
            f"{name} was still {verb}: from {was:.3f} to {is_now:.3f} {span}",
            f"a larger budget: the same command with budget.fovs={2 * fovs[-1]:.0f} continues here",
        )
    return Course(
        PLATEAU,
        f"{name} has leveled off at {is_now:.3f} {span}",
        "learning_rate.cooldown.fraction=0.3, a larger model, or more labeled data; more FOVs alone"
        " promise little",
    )


def _fell(name: str, best: float, at_fovs: float, score: float) -> Course:
    return Course(
        FELL,
        f"{name} was {best:.3f} around {at_fovs:,.0f} FOVs and ended at {score:.3f}",
        "a lower learning_rate.base or learning_rate.cooldown.fraction=0.3; the best checkpoint is"
        " kept, and taken by what starts from this run",
    )


def _below(name: str, score: float, trivial: float, rising: bool) -> Course:
    """At the end a predictor that has learned nothing would do as well."""
    words = f"{name} is {score:.3f}, no better than a predictor that knows nothing ({trivial:.3f})"
    advice = "a larger budget"
    if rising:
        words += ", but rising"
    elif score > NEAR_ZERO * trivial:
        advice += f"; {AVERAGED_AUC}, which needs no threshold, says more of it"
    else:
        advice += (
            ", since networks stay near zero at first; then a third or three times"
            " learning_rate.base with warmup=tenth; and look in canvases/ whether image and labels"
            " fit"
        )
    return Course(TRIVIAL, words, advice)


def _scatter(values: np.ndarray) -> float:
    """Standard deviation of single values about their trend, by the differences of neighbors."""
    return float(np.diff(values).std(ddof=1) / np.sqrt(2))
