"""Claims about learning-rate rules and warm-up, on synthetic and on real data. Pure."""

from __future__ import annotations

from typing import Final

import pandas as pd

from analysis.claims.scored_runs import Studies, describe, ruled, scored_points, with_warmup
from analysis.claims.seed_intervals import contrast, contrast_table, mean_over_nodes, seed_interval
from analysis.claims.verdict import MEASURED, UNDECIDED, UNKNOWN, Verdict, decide

STUDY: Final = "lr_rules"
REAL: Final = "fib25_sweep"
LARGEST_SMALL: Final = 16
"""Node counts up to this are small: the published boundary of linear scaling."""

MATTERS: Final = 0.02
"""Smallest difference in F1 that matters."""

_RULE = f"supported: whole interval above 0; not supported: whole interval below {MATTERS}"


def rule_verdicts(studies: Studies) -> list[Verdict]:
    """Linear at small counts, square-root at large ones, warm-up for either rule."""
    points = scored_points(studies, STUDY)
    linear, root = ruled(points, "linear"), ruled(points, "sqrt")
    between = rule_difference(points)
    small, large = _split(between)
    against = "both warmed up"
    return [
        _of_difference(
            "linear_small",
            f"Linear scaling with warm-up wins at small node counts (2 to {LARGEST_SMALL})",
            small,
            f"F1 of linear minus F1 of square-root scaling, {against}",
            with_warmup(pd.concat([linear, root])),
        ),
        _of_difference(
            "sqrt_large",
            f"Square-root scaling wins at large node counts (above {LARGEST_SMALL})",
            -large,
            f"F1 of square-root minus F1 of linear scaling, {against}",
            with_warmup(pd.concat([linear, root])),
        ),
        _warmup("warmup_linear", "linear", linear),
        _warmup("warmup_sqrt", "square-root", root),
    ]


def real_data_verdict(studies: Studies) -> Verdict:
    """Square-root scaling at large node counts, on the real volume."""
    points = with_warmup(scored_points(studies, REAL))
    _, large = _split(rule_difference(points))
    return _of_difference(
        "sqrt_large_real",
        f"On FIB-25, too, square-root scaling wins at large node counts (above {LARGEST_SMALL})",
        -large,
        "F1 of square-root minus F1 of linear scaling, both warmed up",
        points,
        -rule_difference(points),
    )


def rule_difference(points: pd.DataFrame) -> pd.DataFrame:
    """F1 of linear minus F1 of square-root scaling, warmed up: index seed, columns nodes > 1.

    At one node the two rules are the same.
    """
    warm = with_warmup(points)
    warm = warm[warm["nodes"] > 1]
    return contrast(ruled(warm, "linear"), ruled(warm, "sqrt"))


def warmup_difference(points: pd.DataFrame) -> pd.DataFrame:
    """F1 with minus F1 without warm-up of points of one rule: index seed, columns nodes."""
    return contrast(with_warmup(points), with_warmup(points, warm=False))


def _split(difference: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns of the small and of the large node counts."""
    small = difference.columns.to_numpy(dtype=int) <= LARGEST_SMALL
    return difference.loc[:, small], difference.loc[:, ~small]


def _warmup(key: str, name: str, points: pd.DataFrame) -> Verdict:
    difference = warmup_difference(points)
    return _of_difference(
        key,
        f"Warm-up matters for {name} scaling at large node counts (above {LARGEST_SMALL})",
        _split(difference)[1],
        "F1 with minus F1 without warm-up",
        points,
        difference,
    )


def _of_difference(
    key: str,
    claim: str,
    difference: pd.DataFrame,
    measure: str,
    points: pd.DataFrame,
    shown: pd.DataFrame | None = None,
) -> Verdict:
    """Verdict on a difference in F1 that the claim says is positive.

    Args:
        key: as in `Verdict`.
        claim: likewise.
        measure: likewise.
        difference: index seed, columns nodes: what is judged.
        points: what it comes from.
        shown: more of the same difference as evidence; None for what is judged.
    """
    per_seed = mean_over_nodes(difference)
    evidence = contrast_table(difference if shown is None else shown)
    counts = ", ".join(str(n) for n in difference.columns)
    if per_seed.empty:
        reason = f"no seed has both sides at every node count yet: {describe(points)}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, _RULE, MEASURED, reason, evidence)
    effect = seed_interval(per_seed.to_numpy())
    verdict = decide(effect, supported_above=0.0, refuted_below=MATTERS)
    full = f"{measure}, mean over nodes {counts}"
    return Verdict(key, claim, verdict, effect, full, _RULE, MEASURED, describe(points), evidence)
