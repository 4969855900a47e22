"""Labels that are true in a box or under a mask: what is read, and what counts."""

import numpy as np
import pytest

from experiments.data.cache import write_volumes
from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.sampling.partial_labels import (
    PartialLabels,
    box_of,
    inside_only,
    labeled_extent,
    labeled_voxels,
    open_partial_labels,
)
from ffn_core.volumes import ArrayVolume, open_labels

SHAPE = (4, 5, 6)
BOX = Box((1, 1, 2), (2, 3, 3))


@pytest.fixture
def ids() -> np.ndarray:
    """Ids of 1 and above in the box; outside of it -1, which is no id."""
    stored = np.full(SHAPE, -1, np.int32)
    stored[1:3, 1:4, 2:5] = np.arange(1, 19).reshape(2, 3, 3)
    return stored


@pytest.fixture
def mask() -> np.ndarray:
    labeled = np.zeros(SHAPE, np.uint8)
    labeled[1, 1:3, 3:5] = 1
    labeled[3, 4, 5] = 7
    return labeled


def test_outside_the_box_ids_are_0_and_never_looked_at(ids):
    labels = PartialLabels(ArrayVolume(ids), BOX)
    found = labels.read((0, 0, 0), SHAPE)
    np.testing.assert_array_equal(found, np.where(ids < 0, 0, ids))
    np.testing.assert_array_equal(labels.read((2, 0, 3), (2, 3, 3)), found[2:4, 0:3, 3:6])
    assert not labels.read((3, 0, 0), (1, 5, 6)).any()
    assert found.dtype == np.int32
    np.testing.assert_array_equal(labels.labeled((2, 0, 3), (2, 3, 3)), found[2:4, :3, 3:] > 0)
    assert (labeled_extent(labels), labeled_voxels(labels)) == (BOX, 18)


def test_a_mask_takes_away_from_the_box(ids, mask):
    labels = PartialLabels(ArrayVolume(ids), BOX, ArrayVolume(mask))
    expected = np.zeros(SHAPE, bool)
    expected[1, 1:3, 3:5] = True  # its other voxel lies outside the box
    np.testing.assert_array_equal(labels.labeled((0, 0, 0), SHAPE), expected)
    np.testing.assert_array_equal(labels.read((0, 0, 0), SHAPE), np.where(expected, ids, 0))
    assert (labeled_extent(labels), labeled_voxels(labels)) == (Box((1, 1, 3), (1, 2, 2)), 4)


def test_labeled_voxels_must_hold_ids(ids):
    labels = PartialLabels(ArrayVolume(ids), Box((0, 1, 2), (2, 3, 3)))
    with pytest.raises(InputError, match=r"9 of 18 voxels read .* at zyx \(0, 1, 2\)"):
        labels.read((0, 0, 0), SHAPE)


@pytest.mark.parametrize("cache_bytes", [0, 10**6])
def test_by_name(ids, mask, tmp_path, cache_bytes):
    write_volumes(tmp_path / "a.h5", {"ids": ids, "mask": mask, "none": 0 * mask})
    spec, corners = f"{tmp_path}/a.h5:ids", [[1, 1, 2], [3, 4, 5]]
    found = open_partial_labels(spec, corners, None, cache_bytes)
    np.testing.assert_array_equal(found.read((0, 0, 0), SHAPE), np.where(ids < 0, 0, ids))
    assert found.source == spec
    masked = open_partial_labels(spec, None, f"{tmp_path}/a.h5:mask", cache_bytes)
    assert labeled_extent(masked) == Box((1, 1, 3), (3, 4, 3))
    with pytest.raises(InputError, match="none is false everywhere"):
        labeled_extent(open_partial_labels(spec, None, f"{tmp_path}/a.h5:none", cache_bytes))
    write_volumes(tmp_path / "b.h5", {"ids": abs(ids)})
    everywhere = open_partial_labels(f"{tmp_path}/b.h5:ids", cache_bytes=cache_bytes)
    assert type(everywhere) is type(open_labels(f"{tmp_path}/b.h5:ids", cache_bytes))


@pytest.mark.parametrize(
    "corners", [[[0, 0, 0]], [[0, 0], [1, 1]], [[1, 1, 1], [1, 2, 2]], [[-1, 0, 0], [1, 1, 1]]]
)
def test_corners_of_no_box(corners):
    with pytest.raises(InputError, match=r"data\.labels_box=.* must be two corners"):
        box_of(corners, "data.labels_box")


def test_a_box_outside_of_its_volume():
    assert box_of([[1, 1, 2], [3, 4, 5]], "x", SHAPE) == BOX
    with pytest.raises(InputError, match=r"x=\[\[1,1,2\],\[3,4,7\]\] does not lie in"):
        box_of([[1, 1, 2], [3, 4, 7]], "x", SHAPE)


def test_labels_outside_a_box_can_be_wiped(ids):
    np.testing.assert_array_equal(inside_only(ids, BOX), np.where(ids < 0, 0, ids))
