import math

import numpy as np
import pytest
from scipy import stats

from analysis.models import learning_rate_laws as laws
from analysis.models.learning_rate_law_fits import compare_laws, fit_law, leave_largest_out
from analysis.models.learning_rate_laws import (
    LAWS,
    LINEAR,
    POWER,
    RISE_AND_FALL,
    SATURATING,
    SQUARE_ROOT,
    rate_points,
)

NODES = 2.0 ** np.arange(11)


def scattered(law, shape, noise=0.05, seed=0):
    errors = np.random.default_rng(seed).normal(0, noise, NODES.size)
    return rate_points(NODES, 1e-3 * law.gain(NODES, shape) * np.exp(errors))


def test_gains_by_hand():
    assert laws.saturating(np.array([1.0, 4.0, 1e12]), 4.0) == pytest.approx([1, 2.5, 5])
    n, scale = np.array([1.0, 9.0, 90.0]), 9.0
    published = 2 / (np.sqrt(scale / n) + np.sqrt(n / scale))
    assert laws.rise_and_fall(n, scale) == pytest.approx(published / published[0])
    assert laws.rise_and_fall(NODES, 64.0).argmax() == 6
    for law in LAWS:
        assert law.gain(np.array([1.0]), 3.0) == pytest.approx([1])


@pytest.mark.parametrize(
    ("law", "shape"),
    [(LINEAR, 1), (SQUARE_ROOT, 1), (POWER, 0.75), (SATURATING, 30), (RISE_AND_FALL, 50)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_the_law_that_made_the_rates_has_the_lowest_aicc(law, shape):
    observed = scattered(law, shape)
    best = compare_laws(observed).iloc[0]
    assert best["law"] == law.name
    assert best["delta_aicc"] == 0
    assert best["base"] == pytest.approx(1e-3, rel=0.1)
    assert best["left_out_error"] == pytest.approx(0, abs=0.2)
    if law.shape:
        low, high = fit_law(law, observed).shape_interval()
        assert low < shape < high < 1.5 * low


def test_a_line_has_the_t_interval_and_the_aicc_of_least_squares():
    observed = scattered(POWER, 0.6, noise=0.3)
    fit = fit_law(POWER, observed)
    line = stats.linregress(np.log(NODES), observed.log_low)
    half = stats.t.ppf(0.975, 9) * line.stderr
    assert fit.shape == pytest.approx(line.slope, abs=1e-4)
    expected = (line.slope - half, line.slope + half)
    assert fit.shape_interval() == pytest.approx(expected, abs=1e-3)
    squares = np.sum((observed.log_low - line.intercept - line.slope * np.log(NODES)) ** 2)
    aicc = 11 * math.log(squares / 11) + 2 * 3 + 2 * 3 * 4 / (11 - 3 - 1)
    assert fit.aicc == pytest.approx(aicc, abs=1e-3)


def test_a_bound_does_not_pull_the_law_as_a_value_would():
    rates = np.minimum(1e-3 * NODES, 0.1)
    rates *= np.exp(np.random.default_rng(1).normal(0, 0.05, NODES.size))
    capped = NODES > 100
    taken = fit_law(POWER, rate_points(NODES, rates))
    bounded = fit_law(POWER, rate_points(NODES, rates, at_highest=capped))
    assert taken.shape < 0.85
    assert bounded.shape == pytest.approx(1, abs=0.05)
    low, high = bounded.shape_interval()
    assert low < 1 < high
    # The same turned upside down: the lowest tried is an upper bound.
    turned = fit_law(POWER, rate_points(NODES, 1 / rates, at_lowest=capped))
    assert turned.shape == pytest.approx(-bounded.shape, abs=1e-3)


def test_the_largest_node_count_is_held_out():
    rates = 1e-3 * np.sqrt(NODES)
    rates[-1] *= 2
    error, words = leave_largest_out(SQUARE_ROOT, rate_points(NODES, rates))
    assert error == pytest.approx(-0.5)
    assert words == "-50 % at 1024 nodes"
    capped = rate_points(NODES, rates, at_highest=NODES == 1024)
    error, words = leave_largest_out(SQUARE_ROOT, capped)
    assert math.isnan(error)
    assert words.startswith("0.032 predicted at 1024 nodes; the best there is")


def test_a_noise_scale_beyond_the_nodes_has_no_upper_bound():
    fit = fit_law(SATURATING, scattered(LINEAR, 1, noise=0.1))
    low, high = fit.shape_interval()
    assert low > 1024
    assert high == math.inf
    assert "% interval: at least" in fit.words()
    constant = fit_law(SATURATING, rate_points(NODES, np.full(11, 1e-3)))
    assert constant.words().startswith("noise scale far below 1 node")


def test_too_little_to_fit_is_said_in_words():
    alone = compare_laws(rate_points(np.array([4.0]), np.array([1e-3])))
    assert alone["parameters"].str.contains("2 node counts with a best rate inside").sum() == 3
    assert "nan" not in " ".join(alone["parameters"])
    two = fit_law(POWER, rate_points(np.array([1.0, 4.0]), np.array([1e-3, 2e-3])))
    assert two.shape == pytest.approx(0.5, abs=1e-4)
    assert "too few observations for an interval" in two.words()
    assert two.aicc == math.inf
    equal = fit_law(POWER, rate_points(NODES, np.full(11, 1e-3)))
    assert equal.shape == pytest.approx(0, abs=1e-4)
    with pytest.raises(ValueError, match="learning rates must be positive, not 0"):
        rate_points(NODES, np.zeros(11))
    with pytest.raises(ValueError, match="node counts must be positive, not 0"):
        rate_points(np.array([0.0]), np.array([1e-3]))
