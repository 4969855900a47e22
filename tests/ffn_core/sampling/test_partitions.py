import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.sampling.partitions import (
    PUBLISHED_THRESHOLDS,
    compute_partitions,
    compute_partitions_blockwise,
    large_objects,
    object_sizes,
    partition_blocks,
)
from ffn_core.volumes import ArrayVolume, open_labels

SHARED = Path(os.environ.get("FFN_SHARED_DIR", REPOSITORY.parent / "shared"))
GROUND_TRUTH = SHARED / "data" / "fib25" / "training_sample2" / "groundtruth.h5"


def reference(labels, radius_zyx, thresholds, min_size):
    """One summed-area table of the whole volume per object, thresholds one by one."""
    diameter = [2 * r + 1 for r in radius_zyx]
    inside = tuple(slice(r, n - r) for r, n in zip(radius_zyx, labels.shape, strict=True))
    partitions = np.zeros(labels.shape, np.uint8)
    core = partitions[inside]
    for object_id, size in zip(*np.unique(labels, return_counts=True), strict=True):
        if object_id == 0 or size < min_size:
            continue
        table = (labels == object_id).astype(np.int64)
        for axis, d in enumerate(diameter):
            padded = np.insert(table.cumsum(axis=axis), 0, 0, axis=axis)
            far = padded.take(range(d, padded.shape[axis]), axis)
            table = far - padded.take(range(padded.shape[axis] - d), axis)
        fraction = table / np.prod(diameter)
        mask = labels[inside] == object_id
        for number, threshold in enumerate(thresholds, start=1):
            core[mask & (fraction < threshold) & (core == 0)] = number
        core[mask & (core == 0)] = len(thresholds) + 1
    return partitions


def blobs(shape, seed, scale=4, n_ids=6):
    """Random objects of several pieces, some background."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, n_ids, [-(-n // scale) for n in shape])
    for axis in range(3):
        coarse = coarse.repeat(scale, axis=axis)
    labels = coarse[tuple(slice(n) for n in shape)].astype(np.int64) * 1_000_003
    labels[rng.random(shape) < 0.1] = 0
    return labels


def test_known_answer_in_one_dimension():
    labels = np.array([[[7, 7, 7, 5, 5, 0, 7]]])
    partitions = compute_partitions(labels, (0, 0, 1), thresholds=(0.5, 1.0), min_size=1)
    # Windows of 3: fractions -, 1, 2/3, 2/3, 2/3, background, -; a fraction of 1.0 reaches 1.0.
    np.testing.assert_array_equal(partitions, [[[0, 3, 2, 2, 2, 0, 0]]])
    assert partitions.dtype == np.uint8


def test_small_objects_are_dropped_by_their_whole_size():
    labels = np.zeros((3, 3, 9), np.uint32)
    labels[:, :, :2], labels[:, :, 4:8] = 1, 2  # 18 and 36 voxels
    assert set(np.unique(compute_partitions(labels, (0, 0, 0), min_size=18))) == {0, 13}
    partitions = compute_partitions(labels, (0, 0, 0), min_size=19)
    assert not partitions[:, :, :4].any()
    assert partitions[:, :, 4:8].all()
    assert not compute_partitions(labels, (0, 0, 0), min_size=37).any()


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(9, 20)] * 3),
    radius=st.tuples(*[st.integers(0, 4)] * 3),
    seed=st.integers(0, 1000),
    min_size=st.sampled_from([1, 100, 500]),
)
def test_same_as_reference(shape, radius, seed, min_size):
    labels = blobs(shape, seed)
    np.testing.assert_array_equal(
        compute_partitions(labels, radius, min_size=min_size),
        reference(labels, radius, PUBLISHED_THRESHOLDS, min_size),
    )


def test_wide_windows_need_wide_integers():
    labels = np.full((60, 300, 300), 3, np.uint16)  # 51 * 261 * 201 = 2.7 million counts
    labels[:, :, ::7] = 9
    radius = (25, 130, 100)
    np.testing.assert_array_equal(
        compute_partitions(labels, radius),
        reference(labels, radius, PUBLISHED_THRESHOLDS, 10_000),
    )


@pytest.mark.skipif(not GROUND_TRUTH.is_file(), reason=f"no FIB-25 sample in {GROUND_TRUTH}")
def test_same_as_reference_on_fib25():
    labels = open_labels(f"{GROUND_TRUTH}:stack").read((60, 70, 80), (70, 90, 80))
    np.testing.assert_array_equal(
        compute_partitions(labels, (16, 24, 20), min_size=3000),
        reference(labels, (16, 24, 20), PUBLISHED_THRESHOLDS, 3000),
    )


@pytest.mark.parametrize("block", [(5, 7, 30), (1, 50, 50), (100, 100, 100)])
def test_blocks_make_no_difference(block):
    labels = blobs((19, 23, 29), seed=5)
    whole = compute_partitions(labels, (2, 3, 4), min_size=1500)
    assert 0 < np.count_nonzero(whole) < whole.size
    fractions = []
    blockwise = compute_partitions_blockwise(
        ArrayVolume(labels), (2, 3, 4), min_size=1500, block_zyx=block, on_progress=fractions.append
    )
    np.testing.assert_array_equal(blockwise, whole)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_labels_are_not_written_to():
    labels = blobs((12, 12, 12), seed=2)
    labels.flags.writeable = False
    before = labels.copy()
    compute_partitions(labels, (1, 1, 1), min_size=1)
    compute_partitions(labels.transpose(2, 0, 1), (1, 1, 1), min_size=1)
    np.testing.assert_array_equal(labels, before)


def test_object_sizes():
    labels = np.array([[[4, 0, 2, 4]], [[4, 4, 0, 2]]], np.int32)
    ids, sizes = object_sizes(ArrayVolume(labels))
    assert (ids.tolist(), sizes.tolist()) == ([2, 4], [2, 4])
    assert large_objects(ArrayVolume(labels), 3).tolist() == [4]


@pytest.mark.parametrize(
    ("radius", "thresholds", "message"),
    [
        ((2, 0, 0), (0.5,), r"window of \(5, 1, 1\) .* only \(4, 4, 4\)"),
        ((-1, 0, 0), (0.5,), "must not be negative"),
        ((1, 1, 1), (), "increasing"),
        ((1, 1, 1), (0.5, 0.5), "increasing"),
    ],
)
def test_impossible_parameters(radius, thresholds, message):
    with pytest.raises(InputError, match=message):
        compute_partitions(np.ones((4, 4, 4), np.uint8), radius, thresholds)


@pytest.mark.parametrize("block", [(512, 512, 512), (5, 7, 9)])
def test_no_class_where_the_mask_is_false(block):
    labels = blobs((19, 23, 29), seed=5)
    mask = np.random.default_rng(0).integers(0, 2, labels.shape, np.uint8)
    expected = compute_partitions(labels, (2, 3, 4), min_size=1500) * mask
    found = np.zeros_like(expected)
    for (z, y, x), classes in partition_blocks(
        ArrayVolume(labels), (2, 3, 4), min_size=1500, mask=ArrayVolume(mask), block_zyx=block
    ):
        depth, height, width = classes.shape
        found[z : z + depth, y : y + height, x : x + width] = classes
    np.testing.assert_array_equal(found, expected)


def test_a_mask_of_another_shape():
    labels, mask = np.ones((9, 9, 9), np.uint8), ArrayVolume(np.ones((9, 9, 8)), "mask.h5:m")
    with pytest.raises(InputError, match=r"mask mask\.h5:m has shape zyx \(9, 9, 8\)"):
        next(partition_blocks(ArrayVolume(labels), (1, 1, 1), mask=mask))
