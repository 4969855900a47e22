import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.hypothesis_tests import (
    Deaths,
    Inverted,
    Weakest,
    equivalence,
    fisher_exact,
    holm,
    wilson_interval,
)
from analysis.stats.intervals import Estimate, mean_estimate

VALUES = [0.01, -0.02, 0.03, 0.0, 0.02]


def test_equivalence_is_the_larger_of_two_one_sided_t_tests():
    low = stats.ttest_1samp(VALUES, -0.05, alternative="greater").pvalue
    high = stats.ttest_1samp(VALUES, 0.05, alternative="less").pvalue
    assert equivalence(mean_estimate(VALUES), -0.05, 0.05) == pytest.approx(max(low, high))


def test_equivalence_with_one_end_is_one_test_and_without_spread_none():
    effect = mean_estimate(VALUES)
    assert equivalence(effect, 0.0, math.inf) == effect.p_above(0.0)
    assert equivalence(mean_estimate([0.5]), -1, 1) is None
    assert equivalence(mean_estimate([0.5, 0.5]), -1, 1) is None


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never falling.
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_fisher_by_hand():
    # 8! / (3! 5!) of 16! / (5! 11!) ways put all five deaths on one side: 56 / 4368, doubled.
    assert fisher_exact(Deaths(5, 8, 0, 8)) == pytest.approx(2 * 56 / 4368)
    assert fisher_exact(Deaths(5, 8, 0, 8), "greater") == pytest.approx(56 / 4368)
    assert Deaths(5, 8, 0, 8).p_above(0.0) == pytest.approx(56 / 4368)
    assert fisher_exact(Deaths(0, 8, 0, 8)) == 1.0


def test_interval_of_a_difference_of_shares_is_that_of_newcombes_paper():
    # Newcombe 1998, table II, method 10: 56/70 - 48/80, and 9/10 - 3/10.
    assert Deaths(56, 70, 48, 80).bounds() == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert Deaths(9, 10, 3, 10).bounds() == pytest.approx((0.1705, 0.8090), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


def test_no_deaths_are_an_answer_and_no_runs_are_not():
    none = Deaths(0, 8, 0, 8)
    assert none.value == 0
    assert 2 * none.p_below(0.5) < 0.05, "dying is not common in eight runs that all lived"
    missing = Deaths(0, 0, 0, 8)
    assert (missing.value, missing.bounds(), missing.p_above(0.0)) == (None, None, None)
    assert missing.reason == "one side has no run"


def test_p_values_of_inverted_intervals_are_those_of_the_test_they_come_from():
    effect = mean_estimate([1.0, 2.0, 3.0, 5.0])
    inverted = Inverted(effect.value, 4, effect.bounds)
    assert inverted.p_above(0.0) == pytest.approx(effect.p_above(0.0), rel=1e-4)
    assert inverted.p_below(6.0) == pytest.approx(effect.p_below(6.0), rel=1e-4)
    assert inverted.p_above(4.0) == 1.0, "beyond the estimate"
    unknown = Inverted(None, 0, effect.bounds, "why")
    assert (unknown.bounds(), unknown.p_below(0.0)) == (None, None)


def test_the_weakest_of_several_decides_for_all_and_against_all():
    strong, weak = mean_estimate([1.0, 1.1, 1.2]), mean_estimate([0.1, -0.1, 0.2])
    both = Weakest((strong, weak))
    assert both.index == 1
    assert both.value == weak.value
    assert both.p_above(0.0) == weak.p_above(0.0)
    assert both.p_below(2.0) == pytest.approx(min(1, 2 * min(s.p_below(2.0) for s in both.parts)))
    lacking = Weakest((strong, mean_estimate([0.5])))
    assert lacking.p_above(0.0) is None
    assert lacking.reason == "one seed shows no spread"


def test_p_values_are_uniform_where_nothing_differs():
    rng = np.random.default_rng(0)
    p = [mean_estimate(rng.normal(size=8)).p_above(0.0) for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_an_estimate_without_error_has_no_p_value():
    assert Estimate(1.0, None, 0, 1).p_below(0.0) is None
