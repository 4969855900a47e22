import math

import pytest

from analysis.stats.intervals import (
    log_ratio_estimate,
    mean_estimate,
    mean_interval,
    paired_estimate,
    ratio_interval,
)


def test_t_interval_of_three_values():
    # s = 1, t(0.975, 2) = 4.302653, half width 4.302653 / sqrt(3).
    interval = mean_interval([1.0, 2.0, 3.0, math.nan])
    assert interval.estimate == 2
    assert interval.count == 3
    assert interval.low == pytest.approx(2 - 2.484138, abs=1e-6)
    assert interval.high == pytest.approx(2 + 2.484138, abs=1e-6)


def test_too_few_values_have_no_bounds():
    single = mean_interval([5.0])
    assert single.estimate == 5
    assert math.isnan(single.low)
    assert math.isnan(single.high)
    assert math.isnan(mean_interval([]).estimate)


def test_ratio_with_an_exact_denominator_is_the_scaled_t_interval():
    interval = ratio_interval([1.0, 2.0, 3.0], [4.0, 4.0, 4.0])
    assert interval.estimate == 0.5
    assert interval.high - interval.estimate == pytest.approx(2.484138 / 4, abs=1e-6)


def test_ratio_of_equal_sets_by_hand():
    # Relative variance 2 * (1/3)/4 = 1/6, 4 degrees of freedom, t = 2.776445.
    interval = ratio_interval([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert interval.estimate == 1
    assert interval.high == pytest.approx(1 + 2.776445 * math.sqrt(1 / 6), abs=1e-6)


def test_ratio_without_spread_or_repeats():
    assert ratio_interval([2.0, 2.0], [1.0, 1.0]).high == 2
    assert math.isnan(ratio_interval([2.0], [1.0, 1.1]).high)
    assert math.isnan(ratio_interval([], [1.0]).estimate)


def test_a_rate_of_zero_has_no_ratio_and_no_bounds():
    assert math.isnan(ratio_interval([1.0, 2.0], [0.0, 0.0]).estimate)
    zero = ratio_interval([0.0, 0.0], [1.0, 2.0])
    assert zero.estimate == 0
    assert math.isnan(zero.high)


def test_an_estimate_is_the_t_interval_with_its_p_value():
    estimate = mean_estimate([1.0, 2.0, 3.0, math.nan])
    assert estimate.bounds() == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    # t = 2 sqrt(3) with 2 degrees of freedom: p = (1 - t / sqrt(2 + t^2)) / 2.
    assert estimate.p_above(0.0) == pytest.approx((1 - math.sqrt(12 / 14)) / 2)
    assert estimate.p_below(4.0) == pytest.approx(estimate.p_above(0.0))
    assert (estimate.count, estimate.reason) == (3, "")


@pytest.mark.parametrize(
    ("values", "value", "reason"),
    [
        ([], None, "no seed"),
        ([math.nan], None, "no seed"),
        ([0.5], 0.5, "one seed shows no spread"),
        ([0.5] * 8, 0.5, "all 8 values are equal (0.5): their spread is unknown"),
        ([0.1 + 0.2, 0.3, 0.3], 0.3, "all 3 values are equal (0.3): their spread is unknown"),
    ],
)
def test_what_cannot_be_bounded_says_why(values, value, reason):
    estimate = mean_estimate(values)
    assert estimate.value == (None if value is None else pytest.approx(value))
    assert (estimate.error, estimate.bounds(), estimate.p_above(0.0)) == (None, None, None)
    assert estimate.reason == reason


def test_pairs_and_ratios():
    assert paired_estimate([2.0, 5.0], [1.0, 2.0]).value == 2.0
    doubled = log_ratio_estimate([2.0, 8.0, math.nan], [1.0, 1.0, 1.0])
    assert (doubled.value, doubled.count) == (2.0, 2)
    none = log_ratio_estimate([2.0, 0.0], [1.0, 1.0])
    assert (none.value, none.reason) == (None, "a value of 0 has no ratio")
