"""Claims about which optimizers survive the large batch, from the study `optimizers`. Pure."""

from __future__ import annotations

from typing import Final

import pandas as pd

from analysis.claims.scored_runs import Studies, describe, score_table, scored_points
from analysis.claims.seed_intervals import contrast, seed_interval
from analysis.claims.verdict import (
    MEASURED,
    SUPPORTED,
    UNDECIDED,
    UNKNOWN,
    Verdict,
    decide,
)

STUDY: Final = "optimizers"
ADAPTIVE: Final = ("adagrad", "rmsprop", "adam", "lamb")
PLAIN: Final = ("sgd", "momentum")
MARGIN: Final = 0.05
"""Adam may fall behind the best rival by this much F1 and still count as one of the best."""

RETAINED: Final = 0.8
"""An optimizer survives when it keeps this share of the best score at the smallest node count."""

_WORDS = {SUPPORTED: "yes", UNDECIDED: "undecided"}


def optimizer_verdicts(studies: Studies) -> list[Verdict]:
    """Adam is among the best at the largest batch; adaptive optimizers beat plain ones there."""
    points = scored_points(studies, STUDY)
    evidence = survival_table(points)
    counts = sorted(points["nodes"].unique())
    largest = points[points["nodes"] == counts[-1]] if counts else points
    return [_adam(points, largest, evidence), _adaptive(points, largest, evidence)]


def survival_table(points: pd.DataFrame) -> pd.DataFrame:
    """Per optimizer and node count: score over seeds, and whether it survives there.

    It survives where the interval of its score lies above `RETAINED` times the best mean score at
    the smallest node count, and does not where it lies below.
    """
    table = score_table(points, ["nodes", "optimizer"])
    if table.empty:
        return table.assign(survives="")
    smallest = table[table["nodes"] == table["nodes"].min()]
    level = RETAINED * float(smallest["score"].max())
    survives = []
    for row in table.itertuples():
        same = (points["nodes"] == row.nodes) & (points["optimizer"] == row.optimizer)
        interval = seed_interval(points.loc[same, "score"].to_numpy())
        survives.append(_WORDS.get(decide(interval, level, level), "no"))
    table["survives"] = survives
    return table.sort_values(["nodes", "score"], ascending=[True, False], ignore_index=True)


def _adam(points: pd.DataFrame, largest: pd.DataFrame, evidence: pd.DataFrame) -> Verdict:
    key, claim = "adam_best", "Adam is among the best optimizers at the largest batch"
    measure = "F1 of Adam minus F1 of its best rival"
    rule = f"supported: interval above -{MARGIN}; not supported: interval below -{MARGIN}"
    adam = largest[largest["optimizer"] == "adam"]
    rivals = largest[largest["optimizer"] != "adam"]
    if adam.empty or rivals.empty:
        reason = f"Adam and a rival are needed at one node count: {describe(points)}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, evidence)
    best = rivals.groupby("optimizer")["score"].mean().idxmax()
    difference = contrast(adam, rivals[rivals["optimizer"] == best])
    effect = seed_interval(difference.to_numpy(dtype=float).ravel())
    verdict = decide(effect, supported_above=-MARGIN, refuted_below=-MARGIN)
    full = f"{measure} ({best}) at {int(adam['nodes'].iloc[0])} nodes"
    return Verdict(key, claim, verdict, effect, full, rule, MEASURED, describe(points), evidence)


def _adaptive(points: pd.DataFrame, largest: pd.DataFrame, evidence: pd.DataFrame) -> Verdict:
    key = "adaptive_survive"
    claim = "Adaptive optimizers survive the largest batch better than SGD and momentum"
    measure = "mean F1 of the adaptive minus mean F1 of the plain optimizers"
    rule = "supported: interval above 0; not supported: interval below 0.02"
    table = largest.pivot_table(index="seed", columns="optimizer", values="score")
    wanted = [*ADAPTIVE, *PLAIN]
    if not set(wanted) <= set(table.columns):
        missing = ", ".join(sorted(set(wanted) - set(table.columns)))
        reason = f"at the largest node count these have no point yet: {missing}; {describe(points)}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, evidence)
    table = table[wanted].dropna()
    gap = table[list(ADAPTIVE)].mean(axis=1) - table[list(PLAIN)].mean(axis=1)
    effect = seed_interval(gap.to_numpy())
    verdict = decide(effect, supported_above=0.0, refuted_below=0.02)
    full = f"{measure} at {int(largest['nodes'].iloc[0])} nodes"
    return Verdict(key, claim, verdict, effect, full, rule, MEASURED, describe(points), evidence)
