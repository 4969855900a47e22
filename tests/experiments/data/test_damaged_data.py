"""Damaged HDF5 files of our own making are named in one line, sound ones are not."""

import h5py
import numpy as np
import pytest

from experiments.data.cache import write_volumes
from ffn_core.errors import InputError
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.volumes import open_volume


@pytest.fixture
def volume(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (24, 20, 20), dtype=np.uint8)
    path = tmp_path / "volume.h5"
    write_volumes(path, {"image": array})
    return path, array


def read(path):
    return open_volume(f"{path}:image").read((0, 0, 0), (24, 20, 20))


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.95, 0.999])
def test_a_volume_cut_short(volume, keep):
    path, _ = volume
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InputError, match=str(path)) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_anywhere_is_named_or_changes_no_voxel(volume):
    path, array = volume
    content, named = path.read_bytes(), 0
    positions = range(0, len(content), 31)
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        error = None
        try:
            np.testing.assert_array_equal(read(path), array)
        except InputError as caught:
            error = str(caught)
        assert error is None or (str(path) in error and "\n" not in error)
        named += error is not None
    assert named > 0.6 * len(positions), "most of the file is voxels"


def test_coordinates_with_a_flipped_bit(tmp_path):
    path = tmp_path / "coordinates.h5"
    indices = (np.arange(2000, dtype=np.int64), np.arange(0, dtype=np.int64))
    Coordinates(indices, (24, 20, 20), (2, 2, 2), (0.5,), 10, "labels").save(path)
    with h5py.File(path) as file:
        offset = file["class_001"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 800] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path} is not a coordinate file, or is damaged"):
        Coordinates.load(path)
