import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, as_zyx

PUBLISHED = FovGeometry((33, 33, 33), (8, 8, 8))


def test_published_geometry():
    assert PUBLISHED.canvas_zyx == (49, 49, 49)
    assert PUBLISHED.canvas_radius_zyx == (24, 24, 24)
    assert PUBLISHED.fov_voxels == 35_937
    assert len(set(PUBLISHED.shifts_zyx)) == 26
    assert PUBLISHED.shifts_zyx[0] == (-8, -8, -8)
    assert PUBLISHED.shifts_zyx[12:14] == ((0, 0, -8), (0, 0, 8))
    assert PUBLISHED.shifts_zyx[-1] == (8, 8, 8)


def test_axes_are_not_mixed():
    geometry = FovGeometry((3, 5, 7), (1, 0, 3))
    assert geometry.canvas_zyx == (5, 5, 13)
    assert geometry.canvas_radius_zyx == (2, 2, 6)
    assert geometry.fov_voxels == 105
    assert geometry.window((1, 0, -3)) == (slice(2, 5), slice(0, 5), slice(0, 7))


def test_a_delta_of_zero_pins_the_axis():
    flat = FovGeometry((1, 33, 33), (0, 8, 8))
    assert flat.canvas_zyx == (1, 49, 49)
    assert len(flat.shifts_zyx) == 8
    assert {shift[0] for shift in flat.shifts_zyx} == {0}
    assert FovGeometry((5, 5, 5), (0, 0, 0)).shifts_zyx == ()


def test_every_window_lies_in_the_canvas_and_together_they_fill_it():
    canvas = np.zeros(PUBLISHED.canvas_zyx, bool)
    for shift in PUBLISHED.shifts_zyx:
        assert canvas[PUBLISHED.window(shift)].shape == (33, 33, 33)
        canvas[PUBLISHED.window(shift)] = True
    assert canvas.all()


def test_one_integer_stands_for_three():
    assert as_zyx(33, "x") == (33, 33, 33)
    assert as_zyx([1, 2, 3], "x") == (1, 2, 3)
    assert FovGeometry(33, [8, 8, 8]) == PUBLISHED


@pytest.mark.parametrize("value", [(1, 2), (1, 2, 3, 4), "abc", 33.0, None, (1, 2, "z")])
def test_neither_one_integer_nor_three(value):
    with pytest.raises(InputError, match=r"model\.fov_zyx=.*one integer or three") as caught:
        as_zyx(value, "model.fov_zyx")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [(33.5, 33, 33), "123"])
def test_nothing_is_silently_turned_into_integers(value):
    with pytest.raises(InputError, match="one integer or three"):
        as_zyx(value, "model.fov_zyx")


@pytest.mark.parametrize(
    ("fov", "deltas", "message"),
    [
        ((33, 32, 33), (8, 8, 8), r"fov_zyx=\(33, 32, 33\): .* odd"),
        ((33, -1, 33), (8, 8, 8), r"fov_zyx=\(33, -1, 33\): .* positive"),
        ((33, 33, 33), (8, 8, 17), r"deltas_zyx=\(8, 8, 17\): .* \(33, 33, 33\)"),
        ((33, 33, 33), (8, -1, 8), r"deltas_zyx=\(8, -1, 8\)"),
    ],
)
def test_impossible_sizes(fov, deltas, message):
    with pytest.raises(InputError, match=message):
        FovGeometry(fov, deltas)


def test_the_largest_step_keeps_the_next_center_in_sight():
    assert FovGeometry((5, 5, 5), (2, 2, 2)).canvas_zyx == (9, 9, 9)
