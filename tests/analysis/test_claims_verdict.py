"""How a finding is judged, and what the number of claims takes back."""

import math

import pytest

from analysis.stats.hypothesis_tests import Deaths
from analysis.stats.intervals import Estimate, mean_estimate
from analysis.verdicts.claim import Claim, Region, above, below, seeds_to_decide, within
from analysis.verdicts.verdict import (
    NOT_REACHED,
    NOT_RUN,
    NOT_TESTABLE,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Finding,
    corrected,
    no_runs,
    settle,
)


def claim(region, **options):
    return Claim("key", "A claim", "published", "1", ("rules",), "measure", region, "f", **options)


def judged(region, value, error, **options):
    effect = Estimate(value, error, 7, 8)
    return settle(claim(region, **options), Finding(effect, "8 runs"))


# t(0.975, 7) = 2.36: an error of 0.01 gives bounds of +-0.0236.
@pytest.mark.parametrize(
    ("region", "value", "verdict"),
    [
        (above(0.0, 0.02), 0.05, SUPPORTED),
        (above(0.0, 0.02), -0.05, REFUTED),
        (above(0.0, 0.02), 0.01, UNDECIDED),
        (above(0.0, 0.08), 0.03, REFUTED),  # beyond doubt, but too small to matter
        (above(-0.05), 0.0, SUPPORTED),
        (above(-0.05), -0.1, REFUTED),
        (within(-0.05, 0.05), 0.01, SUPPORTED),
        (within(-0.05, 0.05), 0.09, REFUTED),
        (within(-0.05, 0.05), -0.09, REFUTED),
        (within(-0.05, 0.05), 0.04, UNDECIDED),
        (below(0.75, apart=0.25), 0.5, SUPPORTED),
        (below(0.75, apart=0.25), 1.0, REFUTED),
    ],
)
def test_the_whole_interval_decides(region, value, verdict):
    found = judged(region, value, 0.01)
    assert found.verdict == verdict
    assert (found.p_value < 0.05) == (verdict != UNDECIDED)


def test_p_is_five_percent_where_the_interval_touches_the_edge():
    half = 2.364624  # t(0.975, 7)
    assert judged(above(0.0, 0.02), half * 0.01, 0.01).p_value == pytest.approx(0.05, abs=1e-6)
    assert judged(within(-1, 1), 1 - half * 0.01, 0.01).p_value == pytest.approx(0.05, abs=1e-6)


def test_undecided_says_how_many_seeds_it_would_take():
    found = judged(above(0.0, 0.02), 0.01, 0.04 / math.sqrt(8))
    # sd 0.04, difference 0.02: the effect size 0.5 takes 34 pairs.
    assert found.needs == "about 34 seeds, to see the least that matters"
    assert seeds_to_decide(Region(-1, 1, -1, 1), 0.5) < 8
    hopeless = judged(above(0.0, 0.02), 0.01, 5.0)
    assert hopeless.needs == "more seeds than are worth running: another design"


def test_a_ratio_is_judged_in_its_logarithm_and_shown_as_such():
    found = judged(above(1.0, 1.1), 1.0, 0.1, ratio=True)
    assert found.verdict == SUPPORTED
    assert found.effect.estimate == 2.0
    assert found.effect.low == pytest.approx(2 ** (1 - 0.2364624))


def test_a_bound_supports_and_refutes_nothing():
    effect = Estimate(-1.0, 0.1, 7, 8)
    found = settle(claim(above(1.0, 1.1), ratio=True), Finding(effect, "", bound="low"))
    assert found.verdict == UNDECIDED
    assert "longer" in found.needs
    up = Estimate(1.0, 0.1, 7, 8)
    assert settle(claim(above(1.0, 1.1), ratio=True), Finding(up, "", bound="low")).verdict == (
        SUPPORTED
    )


def test_a_rule_wins_only_where_the_co_primary_agrees_in_sign():
    effect = mean_estimate([0.05, 0.06, 0.07])
    asks = claim(above(0.0, 0.02), sign=True)
    assert settle(asks, Finding(effect, "", co_primary=effect)).verdict == SUPPORTED
    for other in (mean_estimate([-0.1, -0.1, 0.0]), None):
        against = settle(asks, Finding(effect, "", co_primary=other))
        assert against.verdict == UNDECIDED
        assert against.p_value == 1.0
        assert "co-primary" in against.needs


def test_what_is_unknown_is_said_in_words():
    equal = settle(claim(above(0.0, 0.02)), Finding(mean_estimate([0.0] * 8), ""))
    assert equal.verdict == UNDECIDED
    assert equal.needs == "all 8 values are equal (0): their spread is unknown"
    assert (equal.p_value, equal.effect.low) == (None, None)
    assert settle(claim(above(0.0)), no_runs("rules")).verdict == NOT_RUN
    elsewhere = settle(claim(None, takes="a cluster"), no_runs("rules"))
    assert (elsewhere.verdict, elsewhere.needs) == (NOT_TESTABLE, "a cluster")
    lost = Finding(mean_estimate([]), "", outcome=NOT_REACHED, takes="a longer budget")
    assert settle(claim(above(0.0)), lost).needs == "a longer budget"


def test_deaths_decide_by_the_exact_test():
    asks = claim(above(0.0, 0.5), deaths=True)
    assert settle(asks, Finding(Deaths(7, 8, 0, 8), "")).verdict == SUPPORTED
    assert settle(asks, Finding(Deaths(0, 8, 0, 8), "")).verdict == REFUTED
    few = settle(asks, Finding(Deaths(3, 8, 0, 8), ""))
    assert few.verdict == UNDECIDED
    assert few.needs.startswith("about ")


def test_holm_takes_back_what_the_number_of_claims_explains():
    clear, barely = judged(above(0.0, 0.02), 0.2, 0.01), judged(above(0.0, 0.02), 0.026, 0.01)
    assert barely.verdict == SUPPORTED
    undone = settle(claim(above(0.0)), no_runs("rules"))
    first, second, third = corrected([clear, barely, undone])
    assert first.verdict == SUPPORTED
    # Claims that were not run count too: p times 3, and times 2.
    assert first.adjusted == pytest.approx(3 * clear.p_value)
    assert second.adjusted == pytest.approx(2 * barely.p_value)
    assert second.verdict == UNDECIDED
    assert second.needs == "supported by its own interval, but not after Holm's correction"
    assert (third.verdict, third.adjusted) == (NOT_RUN, None)
