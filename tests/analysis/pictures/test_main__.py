import numpy as np
import pytest

from analysis.pictures.__main__ import thinned, thinning_step
from experiments.data.cache import write_volumes
from ffn_core.volumes import ArrayVolume, open_labels

SHAPE = (70, 21, 130)


def test_the_step_is_the_smallest_that_fits():
    assert thinning_step((10, 10, 10), 1000) == 1
    assert thinning_step((10, 10, 10), 999) == 2
    assert thinning_step((10, 10, 10), 124) == 3  # 4 voxels are left along each axis
    assert thinning_step((10, 10, 10), 1) == 10


@pytest.mark.parametrize("step", [1, 3, 50, 128])
def test_every_kth_voxel_of_both_is_read(tmp_path, step):
    ids = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.uint32)
    truth = np.pad(ids.astype(np.uint16), ((2, 0), (0, 1), (5, 0)))
    write_volumes(tmp_path / "v.h5", {"ids": ids})
    volume = open_labels(f"{tmp_path}/v.h5:ids")
    thin, thin_truth = thinned(volume, ArrayVolume(truth), (2, 0, 5), step, block_bytes=1)
    np.testing.assert_array_equal(thin, ids[::step, ::step, ::step])
    np.testing.assert_array_equal(thin_truth, thin)
    assert thinned(volume, None, (0, 0, 0), step)[1] is None
