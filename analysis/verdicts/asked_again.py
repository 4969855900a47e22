"""Claims of the study asked again of fresh seeds, by the same rules: its later stages. Pure.

Each stage was written down after a look at the one before, and before any run of its own. Its
claims were chosen by what that look showed, so only fresh seeds count, in a family of their own.
The verdicts of the earlier stages stand as they were.

The second stage (`rules_again`) asks four claims about 64 nodes: three that Holm's correction alone
had left undecided, and the published one that square-root scaling wins.

The third stage asks four claims that two cores could be expected to decide in two hours: linear
against square-root scaling at few nodes (`rules_small_again`, more seeds), the time that large
batches save (`data_cost_again`, three times the FOVs at 64 nodes, where runs had ended before the
target), and the two about optimizers (`optimizers_again`, rates from both tuning seeds: from one
alone, Adagrad had a rate that it did not survive).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from analysis.verdicts.claim import Claim

SECOND: Final = "second stage"
THIRD: Final = "third stage"
SUFFIX: Final = "_again"
"""Of the key of a claim that is asked again."""


def second_stage(first: Sequence[Claim]) -> tuple[Claim, ...]:
    """Its claims, made from those of the first stage."""
    seeds = 16
    studies = ("rules_again",)

    def again(key: str, **known: Any) -> Claim:
        return _again(first, key, SECOND, studies=studies, seeds=seeds, **known)

    return (
        again(
            "sqrt_large",
            measure="F1 of square-root minus F1 of linear scaling at 64 nodes, surviving pairs,"
            " fresh seeds",
            spread=0.09,
        ),
        again("linear_dies"),
        again("linear_dies_base"),
        again("warmup_deaths"),
    )


def third_stage(first: Sequence[Claim]) -> tuple[Claim, ...]:
    """Its claims, made from those of the first stage; spreads are those that it measured."""

    def again(key: str, study: str, seeds: int, spread: float) -> Claim:
        return _again(first, key, THIRD, studies=(study,), seeds=seeds, spread=spread)

    return (
        again("linear_small", "rules_small_again", 12, 0.024),
        again("large_batch_time", "data_cost_again", 8, 0.5),
        again("adam_best", "optimizers_again", 10, 0.013),
        again("adaptive_survive", "optimizers_again", 10, 0.011),  # of all but Adagrad
    )


def _again(first: Sequence[Claim], key: str, stage: str, **known: Any) -> Claim:
    """A claim of the first stage, to be asked by the same rule; `known` is what differs."""
    (one,) = (claim for claim in first if claim.key == key)
    # A name keeps its capital after the colon.
    sentence = one.claim if one.claim.startswith("Adam ") else one.claim[0].lower() + one.claim[1:]
    return replace(
        one,
        key=key + SUFFIX,
        claim=f"Asked again: {sentence}",
        part=stage,
        family=stage,
        **known,
    )
