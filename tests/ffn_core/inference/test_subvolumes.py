import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.inference.subvolumes import Grid


def triples(low: int, high: int) -> st.SearchStrategy:
    return st.tuples(*[st.integers(low, high)] * 3)


@given(triples(0, 30), triples(9, 40), triples(9, 20), triples(1, 8))
def test_cores_tile_the_region_and_neighbors_overlap(start, shape, size, overlap):
    region = Box(start, shape)
    grid = Grid(region, size, overlap, (3, 3, 3))
    covered = np.zeros(shape, int)
    for subvolume in grid.subvolumes:
        covered[subvolume.core.slices_in(region)] += 1
        for axis in range(3):
            assert subvolume.box.start_zyx[axis] <= subvolume.core.start_zyx[axis]
            assert subvolume.core.stop_zyx[axis] <= subvolume.box.stop_zyx[axis]
            assert region.start_zyx[axis] <= subvolume.box.start_zyx[axis]
            assert subvolume.box.stop_zyx[axis] <= region.stop_zyx[axis]
    assert (covered == 1).all()
    for seam in grid.seams():
        low, high = (grid.subvolumes[i] for i in (seam.low, seam.high))
        axis = seam.axis
        assert low.box.stop_zyx[axis] - high.box.start_zyx[axis] >= overlap[axis]
        assert high.core.start_zyx[axis] == low.core.stop_zyx[axis]
        assert high.box.start_zyx[axis] <= seam.slab.start_zyx[axis] < high.core.stop_zyx[axis]
        assert seam.slab.stop_zyx[axis] <= low.box.stop_zyx[axis]


def test_places_by_hand():
    grid = Grid(Box((10, 0, 0), (50, 20, 20)), (20, 20, 20), (8, 8, 8), (5, 5, 5))
    assert grid.counts_zyx == (4, 1, 1)
    assert [sub.box.start_zyx[0] for sub in grid.subvolumes] == [10, 20, 30, 40]
    assert [sub.core.start_zyx[0] for sub in grid.subvolumes] == [10, 25, 35, 45]
    seam = grid.seams()[0]
    assert (seam.axis, seam.low, seam.high) == (0, 0, 1)
    assert (seam.slab.start_zyx, seam.slab.shape_zyx) == ((22, 0, 0), (6, 20, 20))


def test_a_whole_region_is_one_subvolume_without_seams():
    region = Box((1, 2, 3), (30, 40, 50))
    grid = Grid(region, (99, 99, 99), (66, 66, 66), (9, 9, 9))
    (subvolume,) = grid.subvolumes
    assert subvolume.box == subvolume.core == region
    assert grid.seams() == []


@pytest.mark.parametrize(
    ("size", "overlap", "match"),
    [
        ((8, 20, 20), (4, 4, 4), "FOV"),
        ((20, 20, 20), (20, 4, 4), "overlap"),
        ((20, 20, 20), (0, 4, 4), "overlap"),
    ],
)
def test_sizes_that_cannot_work(size, overlap, match):
    with pytest.raises(InputError, match=match):
        Grid(Box((0, 0, 0), (40, 40, 40)), size, overlap, (9, 9, 9))
