import functools
from collections import Counter

import cc3d
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from ffn_core.geometry import Box
from ffn_core.inference.reconcile import join, matches, reconcile, renumber
from ffn_core.inference.subvolumes import Grid


def groups(edges, strengths, owners) -> list[int]:
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    return join(pairs, np.array(strengths, float), np.array(owners)).tolist()


def test_a_chain_becomes_one_group():
    assert groups([(0, 2), (2, 3)], [1, 1], [0, 0, 1, 2]) == [0, 1, 0, 0]


def test_a_closed_cycle_is_one_group():
    assert groups([(0, 1), (1, 2), (2, 3), (3, 0)], [1] * 4, [0, 1, 2, 3]) == [0] * 4


def test_the_weakest_link_of_a_cycle_to_another_object_breaks():
    """Around four subvolumes, from object 0 of the first back to its object 1."""
    cycle, owners = [(0, 2), (2, 3), (3, 4), (4, 1)], [0, 0, 1, 2, 3]
    assert groups(cycle, [0.9, 0.5, 0.8, 0.7], owners) == [0, 1, 0, 1, 1]
    assert groups(cycle, [0.9, 0.6, 0.8, 0.5], owners) == [0, 1, 0, 0, 0]


def test_without_edges_everything_stays_apart():
    assert groups([], [], [0, 0, 1]) == [0, 1, 2]
    assert groups([], [], []) == []


@given(st.integers(0, 10_000))
def test_a_group_has_one_node_of_an_owner_and_maximal_edges(seed):
    rng = np.random.default_rng(seed)
    owners = rng.integers(0, 5, 12)
    pairs, strengths = rng.integers(0, 12, (14, 2)), rng.random(14)
    group = join(pairs, strengths, owners)
    assert len({*zip(group, owners, strict=True)}) == 12
    for a, b in pairs:  # an edge was left out only for a reason
        if group[a] != group[b]:
            assert set(owners[group == group[a]]) & set(owners[group == group[b]])


def test_names_are_numbered_as_they_come():
    assert renumber(np.array([7, 3, 7, 9])).tolist() == [0, 1, 0, 2]


SHAPE = (24, 26, 28)
REGION = Box((5, 0, 0), SHAPE)
FOV = (3, 3, 3)


def put_together(grid: Grid, parts: list[np.ndarray], min_size: int = 1, **options) -> np.ndarray:
    """Reconciled labels of the whole region; every voxel must be written once."""
    result = np.full(SHAPE, -1, np.int64)

    def write(core: Box, ids: np.ndarray) -> None:
        window = core.slices_in(REGION)
        assert (result[window] == -1).all()
        assert ids.dtype == np.uint32
        result[window] = ids

    count = reconcile(grid, parts.__getitem__, write, min_size, **options)
    assert np.unique(result[result > 0]).tolist() == list(range(1, count + 1))
    return result


def crops(grid: Grid, labels: np.ndarray) -> list[np.ndarray]:
    """What a perfect segmentation gives each subvolume: its own numbers for the same objects."""
    parts = []
    for subvolume in grid.subvolumes:
        crop = labels[subvolume.box.slices_in(REGION)]
        names, local = np.unique(crop, return_inverse=True)
        shuffled = np.random.default_rng(subvolume.index).permutation(np.arange(1, len(names)))
        table = np.concatenate([[0], shuffled]) if names[0] == 0 else shuffled
        parts.append(table[local.reshape(crop.shape)].astype(np.uint32))
    return parts


def same_partition(first: np.ndarray, second: np.ndarray) -> bool:
    pairs = np.unique(np.stack([first.ravel(), second.ravel()]), axis=1)
    return len(pairs[0]) == len(set(pairs[0])) == len(set(pairs[1]))


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """Connected components of smooth noise; 0 between them."""
    noise = np.random.default_rng(1).normal(size=SHAPE)
    return cc3d.connected_components(ndimage.gaussian_filter(noise, 2.0) > 0.03, connectivity=6)


@pytest.mark.parametrize("size", [(24, 26, 28), (14, 26, 28), (14, 14, 14), (11, 13, 12)])
def test_perfect_parts_give_the_whole_back(blobs, size):
    grid = Grid(REGION, size, (8, 8, 8), FOV)
    assert same_partition(put_together(grid, crops(grid, blobs)), blobs)


def test_ids_are_connected_components():
    labels = np.zeros(SHAPE, np.uint32)
    labels[2:5], labels[8:11] = 4, 4  # one id, two places
    labels[:, :2] = 0
    grid = Grid(REGION, (14, 26, 28), (8, 8, 8), FOV)
    result = put_together(grid, crops(grid, labels))
    assert same_partition(result, cc3d.connected_components(labels, connectivity=6))


def test_small_components_go_wherever_the_cut_is():
    labels = np.zeros(SHAPE, np.uint32)
    labels[10:16, 5, 5] = 1  # 6 voxels across the border of the cores
    labels[3, 3, 3:8] = 2
    for size in ((24, 26, 28), (14, 26, 28)):
        grid = Grid(REGION, size, (8, 8, 8), FOV)
        result = put_together(grid, crops(grid, labels), min_size=6)
        np.testing.assert_array_equal(result, labels == 1)


def test_a_neuron_split_in_one_part_joins_only_its_better_half():
    labels = np.zeros(SHAPE, np.uint32)
    labels[:, 10:20, 10:20] = 1
    grid = Grid(REGION, (16, 26, 28), (8, 26, 28), FOV)
    low, high = crops(grid, labels)
    high[:, 10:13] *= 2  # the high part falls apart: 3 and 7 of 10 columns
    result = put_together(grid, [low, high])
    core = grid.subvolumes[1].core.slices_in(REGION)
    assert (result[core][:, 13:20, 10:20] == result[0, 15, 15]).all()
    assert (result[core][:, 10:13, 10:20] != result[0, 15, 15]).all()
    assert result.max() == 2


def test_a_merger_around_a_cycle_does_not_join_what_a_subvolume_kept_apart():
    """Two sheets in four subvolumes around an edge, one of which takes both for one object.

    The merged object matches the first sheet across one of its seams and the second across the
    other, by a tie that goes to the lower label.
    """
    labels = np.zeros(SHAPE, np.uint32)
    labels[:, 8:13], labels[:, 13:18] = 1, 2
    grid = Grid(REGION, (16, 26, 18), (8, 26, 8), FOV)
    apart, _, swapped, merged = parts = [
        labels[subvolume.box.slices_in(REGION)].copy() for subvolume in grid.subvolumes
    ]
    swapped[swapped > 0] = 3 - swapped[swapped > 0]
    merged[merged > 0] = 1
    result = put_together(grid, parts)
    core = grid.subvolumes[0].core
    ids = result[core.slices_in(REGION)]
    assert same_partition(ids, apart[core.slices_in(grid.subvolumes[0].box)])


def test_nothing_segmented():
    grid = Grid(REGION, (14, 26, 28), (8, 8, 8), FOV)
    empty = [np.zeros(grid.size_zyx, np.uint32)] * len(grid.subvolumes)
    assert not put_together(grid, empty).any()


def test_matches_by_hand():
    low = np.array([1, 1, 1, 1, 2, 2, 0, 3, 3, 3])
    high = np.array([5, 5, 5, 6, 6, 0, 7, 0, 0, 8])
    # 1-5: 3 of 4. 2-6: 1 of 3; 6 prefers 1 on a tie, the lower label. 3-8: 1 of 3.
    pairs, iou = matches(low, high, 0.3)
    assert pairs.tolist() == [[1, 5], [3, 8]]
    assert iou.tolist() == [3 / 4, 1 / 3]
    assert matches(low, high, 0.5)[0].tolist() == [[1, 5]]
    assert matches(low, high, 0.76)[0].shape == (0, 2)


@given(st.integers(0, 10_000))
def test_each_label_matches_at_most_once(seed):
    low, high = np.random.default_rng(seed).integers(0, 6, (2, 60))
    pairs, _ = matches(low, high, 0.01)
    assert (pairs > 0).all()
    for column in pairs.T:
        assert len(set(column)) == len(column)


def test_a_reader_that_keeps_two_parts_loads_none_more_than_six_times(blobs):
    grid = Grid(REGION, (11, 13, 12), (8, 8, 8), FOV)
    parts, loads = crops(grid, blobs), Counter()

    @functools.lru_cache(maxsize=2)
    def read(index: int) -> np.ndarray:
        loads[index] += 1
        return parts[index]

    assert min(grid.counts_zyx) > 2
    written: list[Box] = []
    reconcile(grid, read, lambda core, _: written.append(core), min_size=1)
    assert written == [subvolume.core for subvolume in grid.subvolumes]
    assert max(loads.values()) <= 6


def test_sizes_of_what_is_removed_are_given():
    labels = np.zeros(SHAPE, np.int64)
    labels[2:8, 2:8, 2:8], labels[12:14, 4:7, 4:20], labels[20, 20, 20] = 1, 2, 3
    grid = Grid(REGION, (16, 26, 28), (6, 6, 6), FOV)
    removed = []
    result = put_together(grid, crops(grid, labels), min_size=100, removed=removed.append)
    assert result.max() == 1
    assert sorted(np.concatenate(removed)) == [1, 2 * 3 * 16]
