"""Scores here are simulated: a parabola in log2(rate) with its vertex at a known law, and noise."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.models.learning_rate_law_fits import compare_laws, fit_law
from analysis.models.learning_rate_laws import POWER
from analysis.models.rate_scans import (
    AT_HIGHEST,
    AT_LOWEST,
    BEFORE_FAILURE,
    FLAT,
    INSIDE,
    best_rates_of,
    grid_exponent,
    rate_scans,
)
from analysis.stats.learning_rates import best_rates, fit_power_law, normalized_accuracy

ABSOLUTE = {n: 2.5e-4 * 2.0 ** np.arange(8) for n in (1, 4, 16, 64)}
MOVING = {n: n * np.array([2.5e-5, 6.3e-5, 1.6e-4, 4e-4, 1e-3]) for n in (1, 4, 16, 64, 256)}
DIES_ABOVE = 0.02


def simulated(grid, law, noise=0.03, curvature=0.02, seed=0, seeds=3, dies_above=math.inf):
    """Runs at every rate of the grid: score 0.8 at law(nodes), less with the octaves from it."""
    rng = np.random.default_rng(seed)
    nodes = np.repeat(list(grid), [seeds * len(rates) for rates in grid.values()])
    rates = np.concatenate([np.repeat(rates, seeds) for rates in grid.values()])
    score = 0.8 - curvature * np.log2(rates / law(nodes)) ** 2
    score = score + rng.normal(0, noise, rates.size)
    score = np.where(rates > dies_above, 0.0, score)
    return pd.DataFrame({"nodes": nodes, "lr_peak": rates, "score": score})


def status_at(rates, scores):
    scan = pd.DataFrame({"nodes": 4, "lr_peak": rates, "score": scores})
    (row,) = best_rates_of(rate_scans(scan)).to_dict("records")
    return row


def test_squares_are_those_of_the_best_parabola_through_a_vertex():
    (scan,) = rate_scans(simulated({4: ABSOLUTE[4]}, lambda n: 2e-3 * n**0)).scans
    for vertex in np.log([1e-3, 2e-3, 5e-2]):
        columns = np.stack([np.ones_like(scan.log_rates), (scan.log_rates - vertex) ** 2], axis=1)
        (_, bend), squares, *_ = np.linalg.lstsq(columns, scan.scores)
        assert bend < 0
        assert scan.squares(vertex) == pytest.approx(squares[0])
    # From below the rates of falling scores a parabola would have to open upward.
    rising = rate_scans(pd.DataFrame({"nodes": 1, "lr_peak": [1, 2, 4.0], "score": [1, 2, 3.0]}))
    assert rising.scans[0].squares(np.log(0.1)) == pytest.approx(2)


def test_the_vertex_of_an_exact_parabola_lies_between_the_rates_tried():
    scan = simulated(ABSOLUTE, lambda n: 1.3e-3 * n**0.5, noise=0)
    best = best_rates_of(rate_scans(scan))
    assert best["rate"].to_numpy() == pytest.approx(1.3e-3 * 2.0 ** np.arange(4), rel=1e-3)
    assert set(best["status"]) == {INSIDE}


def test_where_the_best_rate_is_not_inside_the_grid_it_is_a_bound():
    rates = [1e-3, 2e-3, 4e-3, 8e-3]
    top = status_at(rates, [0.3, 0.5, 0.65, 0.75])
    assert (top["status"], top["rate"]) == (AT_HIGHEST, pytest.approx(8e-3))
    bottom = status_at(rates, [0.75, 0.65, 0.5, 0.3])
    assert (bottom["status"], bottom["rate"]) == (AT_LOWEST, pytest.approx(1e-3))
    died = status_at([*rates, 16e-3], [0.3, 0.5, 0.65, 0.75, 0.001])
    assert died["status"] == BEFORE_FAILURE
    assert 8e-3 < died["rate"] < 16e-3
    assert died["high"] <= 16.01e-3


def test_a_flat_scan_has_no_best_rate():
    rates = np.repeat(ABSOLUTE[1], 3)
    equal = status_at(rates, np.full(24, 0.5))
    assert equal["status"] == FLAT
    noise = np.random.default_rng(0).normal(0.5, 0.03, 24)
    assert status_at(rates, noise)["status"] == FLAT
    table = compare_laws(rate_scans(pd.DataFrame({"nodes": 4, "lr_peak": rates, "score": 0.5})))
    assert table["parameters"].str.startswith("not fitted: ").all()


def test_too_few_rates_that_learn_and_rates_of_zero():
    rates = [1e-3, 2e-3, 4e-3]
    dead = pd.DataFrame({"nodes": 4, "lr_peak": rates, "score": [0.5, 0.6, 0.0]})
    assert rate_scans(dead).scans == ()
    assert rate_scans(dead.assign(score=0.0)).scans == ()
    assert best_rates_of(rate_scans(dead)).empty
    with pytest.raises(ValueError, match="learning rates must be positive, not 0"):
        rate_scans(dead.assign(lr_peak=0.0))


def test_a_single_seed_of_three_rates_has_a_best_rate_but_no_interval():
    row = status_at([1e-3, 2e-3, 4e-3], [0.5, 0.7, 0.5])
    assert row["status"] == INSIDE
    assert row["rate"] == pytest.approx(2e-3, rel=1e-3)
    assert math.isnan(row["low"])


def test_whether_the_grid_moves_with_the_nodes():
    for grid, exponent in ((ABSOLUTE, 0), (MOVING, 1)):
        scan = simulated(grid, lambda n: 1e-3 * n**0)
        assert grid_exponent(scan["nodes"], scan["lr_peak"]) == pytest.approx(exponent)
    assert grid_exponent([4, 4], [1e-3, 2e-3]) == 0


@pytest.mark.parametrize(("slope", "base"), [(0.0, 2e-3), (0.5, 1e-3), (1.0, 1e-3)])
def test_simulated_slopes_are_recovered_on_one_absolute_grid(slope, base):
    """At slope 1 the best rate at 64 nodes is beyond the grid: there it is a bound."""
    found, covered = [], []
    for seed in range(12):
        scan = simulated(ABSOLUTE, lambda n: base * n**slope, seed=seed)
        fit = fit_law(POWER, rate_scans(scan))
        low, high = fit.shape_interval()
        found.append(fit.shape)
        covered.append(low <= slope <= high)
    assert np.mean(found) == pytest.approx(slope, abs=0.05)
    assert np.abs(np.array(found) - slope).max() < 0.2
    assert sum(covered) >= 10  # of 12 with 95 % each: fewer once in 50 tests


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_a_grid_that_moves_gives_the_highest_score_one_slope_whatever_the_truth(slope):
    """The rates that survive, from 2.5e-5 n to 1e-3 n or 0.02, grow about as nodes^0.67."""
    picked, refused = [], 0
    for seed in range(15):
        scan = simulated(
            MOVING,
            lambda n: 3e-4 * n**slope,
            noise=0.06,
            curvature=0.002,
            seed=seed,
            dies_above=DIES_ABOVE,
        )
        best = best_rates(normalized_accuracy(scan.rename(columns={"score": "accuracy"})))
        picked.append(fit_power_law(best["nodes"].to_numpy(), best["lr_peak"].to_numpy()).exponent)
        known = best_rates_of(rate_scans(scan))["status"] == INSIDE
        refused += known.sum() < 2
    assert 0.55 < np.mean(picked) < 0.8
    assert refused >= 13
