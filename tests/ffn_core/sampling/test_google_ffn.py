"""The reference for the file format is TensorFlow's own parser and google/ffn's description."""

import gzip

import h5py
import numpy as np
import pytest
import tensorflow as tf

from ffn_core.errors import InputError
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.google_ffn import (
    read_published_coordinates,
    read_published_partitions,
    write_published_coordinates,
)
from ffn_core.sampling.partitions import compute_partitions
from ffn_core.volumes import ArrayVolume

SHAPE = (10, 12, 14)


def write_records(path, records, compression="GZIP"):
    """Records as ``build_coordinates.py`` writes them; centers in xyz order."""
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for name, xyz in records:
            feature = {
                "center": tf.train.Feature(int64_list=tf.train.Int64List(value=xyz)),
                "label_volume_name": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[name.encode()])
                ),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return path


@pytest.fixture
def labels():
    array = np.ones(SHAPE, np.uint32)
    array[4] = 0
    return ArrayVolume(array, "gt.h5:stack")


RECORDS = [("v1", (3, 5, 2)), ("v1", (9, 8, 7)), ("v1", (3, 5, 2)), ("v1", (3, 5, 4))]


def test_read(tmp_path, labels):
    path = write_records(tmp_path / "coords.gz", RECORDS)
    coordinates, on_background = read_published_coordinates([path], labels)
    assert on_background == 1
    positions = np.transpose(np.unravel_index(coordinates.indices[0], SHAPE))
    assert positions.tolist() == [[2, 5, 3], [2, 5, 3], [7, 8, 9]], "a record drawn twice as often"
    assert coordinates.lom_radius_zyx == (2, 3, 3)  # z 2 of 0..9, y 8 of 0..11, x 3 of 0..13
    assert coordinates.labels_source == "gt.h5:stack"
    coordinates.save(tmp_path / "c.h5")
    loaded = Coordinates.load(tmp_path / "c.h5")
    assert loaded.thresholds == ()
    assert loaded.class_counts().tolist() == [3]
    drawn = [loaded.sample(np.random.default_rng(i)) for i in range(300)]
    assert 160 < drawn.count((2, 5, 3)) < 240  # two of three records


def test_shards_and_names(tmp_path, labels):
    shards = [
        write_records(tmp_path / "a-0", [*RECORDS[:1], ("v2", (13, 11, 9))]),
        write_records(tmp_path / "a-1", RECORDS[1:2]),
    ]
    coordinates, _ = read_published_coordinates(shards, labels, "v1")
    assert len(coordinates) == 2
    with pytest.raises(InputError, match=r"volumes: v1 \(2\), v2 \(1\); choose one"):
        read_published_coordinates(shards, labels)
    with pytest.raises(InputError, match=r"no records of 'v3', only of: v1 \(2\), v2 \(1\)"):
        read_published_coordinates(shards, labels, "v3")


def test_write_then_read(tmp_path, labels):
    partitions = np.zeros(SHAPE, np.uint8)
    partitions[2, 3:5, 4:8] = 1  # 8 voxels
    partitions[6, 7, 8] = 3
    coordinates = Coordinates.from_partitions(partitions, (1, 1, 1), (0.3, 0.6), 1, "gt")
    path = tmp_path / "out" / "coords.gz"
    progress: list[float] = []
    count = write_published_coordinates(
        path, coordinates, "v1", np.random.default_rng(0), on_progress=progress.append
    )
    assert count == 16
    assert progress == [0.0]
    assert gzip.decompress(path.read_bytes())
    read, _ = read_published_coordinates([path], labels)
    flat, counts = np.unique(read.indices[0], return_counts=True)
    assert flat.tolist() == np.flatnonzero(partitions).tolist()
    assert counts.tolist() == [1] * 8 + [8], "both classes have as many records"
    assert list(path.parent.iterdir()) == [path]
    assert write_published_coordinates(path, coordinates, "v1", np.random.default_rng(0), 3) == 6


def test_written_centers_are_xyz(tmp_path):
    partitions = np.zeros(SHAPE, np.uint8)
    partitions[2, 5, 3] = 1
    coordinates = Coordinates.from_partitions(partitions, (1, 1, 1), (0.5,), 1, "gt")
    write_published_coordinates(tmp_path / "c", coordinates, "vol", np.random.default_rng(0))
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "c"), "GZIP")
    feature = tf.train.Example.FromString(record.numpy()).features.feature
    assert list(feature["center"].int64_list.value) == [3, 5, 2]
    assert list(feature["label_volume_name"].bytes_list.value) == [b"vol"]


def test_bad_files(tmp_path, labels):
    with pytest.raises(InputError, match=r"no file .*nowhere"):
        read_published_coordinates([tmp_path / "nowhere"], labels)
    plain = write_records(tmp_path / "plain", RECORDS, compression="")
    cut = write_records(tmp_path / "cut", RECORDS * 200)
    cut.write_bytes(cut.read_bytes()[:-30])
    with tf.io.TFRecordWriter(str(tmp_path / "other"), "GZIP") as writer:
        writer.write(tf.train.Example().SerializeToString())
    for path in (plain, cut, tmp_path / "other"):
        with pytest.raises(InputError, match="not a coordinate file of google/ffn") as caught:
            read_published_coordinates([path], labels)
        assert "\n" not in str(caught.value)


def test_centers_that_cannot_be(tmp_path, labels):
    outside = write_records(tmp_path / "a", [("v1", (14, 5, 2))])
    with pytest.raises(InputError, match=r"zyx \[2, 5, 14\].* outside of gt\.h5:stack"):
        read_published_coordinates([outside], labels)
    background = write_records(tmp_path / "b", [("v1", (3, 5, 4))])
    with pytest.raises(InputError, match=r"all 1 centers .* lie on background"):
        read_published_coordinates([background], labels)


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
