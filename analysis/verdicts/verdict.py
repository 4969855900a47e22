"""What the runs say about one claim, decided by the rule of the plan. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from analysis.stats.hypothesis_tests import Deaths, Effect, equivalence, holm
from analysis.stats.intervals import Estimate
from analysis.stats.power import runs_for_deaths
from analysis.verdicts.claim import Claim, seeds_to_decide
from analysis.verdicts.plan import LEVEL

SUPPORTED: Final = "supported"
REFUTED: Final = "refuted"
UNDECIDED: Final = "undecided"
NOT_REACHED: Final = "not reached"
NOT_TESTABLE: Final = "not testable here"
NOT_RUN: Final = "not run yet"
STATUSES: Final = (SUPPORTED, REFUTED, UNDECIDED, NOT_REACHED, NOT_TESTABLE, NOT_RUN)

ALONE: Final = "by its own interval, but not after Holm's correction"

MEASURED: Final = "measured"
MODELED: Final = "modeled"


@dataclass(frozen=True)
class Size:
    """An effect with its confidence bounds in the unit of the measure; None where unknown."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0


@dataclass(frozen=True)
class Finding:
    """What runs give for one claim, before it is judged.

    Attributes:
        effect: on the scale that is judged (of a ratio, its base-2 logarithm).
        basis: runs it rests on, or why there is none.
        evidence: the numbers behind it, tidy.
        co_primary: the same effect on the co-primary score.
        note: more about the measure: a target, a rival.
        kind: whether the effect is measured or modeled, and on what.
        outcome: NOT_REACHED or NOT_RUN where there is nothing to judge.
        bound: "low" where the effect is at least this large, because runs missed the target: such a
            one may support, and refutes nothing; "high" the other way.
        takes: what it would take to have a result, of one that was not reached.
    """

    effect: Effect
    basis: str
    evidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    co_primary: Effect | None = None
    note: str = ""
    kind: str = MEASURED
    outcome: str = ""
    bound: str = ""
    takes: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the runs say about one claim.

    Attributes:
        key: short name, for files and tables.
        claim: a sentence that can be true or false.
        verdict: one of STATUSES.
        effect: size with its confidence bounds; `count` is the seeds (or points) it rests on.
        measure: what `effect` is, with its unit.
        rule: which bounds support or refute the claim.
        kind: whether the effect is measured or modeled, and on what.
        basis: runs it rests on.
        needs: why it is not decided, and the seeds or machines that it would take.
        p_value: two-sided, of the rule being met; None where nothing was tested.
        adjusted: the same after Holm's correction over the family.
        family: claims that are corrected together; None of those no test decides.
        finding: what was published that it tests.
        evidence: the numbers behind it, tidy.
        bound: "low" where the effect is at least this large, "high" where it is at most; as found.
    """

    key: str
    claim: str
    verdict: str
    effect: Size
    measure: str
    rule: str
    kind: str
    basis: str
    needs: str = ""
    p_value: float | None = None
    adjusted: float | None = None
    family: str | None = None
    finding: str = ""
    evidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    bound: str = ""


def no_runs(*studies: str, why: str = "no finished point") -> Finding:
    """The finding of a claim whose study is not recorded."""
    names = ", ".join(f"`{name}`" for name in studies)
    effect = Estimate(None, None, 0, 0, "no run")
    return Finding(effect, f"not run yet: {why} of {names}", outcome=NOT_RUN)


def settle(claim: Claim, found: Finding) -> Verdict:
    """Judge a finding by the claim's rule, before any correction for the number of claims."""
    measure = claim.measure + (f" ({found.note})" if found.note else "")
    plain = Verdict(
        claim.key,
        claim.claim,
        found.outcome,
        size(claim, found.effect),
        measure,
        claim.rule(),
        found.kind,
        found.basis,
        found.takes,
        family=claim.family,
        finding=claim.finding,
        evidence=found.evidence,
        bound=found.bound,
    )
    if not claim.testable:
        return replace(plain, verdict=NOT_TESTABLE, needs=claim.takes)
    if found.outcome:
        return plain
    supports, refutes = p_values(claim, found.effect)
    supports, refutes = _allowed(supports, refutes, found.bound)
    if supports is None or refutes is None:
        return replace(plain, verdict=UNDECIDED, needs=found.effect.reason)
    p_value = min(supports, refutes)
    if refutes < 1 - LEVEL:
        return replace(plain, verdict=REFUTED, p_value=refutes)
    if supports < 1 - LEVEL and not _agrees(claim, found):
        needs = "the co-primary score does not point the same way"
        return replace(plain, verdict=UNDECIDED, p_value=1.0, needs=needs)
    if supports < 1 - LEVEL:
        return replace(plain, verdict=SUPPORTED, p_value=supports)
    return replace(plain, verdict=UNDECIDED, p_value=p_value, needs=seeds_in_words(claim, found))


def p_values(claim: Claim, effect: Effect) -> tuple[float | None, float | None]:
    """Two-sided p-values of the effect lying in the region that supports, and that refutes.

    Twice the one-sided ones, so that 0.05 is where the 95 % interval touches the region's edge.
    """
    region = claim.scaled()
    inside = equivalence(effect, region.low, region.high)
    sides = [effect.p_below(region.least) if math.isfinite(region.least) else None]
    sides.append(effect.p_above(region.most) if math.isfinite(region.most) else None)
    outside = [p for p in sides if p is not None]
    if inside is None or not outside:
        return None, None
    return min(1.0, 2 * inside), min(1.0, 2 * min(outside))


def size(claim: Claim, effect: Effect) -> Size:
    """The effect in the unit of the measure, a ratio as such."""
    bounds = effect.bounds(LEVEL)
    values = (effect.value, *(bounds if bounds is not None else (None, None)))
    estimate, low, high = (float(2.0**v) if claim.ratio and v is not None else v for v in values)
    return Size(estimate, low, high, effect.count)


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts after Holm's correction within each family.

    A claim of a family without a p-value counts as one that could not be decided: the number of
    claims is that of the plan, whatever came of them.
    """
    result = list(verdicts)
    for family in {one.family for one in verdicts if one.family is not None}:
        places = [i for i, one in enumerate(verdicts) if one.family == family]
        known = [verdicts[i].p_value for i in places]
        adjusted = holm([1.0 if p is None else p for p in known])
        for place, before, after in zip(places, known, adjusted, strict=True):
            if before is not None:
                result[place] = _after_holm(verdicts[place], after)
    return result


def seeds_in_words(claim: Claim, found: Finding) -> str:
    """How many seeds would decide the claim, given the spread that was seen."""
    effect = found.effect
    if found.bound:
        return "runs missed the target within their budget: it takes a longer one"
    if isinstance(effect, Deaths):
        runs = runs_for_deaths(effect, LEVEL)
        return f"about {runs} runs a side at these shares" if runs else "more deaths than were seen"
    if not isinstance(effect, Estimate) or effect.error is None:
        return "the interval reaches into both regions"
    seeds = seeds_to_decide(claim.scaled(), effect.error * math.sqrt(effect.count))
    if seeds is None:
        return "more seeds than are worth running: another design"
    # As many as there were can be too few by bad luck: another draw is needed all the same.
    return f"about {max(seeds, effect.count + 1)} seeds, to see the least that matters"


def _allowed(
    supports: float | None, refutes: float | None, bound: str
) -> tuple[float | None, float | None]:
    """p-values without the side that an effect known only from one side cannot speak for."""
    if supports is None or refutes is None:
        return None, None
    return (1.0 if bound == "high" else supports), (1.0 if bound == "low" else refutes)


def _agrees(claim: Claim, found: Finding) -> bool:
    """Whether the co-primary has the sign that the claim says, where the claim asks for it."""
    if not claim.sign:
        return True
    return found.co_primary is not None and (found.co_primary.value or 0.0) > 0


def _after_holm(verdict: Verdict, adjusted: float | None) -> Verdict:
    """A verdict that the number of claims takes back is undecided."""
    stands = adjusted is not None and adjusted < 1 - LEVEL
    if stands or verdict.verdict not in (SUPPORTED, REFUTED):
        return replace(verdict, adjusted=adjusted)
    needs = f"{verdict.verdict} {ALONE}"
    return replace(verdict, adjusted=adjusted, verdict=UNDECIDED, needs=needs)
