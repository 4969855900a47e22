import h5py
import numpy as np
import pytest

from ffn_core.volumes import ArrayVolume, image_statistics, iter_blocks, iter_slabs, open_volume


@pytest.fixture
def chunked(tmp_path):
    array = np.arange(9 * 10 * 11, dtype=np.uint16).reshape(9, 10, 11)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", data=array, chunks=(4, 3, 5))
    return array, open_volume(f"{tmp_path}/a.h5:raw", cache_bytes=0)


@pytest.mark.parametrize("block_bytes", [1, 200, 10**6])
def test_blocks_tile_the_volume(chunked, block_bytes):
    array, volume = chunked
    seen = np.zeros(array.shape, int)
    for (z, y, x), block in iter_blocks(volume, block_bytes):
        depth, height, width = block.shape
        window = np.s_[z : z + depth, y : y + height, x : x + width]
        np.testing.assert_array_equal(block, array[window])
        seen[window] += 1
        assert (z % 4, y % 3, x % 5) == (0, 0, 0), "blocks begin where chunks do"
    assert (seen == 1).all()


def test_blocks_grow_along_x_first(chunked):
    _, volume = chunked
    chunk_bytes = 4 * 3 * 5 * 2
    shapes = [b.shape for _, b in iter_blocks(volume, 2 * chunk_bytes)]
    assert shapes[:2] == [(4, 3, 10), (4, 3, 1)]
    assert next(iter_blocks(ArrayVolume(np.zeros((9, 10, 11))), 8 * 30))[1].shape == (1, 2, 11)


def test_slabs_are_whole_chunks(chunked):
    array, volume = chunked
    slabs = list(iter_slabs(volume, slab_bytes=1))
    assert [len(slab) for slab in slabs] == [4, 4, 1]
    assert [len(slab) for slab in iter_slabs(volume, slab_bytes=1, multiple=6)] == [9]
    np.testing.assert_array_equal(np.concatenate(slabs), array)


def test_statistics_do_not_depend_on_chunks(chunked):
    array, volume = chunked
    assert image_statistics(volume) == image_statistics(ArrayVolume(array))
