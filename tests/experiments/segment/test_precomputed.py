import json

import numpy as np
import pytest

from experiments.segment.precomputed import (
    IMAGE,
    SEGMENTATION,
    open_precomputed,
    scales,
    write_precomputed,
)
from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.volumes import ArrayVolume, open_volume

VOXEL_NM = (40.0, 4.0, 4.5)


def write(folder, array, kind, start_zyx=(0, 0, 0), box=None) -> None:
    volume = ArrayVolume(array)
    box = box or Box((0, 0, 0), volume.shape_zyx)
    write_precomputed(folder, volume, box, kind, VOXEL_NM, start_zyx)


def numbers(shape, dtype) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    ("kind", "dtype", "stored"),
    [
        (IMAGE, np.uint8, "uint8"),
        (IMAGE, np.uint16, "uint16"),
        (IMAGE, np.float32, "float32"),
        (IMAGE, np.float64, "float32"),
        (IMAGE, np.bool_, "uint8"),
        (SEGMENTATION, np.uint32, "uint32"),
        (SEGMENTATION, np.uint8, "uint32"),
        (SEGMENTATION, np.int64, "uint64"),
        (SEGMENTATION, np.uint64, "uint64"),
    ],
)
def test_read_back_as_it_was(tmp_path, kind, dtype, stored):
    array = numbers((70, 9, 11), dtype)
    write(tmp_path, array, kind)
    volume = open_volume(f"precomputed:{tmp_path}")
    assert volume.dtype == stored
    np.testing.assert_array_equal(volume.read((0, 0, 0), array.shape), array)


def test_place_and_size_of_voxels_are_those_of_the_region(tmp_path):
    array = numbers((20, 21, 22), np.uint8)
    write(tmp_path, array, IMAGE, (100, 200, 300), Box((3, 4, 5), (10, 11, 12)))
    info = json.loads((tmp_path / "info").read_text())
    assert info["type"] == "image"
    (scale,) = info["scales"]
    assert scale["resolution"] == [4.5, 4.0, 40.0]  # xyz from here on
    assert scale["voxel_offset"] == [300, 200, 100]
    assert scale["size"] == [12, 11, 10]
    store = open_precomputed(tmp_path)
    np.testing.assert_array_equal(store.read().result().T, array[3:13, 4:15, 5:17])


def test_coarser_scales_average_images_and_keep_ids(tmp_path):
    image = np.zeros((4, 6, 260), np.uint8)
    image[..., ::2] = 100
    labels = np.full(image.shape, 7, np.uint32)
    labels[:, :, 130:] = 9
    write(tmp_path / "image", image, IMAGE)
    write(tmp_path / "labels", labels, SEGMENTATION)
    for name, first, last in (("image", 50, 50), ("labels", 7, 9)):
        assert scales(tmp_path / name) == 3
        coarse = open_precomputed(tmp_path / name, 2).read().result()
        assert coarse.shape == (65, 2, 1)
        assert (coarse[0] == first).all()
        assert (coarse[-1] == last).all()


@pytest.mark.parametrize("again", [(8, 8, 300), (5, 6, 7)])
def test_a_volume_that_is_there_stays(tmp_path, again):
    first = numbers((8, 8, 300), np.uint16)
    write(tmp_path, first, IMAGE)
    with pytest.raises(InputError, match="cannot write"):
        write(tmp_path, np.zeros(again, np.uint16), IMAGE)
    np.testing.assert_array_equal(open_precomputed(tmp_path).read().result().T, first)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write(tmp_path / "file", numbers((4, 4, 4), np.uint8), IMAGE)
