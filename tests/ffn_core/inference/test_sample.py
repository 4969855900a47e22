import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.inference.sample import MOST_EDGE, SegmentedSample
from ffn_core.volumes import ArrayVolume


def volumes(region: Box) -> tuple[ArrayVolume, ArrayVolume, ArrayVolume]:
    """Ids of a region, truth and image around it, where every voxel tells its own place."""
    whole = tuple(region.stop_zyx)
    truth = np.arange(np.prod(whole), dtype=np.uint32).reshape(whole)
    ids = truth[tuple(slice(a, b) for a, b in zip(region.start_zyx, whole, strict=True))]
    return ArrayVolume(ids), ArrayVolume(truth), ArrayVolume((truth % 251).astype(np.uint8))


def test_a_small_region_is_kept_whole_and_in_place():
    sample = SegmentedSample.cut(*volumes(Box((5, 2, 1), (6, 7, 8))), Box((5, 2, 1), (6, 7, 8)), 30)
    assert sample.segmentation.shape == (6, 7, 8)
    np.testing.assert_array_equal(sample.segmentation, sample.truth)
    np.testing.assert_array_equal(sample.section, sample.truth[sample.z] % 251)
    assert (sample.z, sample.start_zyx, sample.step) == (3, (5, 2, 1), 30)


def test_of_a_large_region_it_is_the_middle():
    region = Box((3, 0, 0), (MOST_EDGE + 10, 4, 5))
    sample = SegmentedSample.cut(*volumes(region), region, 1)
    assert sample.truth.shape == (MOST_EDGE, 4, 5)
    assert sample.start_zyx == (8, 0, 0)
    np.testing.assert_array_equal(sample.segmentation, sample.truth)


def test_what_was_saved_is_read_back(tmp_path):
    region = Box((0, 1, 2), (4, 5, 6))
    sample = SegmentedSample.cut(*volumes(region), region, 7)
    sample.save(tmp_path / "sample.h5")
    again = SegmentedSample.load(tmp_path / "sample.h5")
    for name in ("segmentation", "truth", "section"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sample, name))
        assert getattr(again, name).dtype == getattr(sample, name).dtype
    assert (again.z, again.start_zyx, again.step) == (sample.z, (0, 1, 2), 7)


def test_a_damaged_or_foreign_file_is_named(tmp_path):
    region = Box((0, 0, 0), (4, 5, 6))
    path = tmp_path / "sample.h5"
    SegmentedSample.cut(*volumes(region), region, 7).save(path)
    path.write_bytes(path.read_bytes()[:500])
    for broken in (path, tmp_path / "none.h5"):
        with pytest.raises(InputError, match=broken.name):
            SegmentedSample.load(broken)
