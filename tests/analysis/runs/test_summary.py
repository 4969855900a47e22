import math

import pandas as pd
import pytest

from analysis.runs.summary import MOST_ROWS, summarize, summary_table
from analysis.stats.step_time import phase_table


def test_outcomes_of_a_run(make_runs):
    curve = {
        "validation/f1": [(100, 0.2), (200, 0.9), (300, 0.6), (400, 0.6)],
        "validation/accuracy": [(400, 0.95)],
        "throughput/fovs_per_second": [(100, 5.0), (200, 20.0)],
        "time/elapsed_s": [(100, 10.0), (200, 20.0), (300, 30.0), (400, 40.0)],
    }
    row = summarize(make_runs(({"nodes": 4, "ranks": 2}, curve))).iloc[0]
    assert row["best_f1"] == 0.9
    assert row["final_f1"] == pytest.approx(0.7)
    assert row["final_accuracy"] == 0.95
    assert (row["fovs"], row["wall_s"], row["fovs_per_second"]) == (400, 40, 8)  # 2 / (1/5 + 1/20)
    assert math.isnan(row["step_s"])


def test_a_run_that_recorded_nothing_keeps_its_row(make_runs):
    table = summarize(make_runs(({}, {"train/f1": [(1, 0.5)]}), ({"status": "FAILED"}, {})))
    assert table["status"].tolist() == ["FINISHED", "FAILED"]
    assert table["final_f1"].isna().all()
    assert math.isnan(table["fovs"].iloc[1])


def test_phases_are_per_fov_of_one_rank(make_runs):
    # Two ranks carry eight nodes: four FOVs per rank and step, 400 ms per step.
    phases = {"time/step_s": 0.4, "time/compute_s": 0.3, "time/input_s": 0.02}
    metrics = {name: [(100, value)] for name, value in phases.items()}
    row = phase_table(summarize(make_runs(({"nodes": 8, "ranks": 2}, metrics)))).iloc[0]
    assert (row["compute"], row["input"], row["allreduce"]) == pytest.approx((75, 5, 0))
    assert row["other"] == pytest.approx(20)
    assert row["emulated"]


def test_printed_table_puts_common_settings_into_its_title(make_runs):
    runs = make_runs(
        ({"nodes": 1, "lr_peak": 0.001}, {"validation/f1": [(48000, 0.5)]}),
        ({"nodes": 4, "lr_peak": 0.002, "status": "FAILED"}, {}),
    )
    table = summary_table(summarize(runs), "study")
    assert (
        table.title
        == "study: 2 points (real, optimizer adam, rule sqrt, warm-up none, batch 1, seed 0)"
    )
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert cells["nodes"] == ["1", "4"]
    assert cells["peak rate"] == ["1.0e-03", "2.0e-03"]
    assert cells["best"] == ["0.500", "-"]
    assert cells["FOVs"] == ["48k", "-"]
    assert cells["status"] == ["finished", "failed"]


@pytest.mark.parametrize(("seconds", "text"), [(12.34, "12.3 s"), (245, "4:05"), (7384, "2:03:04")])
def test_durations(make_runs, seconds, text):
    metrics = {"time/elapsed_s": [(1, seconds)]}
    summary: pd.DataFrame = summarize(make_runs(({}, metrics)))
    cells = {str(c.header): list(c.cells) for c in summary_table(summary, "s").columns}
    assert cells["time"] == [text]


def test_of_very_many_points_the_best_are_listed(make_runs):
    points = [({"seed": i}, {"validation/f1": [(1, i / 1000)]}) for i in range(MOST_ROWS + 5)]
    table = summary_table(summarize(make_runs(*points)), "study")
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert cells["seed"] == [f"{i}" for i in range(5, MOST_ROWS + 5)]
    assert str(table.title).startswith(f"study: {MOST_ROWS + 5} points")
    assert f"the {MOST_ROWS} points of highest final score" in str(table.caption)
