"""Lines about runs under way: what they say, and that they fit."""

import pytest

from experiments.reporting.progress import (
    RunProgress,
    SweepProgress,
    bar_lines,
    report_line,
    share_done,
    shortened,
)
from experiments.reporting.records import Record
from ffn_core import metric_names as names

HALF = {"budget_s": None, "budget_steps": 100, "step": 50, "elapsed_s": 60.0}
REPORT = Record(50, 400, 60.0, 0.0, {names.THROUGHPUT: 1250.25, names.AVERAGED_F1: 0.5324})
NAME = "n=64 linear warm adam lr=0.0028 s12"


def half_way(name=NAME):
    return RunProgress(name).after(HALF, [REPORT])


def test_a_line_at_80_columns():
    assert bar_lines([half_way("n=64 s1")], 80) == [
        "n=64 s1 ━━━━━─────  50%  1,250.2 FOV/s  F1 0.532  0:01:00 left"
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width):
    lines = bar_lines([half_way(), RunProgress("n=4"), RunProgress("n=8", 0.0)], width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 3


def test_where_there_is_little_room_the_time_left_stays_longest():
    assert "0:01:00 left" in bar_lines([half_way()], 50)[0]
    assert "FOV/s" not in bar_lines([half_way()], 50)[0]


def test_a_long_name_keeps_both_ends():
    assert shortened(NAME, 13) == "n=64 l…28 s12"
    assert shortened("n=4", 13) == "n=4"
    assert bar_lines([half_way()], 80)[0].startswith("n=64 linear …r=0.0028 s12 ━")


def test_a_run_before_its_first_step_and_after_its_last():
    assert bar_lines([RunProgress("n=4", 0.001, 5.0)], 80) == ["n=4 ──────────   0%"]
    assert bar_lines([RunProgress("n=4")], 80)[0].endswith("starting ranks")
    scored = RunProgress("n=4").after({}, [Record(0, 0, 0.0, 0.0, {names.VALIDATION_F1: 0.25})])
    assert report_line(scored) == "n=4: 0 FOVs  F1 0.250"
    assert report_line(RunProgress("n=4", 1.0, 75.0, 800)) == "n=4: 100%  800 FOVs  in 0:01:15"


def test_a_report_in_a_log():
    assert report_line(half_way("n=4")) == (
        "n=4: 50%  400 FOVs  1,250.2 FOV/s  F1 0.532  0:01:00 left"
    )


def test_a_report_without_a_score_leaves_the_last_one():
    later = half_way().after({}, [Record(60, 480, 70.0, 0.0, {})])
    assert (later.f1, later.fovs, later.share) == (0.5324, 480, 0.5)


def test_shares_of_budgets():
    assert share_done(HALF) == 0.5
    assert share_done(HALF | {"budget_s": 40.0}) == 1.0
    assert share_done({}) is None


def test_the_line_of_a_sweep():
    assert str(SweepProgress(14, 2)) == "sweep: point 3 of 14"
    assert str(SweepProgress(14, 5, 1, 3723)) == (
        "sweep: point 6 of 14, 1 failed, about 1:02:03 left"
    )
    assert str(SweepProgress(14, 14)) == "sweep: all 14 points have ended"
