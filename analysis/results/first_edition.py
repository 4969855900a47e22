"""What the overview figures draw: the second edition, or where it is not recorded the first.

The first edition scored runs by `validation/f1` and called its studies otherwise. The claims do not
read it. This module goes when the second edition is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.claims import data_cost, learning_rate_rules, optimizers
from analysis.claims.data_cost import cost_points
from analysis.runs.score import F1_TARGETS
from analysis.stats.targets import targets_table
from analysis.verdicts.scored_runs import SCORE, Studies, ended, ruled, scored_points, with_warmup
from ffn_core.metric_names import VALIDATION_F1

OLD_SCORE: Final = "validation F1, mean of the last 3 evaluations"
_OLD = {"metric": VALIDATION_F1, "last": 3}
_WINDOW: Final = 3
_LEAST_COUNTS: Final = 3


@dataclass(frozen=True)
class Shown:
    """Points of a question, the names of their studies, and what their score is."""

    points: pd.DataFrame
    studies: str
    score: str


def rule_points(studies: Studies) -> Shown:
    """Learning-rate rules, with and without warm-up."""
    return _first_recorded(
        studies, (learning_rate_rules.STUDY, learning_rate_rules.COLD), ("lr_rules",)
    )


def optimizer_points(studies: Studies) -> Shown:
    """Optimizers over node counts."""
    return _first_recorded(studies, (optimizers.STUDY,), ("optimizers",))


def cost_rows(studies: Studies, target: float | None) -> tuple[Shown, pd.DataFrame, float | None]:
    """Points, FOVs to the target for each, and the target; no rows where none is reached."""
    points, reached = cost_points(studies, target)
    if not reached.empty:
        return Shown(points, data_cost.STUDY, SCORE), reached, target
    names = ("batch_size", "lr_rules")
    old = ruled(with_warmup(scored_points(studies, *names, **_OLD)), "sqrt")  # type: ignore[arg-type]
    shown = Shown(old[old["optimizer"] == "adam"], ", ".join(names), OLD_SCORE)
    rows = _old_rows(studies, shown.points)
    chosen = best_target(rows)
    return shown, rows[rows["target"] == chosen], chosen


def best_target(rows: pd.DataFrame) -> float | None:
    """The highest target that every seed of at least three node counts reaches; None if none."""
    for target in sorted(F1_TARGETS, reverse=True):
        here = rows[rows["target"] == target]
        complete = here["fovs"].notna().groupby(here["nodes"]).all()
        if int(complete.sum()) >= _LEAST_COUNTS:
            return target
    return None


def _old_rows(studies: Studies, points: pd.DataFrame) -> pd.DataFrame:
    tables = [
        targets_table(ended(studies[name]), VALIDATION_F1, F1_TARGETS, _WINDOW)
        for name in points["experiment"].unique()
    ]
    known = points[["run_id", "nodes", "seed", "global_batch_size"]]
    if not tables:
        return known.assign(target=0.0, fovs=0.0, fovs_done=0.0).iloc[:0]
    return pd.concat(tables, ignore_index=True).merge(known, on="run_id")


def _first_recorded(studies: Studies, new: tuple[str, ...], old: tuple[str, ...]) -> Shown:
    points = scored_points(studies, *new)
    if len(points):
        return Shown(points, ", ".join(new), SCORE)
    points = scored_points(studies, *old, **_OLD)  # type: ignore[arg-type]
    return Shown(points, ", ".join(old), OLD_SCORE)
