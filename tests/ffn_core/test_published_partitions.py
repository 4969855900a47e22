import h5py
import numpy as np
import pytest

from ffn_core.coordinates import Coordinates
from ffn_core.errors import InputError
from ffn_core.partitions import compute_partitions
from ffn_core.published_partitions import read_published_partitions
from ffn_core.volumes import ArrayVolume

RADIUS = (1, 2, 3)
THRESHOLDS = (0.3, 0.6)


@pytest.fixture
def partition_labels():
    array = np.ones((8, 10, 12), np.uint32)
    array[:, 5:, 4:] = 2
    array[3:5, 2:8] = 0
    return ArrayVolume(array, "gt.h5:stack")


def write(path, partitions, **attributes):
    with h5py.File(path, "w") as file:
        file["af"] = partitions
        file["af"].attrs.update(attributes)
    return f"{path}:af"


def cut(partitions: np.ndarray) -> np.ndarray:
    """As google/ffn stores them: without the voxels whose window leaves the volume."""
    return partitions[tuple(slice(r, -r) for r in RADIUS)]


def test_the_same_coordinates_as_computed_here(tmp_path, partition_labels):
    partitions = compute_partitions(partition_labels.array, RADIUS, THRESHOLDS, min_size=1)
    expected = Coordinates.from_partitions(partitions, RADIUS, THRESHOLDS, 1, "gt.h5:stack")
    spec = write(tmp_path / "af.h5", cut(partitions), corner=RADIUS)
    read = read_published_partitions(spec, partition_labels, THRESHOLDS)
    assert read.lom_radius_zyx == RADIUS
    assert read.class_counts().sum() == np.count_nonzero(partitions)
    for ours, theirs in zip(expected.indices, read.indices, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_excluded_regions(tmp_path, partition_labels):
    partitions = cut(compute_partitions(partition_labels.array, RADIUS, THRESHOLDS, min_size=1))
    partitions[:, :3] = 255
    read = read_published_partitions(
        write(tmp_path / "af.h5", partitions, corner=RADIUS), partition_labels, THRESHOLDS
    )
    y = np.concatenate([np.unravel_index(i, partition_labels.shape_zyx)[1] for i in read.indices])
    assert y.min() == 3 + RADIUS[1]


def test_what_does_not_fit(tmp_path, partition_labels):
    stored = np.ones((6, 6, 6), np.uint8)
    path = tmp_path / "af.h5"
    with pytest.raises(InputError, match="no attribute 'corner'"):
        read_published_partitions(write(path, stored), partition_labels)
    with pytest.raises(InputError, match=r"labels of shape \(8, 10, 10\), but gt\.h5:stack"):
        read_published_partitions(write(path, stored, corner=(1, 2, 2)), partition_labels)
    with pytest.raises(InputError, match="are float32; classes are uint8"):
        read_published_partitions(
            write(path, stored.astype(np.float32), corner=RADIUS), partition_labels
        )
    with pytest.raises(InputError, match="class 4, but 2 thresholds make 3 classes"):
        read_published_partitions(
            write(path, 4 * stored, corner=RADIUS), partition_labels, THRESHOLDS
        )
