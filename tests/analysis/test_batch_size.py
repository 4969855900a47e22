import math

import numpy as np
import pandas as pd
import pytest

from analysis.batch_size import complete_batches, fit_critical_batch, tradeoff_table


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


def test_tradeoff_counts_a_missed_target_as_more_expensive():
    def rows(nodes, fovs):
        return [
            {"nodes": nodes, "target": 0.7, "fovs": f, "elapsed_s": f / 10, "optimizer_step": f / 2}
            for f in fovs
        ]

    table = tradeoff_table(
        pd.DataFrame(
            rows(1, [10.0, 30.0, 20.0])
            + rows(2, [10.0, 30.0, math.nan])
            + rows(4, [10.0, math.nan, math.nan])
        )
    ).set_index("nodes")
    assert table["reached"].tolist() == [3, 2, 1]
    assert table.loc[1, ["fovs", "elapsed_s", "optimizer_step"]].tolist() == [20, 2, 10]
    assert table.loc[1, ["fovs_low", "fovs_high"]].tolist() == [10, 30]
    assert table.loc[2, "fovs"] == 30
    assert math.isnan(table.loc[2, "fovs_low"])
    assert math.isnan(table.loc[4, "fovs"])


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


def test_batches_that_only_lucky_seeds_finished_are_left_out():
    reached = pd.DataFrame({"nodes": [1, 1, 8, 8], "optimizer_step": [5.0, 6.0, 2.0, math.nan]})
    assert complete_batches(reached)["nodes"].tolist() == [1, 1]


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
