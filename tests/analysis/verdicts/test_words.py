"""Effects and verdicts in words."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from analysis.claims.judge import judge
from analysis.verdicts.plan import BY_KEY
from analysis.verdicts.verdict import ALONE, REFUTED, SUPPORTED, UNDECIDED, Size
from analysis.verdicts.words import (
    HEADLINES,
    SENTENCES,
    decided,
    effect_text,
    headline,
    leaning,
    newest,
    opening,
    sentence,
)

WITHOUT_RUNS = {one.key: one for one in judge({})}


def verdict(key="sqrt_large", **changes):
    return replace(WITHOUT_RUNS[key], **changes)


@pytest.mark.parametrize(
    ("size", "bound", "text"),
    [
        (Size(0.1234, 0.05, 0.2, 3), "", "0.123 (0.050 to 0.200)"),
        (Size(0.00168, -0.0285, 0.0319, 5), "", "0.002 (-0.029 to 0.032)"),
        (Size(23.81, 11.52, 49.24, 4), "", "23.8 (11.5 to 49.2)"),
        (Size(1234.0, 700.0, 2400.0, 4), "", "1234 (700 to 2400)"),
        (Size(-0.0001, -0.04, 0.04, 4), "", "0.000 (-0.040 to 0.040)"),
        (Size(2.119, 1.024, 4.38, 4), "low", "at least 2.12 (1.02 or more)"),
        (Size(2.119, 1.024, 4.38, 4), "high", "at most 2.12 (4.38 or less)"),
        (Size(0.5, None, None, 1), "", "0.5 (no interval)"),
        (Size(0.5, 0.5, 0.5, 3), "", "0.5 (0.5 to 0.5)"),
        (Size(40.0, 20.0, math.inf, 8), "", "40 (20 to no bound)"),
        (Size(), "", "-"),
    ],
)
def test_effects_have_the_digits_that_their_interval_tells(size, bound, text):
    assert effect_text(verdict(effect=size, bound=bound)) == text


@pytest.mark.parametrize("key", SENTENCES)
@pytest.mark.parametrize("outcome", [SUPPORTED, REFUTED, UNDECIDED])
def test_every_headline_reads_whatever_comes_out(key, outcome):
    assert key in BY_KEY
    assert set(HEADLINES) <= set(SENTENCES)
    row = pd.DataFrame([{"died": 7, "of": 8, "other_died": 1, "other_of": 8, "optimizer": "lamb"}])
    said = headline(verdict(key, verdict=outcome, effect=Size(0.5, 0.4, 0.6, 8), evidence=row))
    verdict_said = outcome if outcome == UNDECIDED else f"claim {outcome}"
    assert said.endswith(f". *{verdict_said.capitalize()}.*")
    assert "{" not in said
    of_deaths = key.startswith("warmup_deaths") or key in (
        "linear_dies_again",
        "linear_dies_base_again",
    )
    parts = ("7 of 8 runs", "1 of 8") if of_deaths else ("0.500 (0.400 to 0.600)",)
    assert all(part in said for part in parts)


def test_a_headline_without_runs_is_the_claim():
    assert headline(verdict()) == f"**Not run yet**: {BY_KEY['sqrt_large'].claim}."
    claim = BY_KEY["accuracy"]
    assert headline(verdict("accuracy")) == (
        f"**Not testable here**: {claim.claim}. It takes {claim.takes}."
    )


def test_what_is_decided_is_quoted_with_its_effect():
    key = "linear_dies"
    assert decided(WITHOUT_RUNS) == []
    known = verdict(key, verdict=REFUTED, effect=Size(-0.0248, -0.0406, -0.009, 8))
    other = verdict("sqrt_large", verdict=SUPPORTED, effect=Size(0.1, 0.05, 0.15, 8))
    assert decided(WITHOUT_RUNS | {key: known, "sqrt_large": other}) == ["sqrt_large", key]
    assert headline(known) == (f"**Refuted**: {known.claim}. Effect: -0.0248 (-0.0406 to -0.0090).")


def test_what_the_correction_alone_takes_back_leans_to_a_side():
    assert leaning(verdict(verdict=UNDECIDED, needs=f"refuted {ALONE}")) == "refuted"
    assert leaning(verdict(verdict=UNDECIDED, needs="about 9 seeds")) == ""


def test_a_sentence_has_measure_effect_and_what_is_missing():
    claim = BY_KEY["sqrt_large"]
    known = verdict(verdict=UNDECIDED, effect=Size(0.07, 0.0, 0.14, 7), needs="about 9 seeds")
    said = f"**Undecided**: {claim.claim}. {claim.measure}: 0.070 (0.000 to 0.140). About 9 seeds."
    assert sentence(known) == said


def test_pages_open_with_each_question_as_asked_last():
    assert opening(WITHOUT_RUNS) == list(HEADLINES)
    later = verdict("sqrt_large_again", verdict=UNDECIDED)
    asked = WITHOUT_RUNS | {later.key: later}
    assert newest(asked, "sqrt_large") == "sqrt_large_again"
    assert newest(asked, "warmup_deaths") == "warmup_deaths"
    assert opening(asked)[:3] == ["linear_small", "sqrt_large_again", "warmup_deaths"]
