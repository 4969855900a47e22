"""Voxels that cannot be intensities or ids are named, in every format, by every reader."""

import h5py
import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.inference.evaluation import evaluate, evaluate_volumes
from ffn_core.sampling.partitions import object_sizes
from ffn_core.volumes import (
    ArrayVolume,
    UnusableVoxels,
    image_statistics,
    open_labels,
    open_volume,
    read_normalized,
    require_finite,
)

SHAPE = (4, 5, 6)
ALL = ((0, 0, 0), SHAPE)


def image_with(value: float, dtype: str = "float32") -> np.ndarray:
    """An image whose second section is ``value``, and one voxel of the last one."""
    image = np.arange(np.prod(SHAPE), dtype=dtype).reshape(SHAPE)
    image[1] = image[3, 2, 1] = value
    return image


@pytest.mark.parametrize("cache_bytes", [0, 10**6])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_intensities_that_are_not_finite(tmp_path, write, cache_bytes, value):
    volume = open_volume(write(tmp_path / "a", image_with(value)), cache_bytes)
    assert volume.read((0, 0, 0), (1, 5, 6)).max() == 29, "what is finite can be used"
    message = (
        rf"{tmp_path}/a.*: 31 of 120 voxels .* not finite .* first is {value} at zyx \(1, 0, 0\)"
    )
    for read in (image_statistics, require_finite):
        with pytest.raises(InputError, match=message) as caught:
            read(volume)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnusableVoxels, match=r"at zyx \(3, 2, 1\): write a number there"):
        volume.read((2, 0, 0), (2, 5, 6))


def test_what_float32_cannot_hold_is_not_finite(tmp_path):
    with pytest.raises(UnusableVoxels, match=r"31 of 120 .* is 1e\+39"):
        image_statistics(ArrayVolume(image_with(1e39, "float64")))
    assert image_statistics(ArrayVolume(image_with(1e38, "float64")))[0] > 1e37


def test_a_box_is_checked_by_itself():
    volume = ArrayVolume(image_with(np.nan))
    require_finite(volume, Box((2, 0, 0), (2, 2, 6)))
    with pytest.raises(UnusableVoxels, match=r"1 of 24 voxels .* zyx \(3, 2, 1\)"):
        require_finite(volume, Box((2, 1, 0), (2, 2, 6)))


def test_normalizing_does_not_make_infinities():
    volume = ArrayVolume(np.full(SHAPE, 3, np.uint8), "em.h5:raw")
    assert read_normalized(volume, *ALL, mean=1.0, stddev=4.0)[0, 0, 0] == 0.5
    with pytest.raises(UnusableVoxels, match=r"em\.h5:raw less 1, divided by 1e-46: 120 of 120"):
        read_normalized(volume, *ALL, mean=1.0, stddev=1e-46)
    with pytest.raises(UnusableVoxels, match="120 of 120"):
        read_normalized(volume, *ALL, mean=float("nan"), stddev=1.0)


def not_annotated(dtype: str) -> np.ndarray:
    """Labels of which -1, or what that is without a sign, says that 31 voxels are not annotated."""
    labels = np.ones(SHAPE, dtype)
    labels[1] = labels[3, 2, 1] = np.array(-1).astype(dtype)
    return labels


@pytest.mark.parametrize("cache_bytes", [0, 10**6])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32", "uint64"])
def test_minus_one_is_no_object(tmp_path, write, cache_bytes, dtype):
    try:
        spec = write(tmp_path / "a", not_annotated(dtype))
    except ValueError:
        pytest.skip("a type that the format does not have")
    labels = open_labels(spec, cache_bytes)
    value = not_annotated(dtype)[1, 0, 0]
    message = rf"31 of 120 voxels .*ids are 0 or above.* first is {value} at zyx \(1, 0, 0\)"
    with pytest.raises(InputError, match=message):
        object_sizes(labels)
    with pytest.raises(InputError, match=message):
        evaluate_volumes(labels, ArrayVolume(np.ones(SHAPE, np.uint32)))
    with pytest.raises(UnusableVoxels, match=r"write 0 where nothing is annotated"):
        labels.read((3, 0, 0), (1, 5, 6))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_largest_of_a_small_type_is_an_id(dtype):
    ids, sizes = object_sizes(ArrayVolume(not_annotated(dtype)))
    assert ids.tolist() == [1, np.iinfo(dtype).max]
    assert sizes.tolist() == [89, 31]


def test_scores_in_memory_are_checked_as_well():
    good = np.ones(SHAPE, np.int64)
    for pair in [(not_annotated("int64"), good), (good, not_annotated("int64"))]:
        with pytest.raises(UnusableVoxels, match="31 of 120"):
            evaluate(*pair)


def test_ids_beyond_what_a_float_holds(tmp_path, write):
    """Two neighbors above 2^53, and the largest id there may be."""
    labels = np.zeros(SHAPE, np.uint64)
    wanted = [2**53 + 1, 2**53 + 2, 2**63 + 1, 2**64 - 2]
    for z, value in enumerate(wanted):
        labels[z, 0] = value
    ids, sizes = object_sizes(open_labels(write(tmp_path / "a", labels), 0))
    assert ids.tolist() == wanted
    assert sizes.tolist() == [6] * 4


@pytest.mark.parametrize("cache_bytes", [0, 10**6])
@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", ">f8"])
def test_byte_orders(tmp_path, write, cache_bytes, dtype):
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)
    try:
        spec = write(tmp_path / "a", array)
    except ValueError:
        pytest.skip("a type that the format does not have")
    volume = open_volume(spec, cache_bytes)
    assert volume.dtype.isnative
    assert volume.read(*ALL).dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(volume.read(*ALL), array)
    if volume.dtype.kind == "i":
        assert len(object_sizes(volume)[0]) == 119


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, -1]], r"int64 from -1 on; ids are integers of 0 or above"),
        ([[1.0, 2.0]], "float64 from 1.0 on"),
        ([[1, 2], [1, 3]], "two bodies for supervoxel 1"),
    ],
)
def test_tables_of_bodies_that_cannot_be(tmp_path, table, message):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["stack"], file["transforms"] = np.ones((1, 1, 2), np.uint64), np.array(table)
    with pytest.raises(InputError, match=message):
        open_labels(f"{tmp_path}/a.h5:stack")


def test_supervoxels_beyond_what_a_float_holds(tmp_path):
    """uint64 ids compared with an int64 table as float64 would take one for the other."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["stack"] = np.array([[[2**53, 2**53 + 1]]], np.uint64)
        file["transforms"] = np.array([[2**53, 7], [2**53 + 1, 8]], np.int64)
    labels = open_labels(f"{tmp_path}/a.h5:stack")
    assert labels.read((0, 0, 0), (1, 1, 2)).tolist() == [[[7, 8]]]
