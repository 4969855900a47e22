import numpy as np
import pytest

from ffn_core.class_collector import ClassCollector
from ffn_core.coordinates import Coordinates

SHAPE = (40, 20, 30)


@pytest.fixture
def member() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE) < 0.4


def collect(member: np.ndarray, block: tuple[int, int, int], most: int) -> np.ndarray:
    collector = ClassCollector(SHAPE, most)
    starts = [range(0, n, b) for n, b in zip(SHAPE, block, strict=True)]
    for z in reversed(starts[0]):
        for y in starts[1]:
            for x in starts[2]:
                part = member[z : z + block[0], y : y + block[1], x : x + block[2]]
                collector.add((z, y, x), part)
    return collector.indices()


@pytest.mark.parametrize("block", [SHAPE, (7, 9, 11)])
def test_all_are_kept_where_there_is_room(member, block):
    indices = collect(member, block, most=member.size)
    np.testing.assert_array_equal(indices, np.flatnonzero(member))
    assert indices.dtype == np.uint16  # 24,000 voxels


@pytest.mark.parametrize("most", [1, 500, 4000])
def test_the_draw_does_not_depend_on_blocks(member, most):
    whole = collect(member, SHAPE, most)
    assert len(whole) == most
    assert (np.diff(whole.astype(int)) > 0).all()
    assert member.ravel()[whole].all()
    for block in ((7, 9, 11), (1, 20, 30)):
        np.testing.assert_array_equal(collect(member, block, most), whole)


def test_the_draw_is_even():
    """Over 8 parts of the volume; 4 hypergeometric standard deviations."""
    drawn = collect(np.ones(SHAPE, bool), SHAPE, most=6000)
    counts = np.histogram(drawn, bins=8, range=(0, np.prod(SHAPE)))[0]
    assert np.abs(counts - 750).max() < 4 * np.sqrt(750 * 7 / 8 * 0.75)


def test_memory_is_bounded(member):
    collector = ClassCollector(SHAPE, most=100)
    for z in range(SHAPE[0]):
        collector.add((z, 0, 0), member[z : z + 1])
        assert collector._count <= 200 + SHAPE[1] * SHAPE[2]


def test_coordinates_keep_at_most_so_many_of_each_class(member):
    partitions = np.where(member, 1, 2).astype(np.uint8)
    partitions[0, 0, :3] = 3
    blocks = [((0, 0, 0), partitions[:15]), ((15, 0, 0), partitions[15:])]
    coordinates = Coordinates.from_blocks(
        blocks, SHAPE, (1, 1, 1), (0.3, 0.6), 1, "gt", most_per_class=50
    )
    assert coordinates.class_counts().tolist() == [50, 50, 3]
    for number, members in enumerate(coordinates.indices, start=1):
        assert (partitions.ravel()[members] == number).all()
