import math

import numpy as np
import pytest

from analysis.stats.intervals import (
    bootstrap_interval,
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


@pytest.mark.parametrize("function", [mean_interval, bootstrap_interval])
def test_too_few_values_have_no_bounds(function):
    single = function([5.0])
    assert single.estimate == 5
    assert math.isnan(single.low)
    assert math.isnan(single.high)
    assert math.isnan(function([]).estimate)


def test_bootstrap_of_two_values_by_hand():
    # Resampled means are 0 (1/4), 0.5 (1/2), 1 (1/4): the 95 % percentiles are the extremes,
    # the central 40 % is 0.5 throughout.
    assert bootstrap_interval([0.0, 1.0], np.mean).low == 0
    assert bootstrap_interval([0.0, 1.0], np.mean).high == 1
    inner = bootstrap_interval([0.0, 1.0], np.mean, level=0.4)
    assert (inner.low, inner.high) == (0.5, 0.5)


def test_bootstrap_depends_on_its_seed_alone():
    values = np.random.default_rng(1).normal(size=20)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values)


def test_bootstrap_median_covers_about_95_percent():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        interval = bootstrap_interval(rng.normal(size=25), resamples=400)
        covered += interval.low <= 0 <= interval.high
    assert 180 <= covered <= 199


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
