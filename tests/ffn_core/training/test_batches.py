import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffn_core.geometry import FovGeometry
from ffn_core.movement import FixedMovement
from ffn_core.training.batches import MicroBatch, micro_batch_size
from ffn_core.training.examples import Canvas
from ffn_core.training.noise_scale import first_group

GEOMETRY = FovGeometry((1, 3, 3), (0, 1, 1))


def make_canvas(base: float) -> Canvas:
    values = base + np.arange(25, dtype=np.float32).reshape(1, 5, 5)
    movement = FixedMovement(GEOMETRY, 0.0, np.arange(8))
    return Canvas(values, values % 2 == 0, -values, movement, GEOMETRY)


def test_gather_copies_each_window_into_its_row():
    first, second = make_canvas(0.0), make_canvas(100.0)
    batch = MicroBatch(3, GEOMETRY.fov_zyx)
    assert batch.image.shape == batch.seed.shape == batch.is_object.shape == (3, 1, 3, 3, 1)
    assert (batch.image.dtype, batch.is_object.dtype) == (np.float32, bool)
    batch.gather([(first, GEOMETRY.window((0, 0, 0))), (second, GEOMETRY.window((0, 1, -1)))])
    center = np.array([[6, 7, 8], [11, 12, 13], [16, 17, 18]], np.float32)
    corner = np.array([[110, 111, 112], [115, 116, 117], [120, 121, 122]], np.float32)
    np.testing.assert_array_equal(batch.image[:2, 0, :, :, 0], [center, corner])
    np.testing.assert_array_equal(batch.seed[:2, 0, :, :, 0], [-center, -corner])
    np.testing.assert_array_equal(
        batch.is_object[:2, 0, :, :, 0], [center % 2 == 0, corner % 2 == 0]
    )
    assert not batch.image[2].any()
    batch.image[...] = batch.seed[...] = 7.0
    assert first.image[0, 1, 1] == 6.0  # a copy: the canvas is not touched
    assert first.seed[0, 1, 1] == -6.0


@pytest.mark.parametrize(
    ("per_rank", "total", "at_most", "size"),
    [
        (8, 16, 4, 4),
        (8, 16, 5, 4),  # 5 does not divide 8
        (7, 14, 4, 1),  # a prime
        (8, 16, 100, 8),
        (8, 8, 100, 4),  # 8 would lie in both groups of the noise scale
        (16, 48, 100, 8),  # likewise on the second of three ranks, whose middle is the border
        (9, 9, 100, 3),  # groups of 3 and 6
        (1, 1, 4, 1),
        (1, 64, 4, 1),
    ],
)
def test_micro_batch_size(per_rank, total, at_most, size):
    assert micro_batch_size(per_rank, total, at_most) == size


@given(st.integers(1, 64), st.integers(1, 8), st.integers(1, 64))
def test_micro_batch_is_the_largest_that_tiles_every_share_on_either_side(per_rank, ranks, at_most):
    total = per_rank * ranks
    border = first_group(total)

    def fits(size):
        starts = range(0, total, size)
        return per_rank % size == 0 and (border == 0 or border in starts)

    size = micro_batch_size(per_rank, total, at_most)
    assert size == max(d for d in range(1, at_most + 1) if fits(d))
