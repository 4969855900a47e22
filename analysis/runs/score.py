"""Which score the runs of a study are judged by, and the cost of reaching a value of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.runs.runs import Runs
from ffn_core.metric_names import (
    AVERAGED,
    AVERAGED_F1,
    BASELINE_F1,
    LOSS,
    SCORE_FINAL,
    VALIDATION_ACCURACY,
    VALIDATION_F1,
    score_metric,
)

F1_TARGETS: Final = (0.5, 0.7, 0.8, 0.9)
"""Scores whose cost is asked for, as far as they lie above the trivial baseline."""

_SCORE_NAME = "score_name"


@dataclass(frozen=True)
class Score:
    """The scores of held-out canvases that figures and tables of a study show.

    Attributes:
        f1: metric of the F1 that runs are judged by.
        accuracy: metric of the accuracy of the same weights.
        raw: metric of the F1 of the raw weights, where `f1` is of others; else None.
        last: evaluations that a final score is the mean of.
        weights: which weights, in words.
    """

    f1: str
    accuracy: str
    raw: str | None
    last: int
    weights: str

    @property
    def words(self) -> str:
        """What captions call the score."""
        return f"validation F1 of the {self.weights}"


OF_AVERAGED: Final = Score(
    AVERAGED_F1, score_metric(AVERAGED, "accuracy"), VALIDATION_F1, 4, "averaged weights"
)
OF_RAW: Final = Score(VALIDATION_F1, VALIDATION_ACCURACY, None, 3, "raw weights")
"""Of runs recorded before weights were averaged."""


def score_of(runs: Runs) -> Score:
    """The score of averaged weights where any of the runs recorded it, else that of raw ones.

    One score for all: the two differ too much to be compared.
    """
    return OF_AVERAGED if len(runs.history_of(AVERAGED_F1)) else OF_RAW


def ranking(runs: Runs, score: Score) -> pd.Series:
    """What recipes are ranked by, higher is better, by run_id; runs without it are absent.

    The score that the runs were configured to be judged by (`score/final`), where every run with
    an F1 has one of the same name; else the mean of the last evaluations of F1. A loss counts
    negative.
    """
    f1 = runs.last(score.f1, score.last)
    final = runs.last(SCORE_FINAL)
    table = runs.table.set_index("run_id")
    scored = table.loc[table.index.intersection(f1.index)]
    names = scored[_SCORE_NAME].unique() if _SCORE_NAME in scored else ["one"]
    if f1.empty or len(names) != 1 or not f1.index.isin(final.index).all():
        return f1
    return -final if str(names[0]).endswith(f"/{LOSS}") else final


def baseline_f1(runs: Runs, run_ids: pd.Series | None = None) -> float | None:
    """F1 of calling every held-out voxel object: the median of some runs; None if not recorded."""
    recorded = runs.last(BASELINE_F1)
    if run_ids is not None:
        recorded = recorded[recorded.index.isin(run_ids)]
    return None if recorded.empty else float(recorded.median())


def targets_above(
    baseline: float | None, targets: Sequence[float] = F1_TARGETS
) -> tuple[float, ...]:
    """The targets that take learning: those above the trivial baseline, if that is known."""
    return tuple(t for t in targets if baseline is None or t > baseline)
