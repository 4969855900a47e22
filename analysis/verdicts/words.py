"""Verdicts in words: effects rounded to what their interval tells, and short sentences. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analysis.text import capitalized
from analysis.verdicts.asked_again import SUFFIX
from analysis.verdicts.verdict import (
    ALONE,
    MEASURED,
    NOT_RUN,
    NOT_TESTABLE,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
)

DECIDED: Final = (SUPPORTED, REFUTED)


@dataclass(frozen=True)
class Wording:
    """A claim for readers who have not seen the plan, one sentence for each way it can come out.

    `{effect}` stands for the effect with its interval, other names for the first row of evidence.
    """

    supported: str
    refuted: str
    undecided: str


HEADLINES: Final = (
    "linear_small",
    "sqrt_large",
    "warmup_deaths",
    "small_batch_data",
    "efficiency_2048",
)
"""Claims that RESULTS opens with, chosen before the runs."""

SENTENCES: Final[Mapping[str, Wording]] = {
    "linear_small": Wording(
        "At 4 and 16 nodes, linear scaling beats square-root scaling by {effect} in F1.",
        "At 4 and 16 nodes, linear scaling is no better than square-root scaling: it differs by"
        " {effect} in F1.",
        "At 4 and 16 nodes, the runs cannot tell linear from square-root scaling: they differ by"
        " {effect} in F1.",
    ),
    "sqrt_large": Wording(
        "At 64 nodes, square-root scaling beats linear scaling by {effect} in F1.",
        "At 64 nodes, square-root scaling is no better than linear scaling: it differs by {effect}"
        " in F1.",
        "At 64 nodes, square-root scaling may beat linear scaling: it differs by {effect} in F1.",
    ),
    "warmup_deaths": Wording(
        "At 64 nodes, linear scaling needs its warm-up: {died} of {of} runs died without it,"
        " {other_died} of {other_of} with it.",
        "At 64 nodes, warm-up does not keep linear scaling alive: {died} of {of} runs died without"
        " it, {other_died} of {other_of} with it.",
        "At 64 nodes, linear scaling may need its warm-up: {died} of {of} runs died without it,"
        " {other_died} of {other_of} with it.",
    ),
    "small_batch_data": Wording(
        "Large batches cost data: 64 nodes take {effect} times the FOVs of 1 node to the same F1.",
        "Large batches cost no data: 64 nodes take {effect} times the FOVs of 1 node to the same"
        " F1.",
        "Large batches may cost data: 64 nodes take {effect} times the FOVs of 1 node to the same"
        " F1.",
    ),
    "efficiency_2048": Wording(
        "Models fitted to the published throughput of 1 to 1024 nodes predict the efficiency at"
        " 2048: they are off by {effect}.",
        "Models fitted to the published throughput of 1 to 1024 nodes miss the efficiency at 2048"
        " by {effect}.",
        "Models fitted to the published throughput of 1 to 1024 nodes miss the efficiency at 2048"
        " by {effect}: too wide an interval to call it a prediction.",
    ),
    "linear_low_base": Wording(
        "From a quarter of the base rate, linear scaling is as good as square-root scaling at 64"
        " nodes: {effect} in F1.",
        "Even from a quarter of the base rate, linear scaling is behind square-root scaling at 64"
        " nodes: {effect} in F1.",
        "From a quarter of the base rate, linear scaling may be as good as square-root scaling at"
        " 64 nodes: {effect} in F1.",
    ),
    "warmup_sqrt": Wording(
        "Warm-up helps square-root scaling at 16 and 64 nodes: {effect} in F1.",
        "Warm-up does not help square-root scaling at 16 and 64 nodes: {effect} in F1.",
        "Warm-up may help square-root scaling at 16 and 64 nodes: {effect} in F1.",
    ),
    "growing_batch_data": Wording(
        "Growing the batch (4, 16, then 64 nodes) saves data: 64 nodes throughout take {effect}"
        " times as many FOVs.",
        "Growing the batch (4, 16, then 64 nodes) saves no data: 64 nodes throughout take {effect}"
        " times as many FOVs.",
        "Growing the batch (4, 16, then 64 nodes) may save data: 64 nodes throughout take {effect}"
        " times as many FOVs.",
    ),
    "growing_batch_time": Wording(
        "Growing the batch saves time, as modeled: 4 nodes throughout take {effect} times as long.",
        "Growing the batch saves no time, as modeled: 4 nodes throughout take {effect} times as"
        " long.",
        "Growing the batch may save time, as modeled: 4 nodes throughout take {effect} times as"
        " long.",
    ),
    "sqrt_large_again": Wording(
        "On fresh seeds at 64 nodes, square-root scaling beats linear scaling by {effect} in F1.",
        "On fresh seeds at 64 nodes, square-root scaling is no better than linear scaling: it"
        " differs by {effect} in F1.",
        "On fresh seeds at 64 nodes, square-root scaling may beat linear scaling: it differs by"
        " {effect} in F1.",
    ),
    "linear_dies_again": Wording(
        "On fresh seeds at 64 nodes, linear scaling dies where square-root scaling lives: {died}"
        " of {of} runs against {other_died} of {other_of}.",
        "On fresh seeds at 64 nodes, linear scaling with its warm-up mostly lives: {died} of"
        " {of} runs died, with square-root scaling {other_died} of {other_of}.",
        "On fresh seeds at 64 nodes, linear scaling may die more often than square-root scaling:"
        " {died} of {of} runs against {other_died} of {other_of}.",
    ),
    "linear_dies_base_again": Wording(
        "On fresh seeds at 64 nodes, linear scaling dies from the tuned base rate and lives from"
        " a quarter of it: {died} of {of} runs against {other_died} of {other_of}.",
        "On fresh seeds at 64 nodes, linear scaling mostly lives from the tuned base rate, too:"
        " {died} of {of} runs died, from a quarter of it {other_died} of {other_of}.",
        "On fresh seeds at 64 nodes, linear scaling may die more often from the tuned base rate"
        " than from a quarter of it: {died} of {of} runs against {other_died} of {other_of}.",
    ),
    "warmup_deaths_again": Wording(
        "On fresh seeds at 64 nodes, linear scaling needs its warm-up: {died} of {of} runs died"
        " without it, {other_died} of {other_of} with it.",
        "On fresh seeds at 64 nodes, warm-up does not keep linear scaling alive: {died} of {of}"
        " runs died without it, {other_died} of {other_of} with it.",
        "On fresh seeds at 64 nodes, linear scaling may need its warm-up: {died} of {of} runs"
        " died without it, {other_died} of {other_of} with it.",
    ),
    "linear_small_again": Wording(
        "On fresh seeds at 4 and 16 nodes, linear scaling beats square-root scaling by {effect}"
        " in F1.",
        "On fresh seeds at 4 and 16 nodes, linear scaling is no better than square-root scaling:"
        " it differs by {effect} in F1.",
        "On fresh seeds at 4 and 16 nodes, the runs cannot tell linear from square-root scaling:"
        " they differ by {effect} in F1.",
    ),
    "large_batch_time_again": Wording(
        "On fresh seeds, large batches save time, as modeled: 1 node takes {effect} times as long"
        " as 64 to the same F1.",
        "On fresh seeds, large batches save no time, as modeled: 1 node takes {effect} times as"
        " long as 64 to the same F1.",
        "On fresh seeds, large batches may save time, as modeled: 1 node takes {effect} times as"
        " long as 64 to the same F1.",
    ),
    "adam_best_again": Wording(
        "On fresh seeds at 64 nodes, Adam is among the best optimizers: it differs by {effect}"
        " in F1 from the rival that it beats least.",
        "On fresh seeds at 64 nodes, Adam is not among the best optimizers: it differs by"
        " {effect} in F1 from the best, {optimizer}.",
        "On fresh seeds at 64 nodes, Adam may be among the best optimizers: it differs by"
        " {effect} in F1 from the rival that it beats least.",
    ),
    "adaptive_survive_again": Wording(
        "On fresh seeds at 64 nodes, adaptive optimizers beat momentum by {effect} in F1.",
        "On fresh seeds at 64 nodes, adaptive optimizers are no better than momentum: they"
        " differ by {effect} in F1.",
        "On fresh seeds at 64 nodes, adaptive optimizers may beat momentum: they differ by"
        " {effect} in F1.",
    ),
    "coupling": Wording(
        "Two coupled ranks keep {effect} of the throughput of two uncoupled ones.",
        "Two coupled ranks lose more than a tenth: they keep {effect} of the throughput of two"
        " uncoupled ones.",
        "Two coupled ranks may lose more than a tenth: they keep {effect} of the throughput of two"
        " uncoupled ones.",
    ),
}
"""What pages quote of a claim in place of it; others are quoted as they stand."""


def headline(verdict: Verdict) -> str:
    """One sentence that says what came out, and the verdict."""
    known = SENTENCES.get(verdict.key)
    forms = {} if known is None else vars(known)
    row = verdict.evidence.iloc[0].to_dict() if len(verdict.evidence) else {}
    form = forms.get(verdict.verdict, "")
    if not form or verdict.effect.estimate is None:
        more = f" It takes {verdict.needs}." if verdict.verdict == NOT_TESTABLE else ""
        if verdict.verdict in DECIDED:
            more = f" Effect: {effect_text(verdict)}."
        return f"**{capitalized(verdict.verdict)}**: {verdict.claim}.{more}"
    said = form.format_map({**row, "effect": effect_text(verdict)})
    claim = "claim " if verdict.verdict in DECIDED else ""
    # After it: before a sentence that denies the claim, "refuted" would deny the sentence.
    return f"{said} *{capitalized(claim + verdict.verdict)}.*"


def decided(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Keys of the claims that are supported or refuted."""
    return [key for key, one in verdicts.items() if one.verdict in DECIDED]


def newest(verdicts: Mapping[str, Verdict], key: str) -> str:
    """The key of a claim, or of the same claim asked again where runs have answered that."""
    later = verdicts.get(key + SUFFIX)
    return key if later is None or later.verdict == NOT_RUN else later.key


def opening(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Keys of what a page about the results opens with: `HEADLINES`, each as asked last."""
    return [newest(verdicts, key) for key in HEADLINES]


def leaning(verdict: Verdict) -> str:
    """Which verdict the interval of a claim alone would give; empty where it gives no other."""
    alone = verdict.needs.endswith(ALONE) and verdict.verdict == UNDECIDED
    return verdict.needs.removesuffix(ALONE).strip() if alone else ""


def sentence(verdict: Verdict) -> str:
    """The verdict, the claim, its effect and what is missing, as Markdown."""
    known = verdict.effect.estimate is not None
    size = f" {capitalized(verdict.measure)}: {effect_text(verdict)}." if known else ""
    needs = f" {capitalized(verdict.needs)}." if verdict.needs else ""
    kind = f" {capitalized(verdict.kind)}." if known and verdict.kind != MEASURED else ""
    ran = "" if known or verdict.verdict == NOT_TESTABLE else f" {capitalized(verdict.basis)}."
    return f"**{capitalized(verdict.verdict)}**: {verdict.claim}.{size}{needs}{kind}{ran}"


def effect_text(verdict: Verdict) -> str:
    """`0.12 (0.05 to 0.19)`; `-` where nothing is known, `no interval` where there is none.

    A bound has one end only: the other end of its interval would say how far runs went, not how
    large the effect is.
    """
    effect = verdict.effect
    if effect.estimate is None:
        return "-"
    if effect.low is None or effect.high is None:
        return f"{effect.estimate:.3g} (no interval)"
    estimate, low, high = rounded(effect.estimate, effect.low, effect.high)
    if verdict.bound == "low":
        return f"at least {estimate} ({low} or more)"
    if verdict.bound == "high":
        return f"at most {estimate} ({high} or less)"
    return f"{estimate} ({low} to {high})"


def rounded(estimate: float, low: float, high: float) -> list[str]:
    """An estimate and its bounds with the same decimals, as many as half the interval tells."""
    values, half = (estimate, low, high), (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return [f"{v:.3g}" if math.isfinite(v) else "no bound" for v in values]
    # Two digits of a quarter of the interval: the second of the half alone moves bounds visibly.
    decimals = max(0, 1 - math.floor(math.log10(half / 2)))
    return [f"{round(v, decimals) + 0.0:.{decimals}f}" for v in values]  # no minus before 0
