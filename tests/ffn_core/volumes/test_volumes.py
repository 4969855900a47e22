import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.volumes import (
    ArrayVolume,
    BodyVolume,
    check_pair,
    downsample,
    downsample_image,
    downsample_labels,
    image_statistics,
    iter_slabs,
    open_labels,
    open_volume,
    split_spec,
    whole_file,
)

SHARED = Path(os.environ.get("FFN_SHARED_DIR", REPOSITORY.parent / "shared"))
FIB25 = SHARED / "data" / "fib25" / "training_sample2"


def write(path: Path, **datasets: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in datasets.items():
            file[name] = array
    return path


@pytest.fixture
def array() -> np.ndarray:
    return np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)


@pytest.mark.parametrize("cache_bytes", [0, 10**9])
def test_cached_and_windowed_volumes_read_the_same(tmp_path, array, cache_bytes):
    path = write(tmp_path / "a.h5", raw=array)
    volume = open_volume(f"{path}:raw", cache_bytes=cache_bytes)
    assert isinstance(volume, ArrayVolume) == (cache_bytes > 0)
    assert volume.shape_zyx == (4, 5, 6)
    assert volume.dtype == np.uint16
    np.testing.assert_array_equal(volume.read((1, 2, 3), (2, 3, 1)), array[1:3, 2:5, 3:4])


@pytest.mark.parametrize("cache_bytes", [0, 10**9])
@pytest.mark.parametrize(
    ("start", "shape"), [((-1, 0, 0), (1, 1, 1)), ((0, 0, 5), (1, 1, 2)), ((0, 0, 0), (5, 1, 1))]
)
def test_window_outside_is_refused(tmp_path, array, cache_bytes, start, shape):
    volume = open_volume(f"{write(tmp_path / 'a.h5', raw=array)}:raw", cache_bytes)
    with pytest.raises(ValueError, match="not inside volume"):
        volume.read(start, shape)


def test_spec_is_split_at_the_last_colon():
    assert split_spec("/a:b/c.h5:group/raw") == (Path("/a:b/c.h5"), "group/raw")


@pytest.mark.parametrize("spec", ["a.h5", "a.h5:", ":raw", "a.h5:/"])
def test_spec_without_both_parts(spec):
    with pytest.raises(InputError, match="path:dataset"):
        open_volume(spec)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no file .*nowhere\.h5"):
        open_volume(f"{tmp_path}/nowhere.h5:raw")


def test_wrong_dataset_lists_the_right_ones(tmp_path, array):
    path = write(tmp_path / "a.h5", **{"raw": array, "group/labels": array})
    with pytest.raises(InputError, match="it has: group/labels, raw"):
        open_volume(f"{path}:stack")
    with pytest.raises(InputError, match="no dataset 'group'"):
        open_volume(f"{path}:group")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((3, 3)), r"shape \(3, 3\)"),
        (np.zeros((3, 0, 3)), "non-empty"),
        (np.full((2, 2, 2), b"a"), "holds numbers"),
    ],
)
def test_not_a_volume(tmp_path, bad, message):
    with pytest.raises(InputError, match=message):
        open_volume(f"{write(tmp_path / 'a.h5', raw=bad)}:raw")


def test_not_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("not HDF5")
    with pytest.raises(InputError, match="not a readable HDF5 file") as caught:
        open_volume(f"{path}:raw")
    assert "\n" not in str(caught.value)


def test_damaged_chunk(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        noise = np.random.default_rng(0).integers(0, 255, (16, 16, 16), np.uint8)
        dataset = file.create_dataset("raw", data=noise, chunks=(16, 16, 16), compression="gzip")
        chunk = dataset.id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged file"):
        open_volume(f"{path}:raw")


def test_labels_must_be_integers(tmp_path):
    path = write(tmp_path / "a.h5", labels=np.zeros((2, 2, 2), np.float32))
    with pytest.raises(InputError, match="labels must be integer"):
        open_labels(f"{path}:labels")


@pytest.mark.parametrize("cache_bytes", [0, 10**9])
def test_transforms_turn_supervoxels_into_bodies(tmp_path, cache_bytes):
    supervoxels = np.array([[[0, 1, 2]], [[3, 2, 1]]], np.int32)
    transforms = np.array([[3, 70_000], [0, 0], [2, 9], [1, 9]])  # in no order
    path = write(tmp_path / "a.h5", stack=supervoxels, transforms=transforms)
    labels = open_labels(f"{path}:stack", cache_bytes)
    assert isinstance(labels, BodyVolume) == (cache_bytes == 0)
    assert labels.info == "transforms: 4 supervoxels -> 3 bodies"
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(
        labels.read((0, 0, 0), (2, 1, 3)), [[[0, 9, 9]], [[70_000, 9, 9]]]
    )
    assert open_volume(f"{path}:stack").info == ""


def test_supervoxel_without_a_body(tmp_path):
    path = write(
        tmp_path / "a.h5", stack=np.full((1, 1, 2), 5, np.int32), transforms=np.array([[1, 1]])
    )
    with pytest.raises(InputError, match="supervoxel 5 is not in the 'transforms'"):
        open_labels(f"{path}:stack")


def test_transforms_of_another_shape(tmp_path):
    path = write(
        tmp_path / "a.h5", stack=np.zeros((1, 1, 2), np.int32), transforms=np.zeros((4, 3))
    )
    with pytest.raises(InputError, match=r"\(4, 3\); \(n, 2\) is needed"):
        open_labels(f"{path}:stack")


@pytest.mark.skipif(not FIB25.is_dir(), reason=f"no FIB-25 sample in {FIB25}")
def test_fib25_has_526_bodies():
    labels = open_labels(f"{FIB25}/groundtruth.h5:stack")
    assert labels.shape_zyx == (250, 250, 250)
    assert labels.info == "transforms: 21317 supervoxels -> 526 bodies"
    assert len(np.unique(labels.read((0, 0, 0), (250, 250, 250)))) == 526


def test_check_pair_names_both():
    image = ArrayVolume(np.zeros((4, 4, 4)), source="em.h5:raw")
    check_pair(image, ArrayVolume(np.zeros((4, 4, 4))))
    with pytest.raises(InputError, match=r"em\.h5:raw .*\(4, 4, 4\).*gt\.h5:l .*\(4, 4, 5\)"):
        check_pair(image, ArrayVolume(np.zeros((4, 4, 5)), source="gt.h5:l"))


def test_slabs_cover_the_volume_in_order(array):
    slabs = list(iter_slabs(ArrayVolume(array), slab_bytes=130, multiple=3))
    assert [len(slab) for slab in slabs] == [3, 1]
    np.testing.assert_array_equal(np.concatenate(slabs), array)


def test_image_statistics():
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 60), np.uint8)
    assert image_statistics(ArrayVolume(image)) == pytest.approx((image.mean(), image.std()))
    assert image_statistics(ArrayVolume(np.full((3, 3, 3), 7))) == (7.0, 0.0)


def test_downsampling_known_answers():
    image = np.zeros((2, 2, 5), np.uint8)
    image[0, 0] = [8, 0, 255, 255, 99]  # means 8 / 8 and 510 / 8 = 63.75; the fifth column drops
    np.testing.assert_array_equal(downsample_image(image, 2), [[[1, 64]]])
    assert downsample_image(image.astype(np.float32), 2)[0, 0, 1] == 63.75
    labels = np.arange(27).reshape(3, 3, 3)
    np.testing.assert_array_equal(downsample_labels(labels, 3), [[[13]]])  # the center
    np.testing.assert_array_equal(downsample_labels(labels, 2), [[[13]]])


@pytest.mark.parametrize("reduce", [downsample_image, downsample_labels])
def test_downsampling_slab_by_slab_is_the_same(array, reduce, monkeypatch):
    whole = reduce(array, 2)
    monkeypatch.setattr(iter_slabs, "__defaults__", (1, 1))
    np.testing.assert_array_equal(downsample(ArrayVolume(array[:3]), 2, reduce), whole[:1])
    np.testing.assert_array_equal(downsample(ArrayVolume(array), 2, reduce), whole)


@pytest.mark.parametrize("factor", [0, 5])
def test_downsampling_factor_must_fit(array, factor):
    with pytest.raises(InputError, match=f"factor {factor} .* use 1 to 4"):
        downsample(ArrayVolume(array), factor, downsample_image)


def test_whole_file_keeps_the_old_one_on_error(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as partial:
        partial.write_text("old")

    def fail_halfway() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
