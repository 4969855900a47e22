"""Every claim of the plan judged at once, and the verdicts as tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from analysis.claims import (
    asked_again,
    crossover,
    data_cost,
    efficiency,
    growing,
    learning_rate_rules,
    optimizers,
    rate_growth,
    segmentation,
)
from analysis.stats.intervals import Estimate
from analysis.verdicts.claim import Claim
from analysis.verdicts.plan import CLAIMS
from analysis.verdicts.scored_runs import Studies
from analysis.verdicts.verdict import Finding, Verdict, corrected, settle

FINDERS: Final[Mapping[str, Any]] = {
    **rate_growth.FINDERS,
    **learning_rate_rules.FINDERS,
    **crossover.FINDERS,
    **optimizers.FINDERS,
    **segmentation.FINDERS,
    **efficiency.FINDERS,
    **asked_again.FINDERS,
}
"""What finds the effect of a claim in the studies, by its key."""

COSTED: Final[Mapping[str, data_cost.Costed]] = {
    **data_cost.FINDERS,
    **growing.FINDERS,
    **asked_again.COSTED,
}
"""The same of claims about the cost of the target score, which the pilot sets."""


def judge(studies: Studies, target: float | None = None) -> list[Verdict]:
    """A verdict on every claim of the plan, in its order.

    Args:
        studies: recorded studies by name; claims whose study is not among them are not run yet.
        target: score whose cost the study asks for, as the pilot set it; None before.
    """
    return corrected([settle(claim, find(claim, studies, target)) for claim in CLAIMS])


def find(claim: Claim, studies: Studies, target: float | None) -> Finding:
    """What the studies give for a claim; nothing for one that this machine cannot test."""
    if not claim.testable:
        return Finding(Estimate(None, None, 0, 0, claim.takes), "no run on this machine can tell")
    if claim.key in COSTED:
        return COSTED[claim.key](studies, target)
    found: Finding = FINDERS[claim.key](studies)
    return found


def verdict_table(verdicts: list[Verdict]) -> pd.DataFrame:
    """One row per claim: key, claim, verdict, measure, estimate, low, high, count, ..."""
    rows = [
        {
            "key": one.key,
            "claim": one.claim,
            "verdict": one.verdict,
            "measure": one.measure,
            "estimate": one.effect.estimate,
            "low": one.effect.low,
            "high": one.effect.high,
            "count": one.effect.count,
            "p_value": one.p_value,
            "adjusted_p_value": one.adjusted,
            "family": one.family,
            "kind": one.kind,
            "rule": one.rule,
            "basis": one.basis,
            "needs": one.needs,
            "finding": one.finding,
        }
        for one in verdicts
    ]
    return pd.DataFrame(rows)


def plan_table() -> pd.DataFrame:
    """The plan itself, a row for each claim: what decides it, by which runs, with what power."""
    rows = [
        {
            "claim": claim.claim,
            "tests": claim.finding,
            "part": claim.part,
            "effect": claim.measure,
            "runs": ", ".join(claim.studies) or "-",
            "rule": claim.rule(),
            "family": claim.family or "-",
            "seeds": claim.seeds if claim.family else None,
            "power": claim.power() if claim.family else "-",
        }
        for claim in CLAIMS
    ]
    return pd.DataFrame(rows)
