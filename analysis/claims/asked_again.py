"""Claims asked again of fresh seeds: the same finders, over the studies of a later stage. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from analysis.claims import data_cost, learning_rate_rules, optimizers
from analysis.claims.learning_rate_rules import COLD, LOW_BASE
from analysis.verdicts.scored_runs import Studies
from analysis.verdicts.verdict import Finding, no_runs

SECOND: Final = "rules_again"
SMALL_COUNTS: Final = "rules_small_again"
LONGER: Final = "data_cost_again"
OPTIMIZERS: Final = "optimizers_again"

Find = Callable[[Studies], Finding]


def of_second_stage(find: Find) -> Find:
    """The same question to the second stage, whose one study holds the parts of three."""

    def found(studies: Studies) -> Finding:
        if _empty(studies, SECOND):
            return no_runs(SECOND)
        runs = studies[SECOND]
        warm = runs.table["warmup"] != "none"
        full = runs.table["lr_base"] == runs.table["lr_base"].max()
        parts = {learning_rate_rules.STUDY: warm & full, LOW_BASE: warm & ~full, COLD: ~warm}
        return find({name: runs.select(part) for name, part in parts.items() if part.any()})

    return found


def of_study(find: Find, first: str, again: str) -> Find:
    """The same question to one study of the third stage.

    Args:
        find: reads the study `first`.
        first: name of the study of the first stage.
        again: name of the study that is asked in its place.
    """

    def found(studies: Studies) -> Finding:
        return no_runs(again) if _empty(studies, again) else find({first: studies[again]})

    return found


def large_batch_time_again(studies: Studies, target: float | None) -> Finding:
    """log2 of the modeled time to the target at few nodes over that at many, which ran longer."""

    def find(renamed: Studies) -> Finding:
        return data_cost.large_batch_time(renamed, target)

    return of_study(find, data_cost.STUDY, LONGER)(studies)


FINDERS: Final[Mapping[str, Find]] = {
    f"{one.__name__}_again": of_second_stage(one)
    for one in (
        learning_rate_rules.sqrt_large,
        learning_rate_rules.linear_dies,
        learning_rate_rules.linear_dies_base,
        learning_rate_rules.warmup_deaths,
    )
} | {
    "linear_small_again": of_study(
        learning_rate_rules.linear_small, learning_rate_rules.STUDY, SMALL_COUNTS
    ),
    **{
        f"{one.__name__}_again": of_study(one, optimizers.STUDY, OPTIMIZERS)
        for one in (optimizers.adam_best, optimizers.adaptive_survive)
    },
}

COSTED: Final[Mapping[str, data_cost.Costed]] = {
    one.__name__: one for one in (large_batch_time_again,)
}


def _empty(studies: Studies, name: str) -> bool:
    return name not in studies or studies[name].table.empty
