"""What a dry run says a point will take."""

import pytest

from experiments.sweep.dry_run import step_seconds


def test_a_step_takes_a_fixed_time_and_a_time_for_each_fov():
    measured = {1: [0.009], 4: [0.015, 0.0151, 0.014], 64: [0.135]}
    assert step_seconds(measured, 16) == pytest.approx(0.007 + 16 * 0.002)
    assert step_seconds(measured, 1) == pytest.approx(0.009)


def test_times_that_fall_with_the_batch_are_taken_per_fov():
    assert step_seconds({1: [0.02], 2: [0.01]}, 10) == pytest.approx(10 * 0.0125)
