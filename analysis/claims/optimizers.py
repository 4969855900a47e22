"""Claims about which optimizers are good at the large batch, each at its tuned rate. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from analysis.stats.hypothesis_tests import Weakest
from analysis.stats.intervals import Estimate, mean_estimate
from analysis.verdicts.plan import LARGE
from analysis.verdicts.scored_runs import Studies, alive, at, describe, score_table, scored_points
from analysis.verdicts.seed_intervals import contrast
from analysis.verdicts.verdict import Finding, no_runs

STUDY: Final = "optimizers_tuned"
ADAPTIVE: Final = ("adagrad", "rmsprop", "adam", "lamb")
PLAIN: Final = "momentum"
RIVALS: Final = ("adagrad", "rmsprop", "lamb", "momentum")


def adam_best(studies: Studies) -> Finding:
    """Adam minus each rival at the large node count; the one it beats least decides."""
    points = at(scored_points(studies, STUDY), LARGE)
    if missing := _missing(points, ("adam", *RIVALS)):
        return no_runs(STUDY, why=f"no finished point with {missing}")
    adam = _of(points, "adam")
    effect = Weakest(tuple(_gain(adam, _of(points, rival)) for rival in RIVALS))
    note = f"here {RIVALS[effect.index]}"
    return Finding(effect, describe(points), survivors(points), note=note)


def adaptive_survive(studies: Studies) -> Finding:
    """Mean of the adaptive optimizers minus momentum at the large node count."""
    points = at(scored_points(studies, STUDY), LARGE)
    if missing := _missing(points, (*ADAPTIVE, PLAIN)):
        return no_runs(STUDY, why=f"no finished point with {missing}")
    effect, co_primary = (
        mean_estimate(adaptive_gain(points, value).to_numpy()) for value in ("score", "auc")
    )
    return Finding(effect, describe(points), survivors(points), co_primary)


FINDERS: Final[Mapping[str, Callable[[Studies], Finding]]] = {
    one.__name__: one for one in (adam_best, adaptive_survive)
}


def adaptive_gain(points: pd.DataFrame, value: str) -> pd.Series:
    """By seed: mean over the adaptive optimizers minus momentum; seeds of which all survived."""
    table = alive(points).pivot_table(index="seed", columns="optimizer", values=value)
    table = table.reindex(columns=[*ADAPTIVE, PLAIN]).dropna()
    return table[list(ADAPTIVE)].mean(axis="columns") - table[PLAIN]


def survivors(points: pd.DataFrame) -> pd.DataFrame:
    """Per node count and optimizer: score of the runs that survived, and how many died."""
    table = score_table(alive(points), ["nodes", "optimizer"])
    died = points.groupby(["nodes", "optimizer"])["dead"].agg(died="sum", of="size").reset_index()
    merged = died.merge(table, on=["nodes", "optimizer"], how="left")
    return merged.sort_values(["nodes", "score"], ascending=[True, False], ignore_index=True)


def _gain(first: pd.DataFrame, second: pd.DataFrame) -> Estimate:
    return mean_estimate(contrast(alive(first), alive(second)).to_numpy(dtype=float).ravel())


def _of(points: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    return points[points["optimizer"] == optimizer]


def _missing(points: pd.DataFrame, wanted: tuple[str, ...]) -> str:
    return ", ".join(sorted(set(wanted) - set(points["optimizer"])))
