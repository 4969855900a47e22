import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.targets import (
    bracket,
    first_reached,
    highest,
    monotone,
    targets_table,
    tradeoff_table,
)

F1 = "validation/f1"


def test_tradeoff_is_the_geometric_mean_where_every_repeat_reached_the_target():
    def rows(nodes, fovs):
        return [
            {"nodes": nodes, "target": 0.7, "fovs": f, "elapsed_s": f / 10, "optimizer_step": f / 2}
            for f in fovs
        ]

    table = tradeoff_table(
        pd.DataFrame(
            rows(1, [10.0, 20.0, 40.0]) + rows(2, [10.0, 30.0, math.nan]) + rows(4, [10.0])
        )
    ).set_index("nodes")
    assert table[["repeats", "reached"]].to_numpy().tolist() == [[3, 3], [3, 2], [1, 1]]
    costs = table.loc[1, ["fovs", "elapsed_s", "optimizer_step"]].tolist()
    assert costs == pytest.approx([20, 2, 10])
    # In the logarithm s = ln 2 and t(0.975, 2) = 4.302653, so that 2.484138 powers of two.
    factor = 2**2.484138
    assert table.loc[1, "fovs_low"] == pytest.approx(20 / factor)
    assert table.loc[1, "fovs_high"] == pytest.approx(20 * factor)
    assert table.loc[2, ["fovs", "fovs_low"]].isna().all()
    assert table.loc[4, "fovs"] == pytest.approx(10)
    assert math.isnan(table.loc[4, "fovs_low"])


FOVS = np.array([100.0, 200.0, 300.0, 400.0])


def test_interpolates_between_evaluations():
    assert first_reached(FOVS, np.array([0.1, 0.4, 0.6, 0.5]), 0.5) == pytest.approx(250)


def test_reached_from_the_start_and_never():
    assert first_reached(FOVS, np.array([0.9, 0.1, 0.1, 0.1]), 0.5) == 100
    assert math.isnan(first_reached(FOVS, np.array([0.1, 0.2, 0.3, 0.49]), 0.5))
    assert math.isnan(first_reached(np.array([]), np.array([]), 0.5))


def test_a_single_swing_does_not_count_when_smoothed():
    swings = np.array([0.0, 0.8, 0.0, 0.9])
    assert first_reached(FOVS, swings, 0.5) == pytest.approx(162.5)
    assert math.isnan(first_reached(FOVS, swings, 0.5, window=2))


def test_smoothing_averages_an_evaluation_and_those_before():
    # Means of two: 0.2, 0.4, 0.6 at 200, 300, 400.
    assert first_reached(FOVS, np.array([0.1, 0.3, 0.5, 0.7]), 0.5, 2) == pytest.approx(350)


def test_undefined_scores_are_skipped():
    assert first_reached(FOVS, np.array([math.nan, 0.4, math.nan, 0.6]), 0.5) == pytest.approx(300)


def test_window_below_one():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        first_reached(FOVS, FOVS, 0.5, window=0)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 4))
def test_a_higher_target_is_never_reached_sooner(scores, window):
    low = first_reached(FOVS, np.array(scores), 0.4, window)
    high = first_reached(FOVS, np.array(scores), 0.6, window)
    assert math.isnan(high) or low <= high


def test_table_gives_fovs_seconds_and_steps(make_runs):
    curve = {
        "validation/f1": [(100, 0.2), (200, 0.6)],
        "time/elapsed_s": [(100, 10.0), (200, 30.0)],
        "optimizer_step": [(100, 25.0), (200, 50.0)],
    }
    table = targets_table(make_runs(({"nodes": 4}, curve)), F1, (0.5, 0.7))
    reached, missed = table.to_dict("records")
    assert (reached["fovs"], reached["elapsed_s"], reached["optimizer_step"]) == pytest.approx(
        (175, 25, 43.75)
    )
    assert math.isnan(missed["fovs"])
    assert math.isnan(missed["elapsed_s"])


def test_steps_follow_from_the_batch_where_not_recorded(make_runs):
    runs = make_runs(({"nodes": 4, "local_batch_size": 2}, {"validation/f1": [(80, 0.6)]}))
    row = targets_table(runs, F1, (0.5,)).iloc[0]
    assert row["optimizer_step"] == 10
    assert math.isnan(row["elapsed_s"])


def test_table_of_runs_without_the_metric(make_runs):
    assert targets_table(make_runs(({}, {"train/f1": [(1, 0.5)]})), F1, (0.5,)).empty


def test_the_highest_target_reached():
    # Pooled: 0.1, then 0.9, 0.2 and 0.4 make 0.5, then 0.6.
    assert highest(np.array([0.1, 0.9, 0.2, 0.4, 0.6])) == pytest.approx(0.6)
    assert highest(np.array([0.1, math.nan, 0.9, 0.3])) == pytest.approx(0.6)
    assert math.isnan(highest(np.array([math.nan])))


def test_the_monotone_curve_pools_what_falls():
    assert monotone(np.array([0.1, 0.5, 0.3, 0.9])).tolist() == pytest.approx([0.1, 0.4, 0.4, 0.9])
    with_gap = monotone(np.array([0.2, math.nan, 0.1]))
    assert with_gap[[0, 2]].tolist() == pytest.approx([0.15, 0.15])
    assert math.isnan(with_gap[1])
    assert np.isnan(monotone(np.array([math.nan]))).all()


def test_the_evaluations_around_the_first_that_reaches_the_target():
    score = np.array([0.1, math.nan, 0.6, 0.5])
    assert bracket(FOVS, score, 0.5) == (100.0, 300.0)
    assert bracket(FOVS, score, 0.05) == (0.0, 100.0)
    assert bracket(FOVS, score, 0.9) == (400.0, math.inf)
    assert bracket(FOVS, np.full(4, math.nan), 0.9) == (0.0, math.inf)


def test_one_lucky_evaluation_does_not_reach_a_target_and_a_run_that_dies_has_not(make_runs):
    lucky = {"averaged/f1": [(100, 0.2), (200, 0.8), (300, 0.2), (400, 0.8), (500, 0.8)]}
    dying = {"averaged/f1": [(100, 0.2), (200, 0.8), (300, 0.0), (400, 0.0)]}
    table = targets_table(make_runs(({}, lucky), ({}, dying)), "averaged/f1", (0.6,), rising=True)
    # Pooled 0.2, 0.5, 0.5, 0.8, 0.8: a third of the way from 300 to 400.
    assert table["fovs"].iloc[0] == pytest.approx(300 + 100 / 3)
    assert table[["after_steps", "by_steps"]].iloc[0].tolist() == [300, 400]
    assert math.isnan(table["fovs"].iloc[1])
