import math

import numpy as np
import pandas as pd
import pytest

from analysis.models.critical_batch import fit_critical_batch, fit_runs
from analysis.models.step_likelihood import Observed

BATCH = np.repeat([1.0, 4.0, 16.0, 64.0, 256.0], 3)


def runs_with_a_budget(rng, fovs):
    """Steps of runs with S_min 100 and E_min 5000, NaN where the budget ends before; steps had."""
    steps = 100 * (1 + 50 / BATCH) * np.exp(rng.normal(0, 0.2, BATCH.size))
    had = fovs / BATCH
    return np.where(steps <= had, steps, math.nan), had


def test_fit_recovers_an_exact_hyperbola():
    batch = np.array([1.0, 8.0, 64.0, 512.0])
    steps = 100 * (1 + 50 / batch)  # S_min 100, B_crit 50, so E_min 5000.
    fit = fit_critical_batch(batch, steps)
    assert fit.min_steps == pytest.approx(100)
    assert fit.min_fovs == pytest.approx(5000)
    assert fit.batch_size == pytest.approx(50)
    assert fit.low == pytest.approx(50, rel=1e-5)
    assert fit.high == pytest.approx(50, rel=1e-5)
    assert (fit.count, fit.largest) == (4, 512)
    assert fit.nodes(local_batch_size=2) == pytest.approx(25)


def test_at_the_critical_batch_both_costs_double():
    fit = fit_critical_batch(
        np.array([1.0, 8.0, 64.0]), 100 * (1 + 50 / np.array([1.0, 8.0, 64.0]))
    )
    assert fit.steps(50) == pytest.approx(2 * fit.min_steps)
    assert fit.fovs(50) == pytest.approx(2 * fit.min_fovs)
    product = (fit.steps(7.0) / fit.min_steps - 1) * (fit.fovs(7.0) / fit.min_fovs - 1)
    assert product == pytest.approx(1)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    batch = np.repeat([1.0, 4.0, 16.0, 64.0, 256.0], 3)
    covered = 0
    for _ in range(100):
        steps = 100 * (1 + 50 / batch) * np.exp(rng.normal(0, 0.1, batch.size))
        fit = fit_critical_batch(batch, steps)
        covered += fit.low <= 50 <= fit.high
    assert 88 <= covered <= 100


def test_points_that_missed_the_target_are_dropped():
    batch = np.array([1.0, 8.0, 64.0, 512.0])
    steps = np.array([5100.0, 725.0, math.nan, 100 * (1 + 50 / 512)])
    fit = fit_critical_batch(batch, steps)
    assert fit.count == 3
    assert fit.batch_size == pytest.approx(50)


def test_two_points_give_no_interval_and_one_no_fit():
    fit = fit_critical_batch(np.array([1.0, 64.0]), 100 * (1 + 50 / np.array([1.0, 64.0])))
    assert fit.batch_size == pytest.approx(50)
    assert math.isnan(fit.low)
    with pytest.raises(ValueError, match="at least two batch sizes"):
        fit_critical_batch(np.array([4.0, 4.0]), np.array([10.0, 11.0]))


def test_interval_of_a_new_run_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    batch = np.repeat([1.0, 4.0, 16.0, 64.0], 3)
    covered = 0
    for _ in range(100):
        steps = 100 * (1 + 50 / batch) * np.exp(rng.normal(0, 0.1, batch.size))
        fit = fit_critical_batch(batch, steps)
        new = 100 * (1 + 50 / 32) * math.exp(rng.normal(0, 0.1))
        covered += abs(math.log(new / fit.steps(32.0))) <= fit.half_width(32.0)
    assert 88 <= covered <= 100


def test_without_a_sign_of_the_critical_batch_larger_ones_are_uncertain():
    rng = np.random.default_rng(0)
    batch = np.repeat([1.0, 4.0, 16.0], 3)
    needed = 5000 / batch * batch**-0.05 * np.exp(rng.normal(0, 0.1, batch.size))
    fit = fit_critical_batch(batch, needed)
    assert fit.unseen
    # S_min may be some tens of steps, which at B = 4096 are many times E_min / B.
    assert fit.half_width(16.0) < 0.5
    assert math.exp(fit.half_width(4096.0)) > 8
    assert np.isfinite(fit.half_width(4096.0))


def test_runs_that_missed_the_target_count_as_needing_more():
    """As lower bounds they predict the largest batch better than if they are left out."""
    rng = np.random.default_rng(4)
    truth = 5000 * (1 + 256 / 50)
    covered, fitted, errors, errors_without, missed = 0, [], [], [], []
    for _ in range(50):
        steps, had = runs_with_a_budget(rng, fovs=8000)
        fit, without = (fit_critical_batch(BATCH, steps, bound) for bound in (had, None))
        covered += fit.low <= 50 <= fit.high
        fitted.append(fit.batch_size)
        missed.append(fit.missed)
        errors.append(math.log(fit.fovs(256) / truth))
        errors_without.append(math.log(without.fovs(256) / truth))
    assert np.mean(missed) > 6, "all runs of the two largest batches"
    assert 43 <= covered <= 50
    assert np.median(fitted) == pytest.approx(50, rel=0.2)
    assert np.linalg.norm(errors) < 0.85 * np.linalg.norm(errors_without)


def test_bounds_of_runs_that_reached_the_target_change_nothing():
    batch = np.array([1.0, 8.0, 64.0])
    steps = np.array([5000.0, 800.0, 170.0])
    fit, plain = fit_critical_batch(batch, steps, steps * 2), fit_critical_batch(batch, steps)
    assert (fit.batch_size, fit.missed) == (plain.batch_size, 0)


def test_exact_data_and_a_bound_they_keep():
    batch = np.array([1.0, 8.0, 64.0, 512.0])
    steps = np.append(100 * (1 + 50 / batch[:3]), math.nan)
    fit = fit_critical_batch(batch, steps, np.array([1e9, 1e9, 1e9, 60.0]))
    assert fit.batch_size == pytest.approx(50, rel=1e-3)
    assert (fit.count, fit.missed, fit.largest) == (3, 1, 512)


def test_a_batch_that_never_got_there_bounds_the_critical_batch():
    """Steps fall as 1 / B, then a batch needs more than eight times what that predicts."""
    batch = np.array([1.0, 1, 4, 4, 16, 16, 256, 256])
    steps = np.array([5000.0, 5500, 1300, 1400, 330, 350, math.nan, math.nan])
    had = 45_000 / batch
    assert fit_critical_batch(batch, steps).unseen
    fit = fit_critical_batch(batch, steps, had)
    assert not fit.unseen
    assert fit.fovs(256) > 45_000
    assert fit.fovs(16) < 8_000


def test_the_poorer_maximum_without_any_dependence_on_the_batch_is_not_taken():
    batch = np.array([2.0, 8.0, 32.0, 128.0])
    steps = np.array([2845.9, 581.1, math.nan, math.nan])
    fit = fit_critical_batch(batch, steps, np.array([6000.0, 1500.0, 375.0, 94.0]))
    assert fit.min_fovs == pytest.approx(4121, rel=0.01)
    assert fit.min_steps == pytest.approx(290.8, rel=0.01)
    assert fit.residual == pytest.approx(0.2531, rel=0.01)


def test_runs_of_a_table_are_fitted_where_three_batches_are_known():
    table = pd.DataFrame(
        {
            "global_batch_size": [1.0, 8.0, 64.0],
            "optimizer_step": [5100.0, 725.0, math.nan],
            "steps_done": [6000.0, 6000.0, 150.0],
        }
    )
    fit = fit_runs(table)
    assert (fit.count, fit.missed) == (2, 1)
    assert math.isnan(fit.low)
    assert fit_runs(table.iloc[:2]) is None
    assert fit_runs(table.assign(optimizer_step=[5100.0, math.nan, math.nan])) is None


def test_a_run_at_the_target_by_its_first_evaluation_needs_at_most_the_steps_it_had():
    batch = np.array([1.0, 4.0, 16.0, 64.0])
    steps = 100 * (1 + 50 / batch)
    unknown = steps.copy()
    unknown[0] = math.nan
    after, by = np.zeros(4), np.full(4, math.nan)
    by[0] = 10_000.0
    fit = fit_critical_batch(batch, unknown, after, by)
    assert fit.batch_size == pytest.approx(50, rel=1e-3)
    assert (fit.count, fit.missed) == (4, 0)
    by[0] = steps[0] / 2
    assert fit_critical_batch(batch, unknown, after, by).min_fovs < 0.95 * fit.min_fovs


def test_runs_known_to_lie_between_evaluations_give_the_curve_back():
    rng = np.random.default_rng(5)
    batch = np.repeat([1.0, 4.0, 16.0, 64.0], 20)
    steps = 100 * (1 + 50 / batch) * np.exp(rng.normal(0, 0.1, batch.size))
    every = 500 / batch
    after = np.floor(steps / every) * every
    fit = fit_critical_batch(batch, np.full(batch.size, math.nan), after, after + every)
    assert fit.batch_size == pytest.approx(50, rel=0.15)
    assert fit.low < 50 < fit.high
    assert fit.residual == pytest.approx(0.1, rel=0.25)


def test_the_gradient_of_the_likelihood_is_that_of_its_values():
    known = Observed(
        np.array([1.0, 8.0]),
        np.array([5000.0, 800.0]),
        np.array([64.0, 16.0, 4.0]),
        np.array([150.0, 0.0, 1300.0]),
        np.array([np.inf, 500.0, 1400.0]),
    )
    x = np.array([4.5, 8.4, -1.5])
    value, gradient = known.surprise(x)
    for index in range(3):
        step = np.zeros(3)
        step[index] = 1e-6
        slope = (known.surprise(x + step)[0] - known.surprise(x - step)[0]) / 2e-6
        assert gradient[index] == pytest.approx(slope, rel=1e-5)
    assert math.isfinite(value)
