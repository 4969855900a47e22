"""What a volume is like, on volumes whose answer is known."""

import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.planning.fingerprint import measure, median_thickness, relative_edges
from ffn_core.sampling.partial_labels import PartialLabels
from ffn_core.volumes import ArrayVolume


def slabs(shape=(40, 40, 40), thick=8, axis=0) -> np.ndarray:
    """Objects that are slabs of so many voxels along an axis."""
    numbers = np.arange(shape[axis]) // thick + 1
    order = [1, 1, 1]
    order[axis] = -1
    return np.broadcast_to(numbers.reshape(order), shape).astype(np.uint32)


def test_slabs_are_as_thick_as_they_are():
    """The ball inside a slab of 8 reaches 4 voxels to either side."""
    assert median_thickness(slabs(thick=8), (1.0, 1.0, 1.0)) == 8
    assert median_thickness(slabs(thick=4, axis=2), (1.0, 1.0, 1.0)) == 4
    assert median_thickness(slabs(thick=4), (3.75, 1.0, 1.0)) == 15


def test_one_object_everywhere_is_as_thick_as_the_volume():
    assert median_thickness(np.ones((5, 9, 7), np.uint8), (1.0, 1.0, 1.0)) == 9
    assert median_thickness(np.zeros((5, 9, 7), np.uint8), (1.0, 1.0, 1.0)) == 0


def test_edges_are_relative_to_the_shortest():
    assert relative_edges((30.0, 8.0, 8.0)) == (3.75, 1.0, 1.0)
    assert relative_edges((10.0, 8.0, 8.0)) == (1.0, 1.0, 1.0)
    assert relative_edges(None) == (1.0, 1.0, 1.0)


def test_a_volume_by_hand():
    image = np.full((40, 40, 40), 7, np.uint8)
    image[:20] = 9
    labels = slabs()
    labels[:, :, 20:] = 0
    found = measure(ArrayVolume(image), ArrayVolume(labels), (8.0, 8.0, 8.0))
    assert (found.mean, found.stddev) == (8, 1)
    assert found.sizes.tolist() == [8 * 40 * 20] * 5
    assert found.labeled == Box((0, 0, 0), (40, 40, 20))
    assert (found.found_box, found.labeled_voxels) == (True, 40 * 40 * 20)
    assert found.thickness == 8


def test_a_thin_rim_of_background_is_no_box():
    labels = slabs()
    labels[:, :, 39:] = 0
    found = measure(ArrayVolume(labels), ArrayVolume(labels), None)
    assert (found.found_box, found.labeled) == (False, Box((0, 0, 0), (40, 40, 40)))


def test_a_given_part_is_taken_as_it_is():
    box = Box((0, 0, 0), (40, 40, 12))
    partial = PartialLabels(ArrayVolume(slabs()), box)
    found = measure(ArrayVolume(slabs()), partial, None)
    assert (found.labeled, found.given, found.found_box) == (box, True, False)
    assert found.labeled_voxels == found.sizes.sum() == 40 * 40 * 12


def test_labels_without_an_object_are_refused():
    empty = ArrayVolume(np.zeros((40, 40, 40), np.uint8))
    with pytest.raises(InputError, match="there is no object"):
        measure(empty, empty, None)
