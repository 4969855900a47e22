"""How long a sweep will take, from how far its points are."""

from pathlib import Path

import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.reporting.progress import SweepProgress
from experiments.sweep.pace import SweepPace, work_of

A, B, C = Path("a"), Path("b"), Path("c")


@pytest.fixture
def pace():
    return SweepPace({A: 100.0, B: 100.0, C: 200.0}, 1000.0)


def test_nothing_is_said_of_the_time_before_work_is_seen(pace):
    assert pace.progress(1100.0) == SweepProgress(3, 0)


def test_the_work_left_at_the_pace_so_far(pace):
    pace.begin(A, None)
    pace.see(A, 0.5)  # 50 of 400 in 20 s
    assert pace.progress(1020.0) == SweepProgress(3, 0, 0, 140.0)
    assert pace.progress(1009.0).left_s is None


def test_what_was_done_before_says_nothing_of_the_pace(pace):
    pace.end(A, "skipped")
    pace.begin(B, 0.5)
    pace.see(B, 0.75)  # 25 in 10 s; 25 and 200 are left
    assert pace.progress(1010.0) == SweepProgress(3, 1, 0, 90.0)


def test_a_failed_point_is_not_waited_for(pace):
    pace.begin(A, None)
    pace.see(A, 0.5)
    pace.end(A, "failed")  # 50 in 30 s; 300 are left
    assert pace.progress(1030.0) == SweepProgress(3, 1, 1, 180.0)
    pace.end(B, "finished")
    pace.end(C, "diverged")
    assert pace.progress(1060.0) == SweepProgress(3, 3, 1)


def test_a_point_that_was_stopped_is_still_to_be_done(pace):
    pace.begin(A, None)
    pace.see(A, 0.5)
    pace.end(A, "stopped")
    assert pace.progress(1020.0) == SweepProgress(3, 0, 0, 140.0)


@pytest.mark.parametrize(
    ("budgets", "work"),
    [
        ([{"fovs": 100}, {"steps": 10}], [104.0, 80.0]),
        ([{"seconds": 60.0}, {"seconds": 30.0}], [60.0, 30.0]),
        ([{"seconds": 60.0}, {"fovs": 8}], [1.0, 1.0]),
    ],
)
def test_work_of_points_in_one_unit(budgets, work):
    model = {"name": "m", "fov_zyx": [7, 7, 7], "deltas_zyx": [2, 2, 2], "depth": 2, "features": 4}
    values = {"data": {"name": "dummy", "kind": "dummy"}, "model": model, "cluster": {"nodes": 8}}
    assert work_of([from_dict(Config, values | {"budget": one}) for one in budgets]) == work
