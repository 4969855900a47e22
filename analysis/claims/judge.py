"""Every claim judged at once, and the verdicts as tables. Pure."""

from __future__ import annotations

import math

import pandas as pd

from analysis.claims.accuracy import accuracy_verdict
from analysis.claims.crossover import crossover_verdicts
from analysis.claims.data_cost import data_cost_verdicts
from analysis.claims.efficiency import efficiency_verdicts
from analysis.claims.learning_rate_rules import real_data_verdict, rule_verdicts
from analysis.claims.optimizers import optimizer_verdicts
from analysis.claims.rate_growth import rate_growth_verdicts
from analysis.claims.scored_runs import Studies
from analysis.claims.segmentation import segmentation_verdicts
from analysis.claims.verdict import Verdict
from analysis.stats.intervals import Interval


def judge(studies: Studies) -> list[Verdict]:
    """A verdict on every claim, undecided where runs are missing."""
    return [
        *rule_verdicts(studies),
        *crossover_verdicts(studies),
        *data_cost_verdicts(studies),
        *optimizer_verdicts(studies),
        *rate_growth_verdicts(studies),
        *efficiency_verdicts(),
        accuracy_verdict(studies),
        *segmentation_verdicts(studies),
        real_data_verdict(studies),
    ]


def verdict_table(verdicts: list[Verdict]) -> pd.DataFrame:
    """One row per claim: key, claim, verdict, measure, estimate, low, high, count, kind, ..."""
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
            "kind": one.kind,
            "rule": one.rule,
            "basis": one.basis,
        }
        for one in verdicts
    ]
    return pd.DataFrame(rows)


def effect_text(effect: Interval) -> str:
    """`0.12 (0.05 to 0.19)`, without bounds where there are none, `-` where nothing is known."""
    if math.isnan(effect.estimate):
        return "-"
    if math.isnan(effect.low):
        return f"{effect.estimate:.3g} (no interval)"
    return f"{effect.estimate:.3g} ({effect.low:.3g} to {effect.high:.3g})"


def verdict_sentence(verdict: Verdict) -> str:
    """The finding in words, as Markdown."""
    known = not math.isnan(verdict.effect.estimate)
    size = f" {_capital(verdict.measure)}: {effect_text(verdict.effect)}." if known else ""
    source = f"{verdict.basis}; {verdict.kind}."
    return f"**{_capital(verdict.verdict)}**: {verdict.claim}.{size} *({source})*"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
