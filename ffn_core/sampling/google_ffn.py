"""Coordinate files of google/ffn ``build_coordinates.py``.

TFRecords, compressed with gzip, of ``tf.train.Example`` with the features ``center`` (three int64
in voxels, in xyz order: the one place where that order is left or entered) and
``label_volume_name`` (bytes). A record is a canvas to train on; classes are balanced by repeating
records.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partitions import PUBLISHED_THRESHOLDS, Block
from ffn_core.volumes import (
    DEFAULT_CACHE_BYTES,
    Volume,
    iter_blocks,
    iter_slabs,
    open_volume,
    split_spec,
    whole_file,
)

_BATCH = 65536
"""Records that are parsed, or counted as written, at a time."""


def read_published_coordinates(
    paths: Sequence[str | Path], labels: Volume, volume_name: str | None = None
) -> tuple[Coordinates, int]:
    """Read the coordinates of one volume.

    Records keep their multiplicity, in a single class, so that drawing from the result is drawing
    from the file. Records on background are left out: google/ffn trains on them with an empty
    object, which this library does not.

    Args:
        paths: TFRecord files; shards of one list.
        labels: The volume they belong to.
        volume_name: Which ``label_volume_name`` to take; needed if there are several.

    Returns:
        Coordinates whose ``lom_radius_zyx`` is their least distance from the border, and the
        number of records on background.

    Raises:
        InputError: No or damaged file, other records, no or another volume of that name, or
            centers outside of ``labels``.
    """
    indices = _collect(paths, labels, volume_name)
    inside = indices[_on_objects(indices, labels)]
    if len(inside) == 0:
        raise InputError(f"all {len(indices)} centers of {paths[0]} lie on background")
    z, y, x = (
        int(min(p.min(), n - 1 - p.max()))
        for p, n in zip(np.unravel_index(inside, labels.shape_zyx), labels.shape_zyx, strict=True)
    )
    coordinates = Coordinates((inside,), labels.shape_zyx, (z, y, x), (), 0, labels.source)
    return coordinates, len(indices) - len(inside)


def write_published_coordinates(
    path: str | Path,
    coordinates: Coordinates,
    volume_name: str,
    rng: np.random.Generator,
    per_class: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> int:
    """Write coordinates for google/ffn, complete or not at all.

    Args:
        path: File to write.
        coordinates: What to write.
        volume_name: What ``--label_volumes`` and ``--data_volumes`` call the volume.
        rng: Order of the records.
        per_class: Records of each class that is not empty: its coordinates in random order, over
            again if there are fewer. As many as the largest class has unless given, which is what
            ``build_coordinates.py`` does.
        on_progress: Called now and then with the fraction written.

    Returns:
        Number of records.
    """
    import tensorflow as tf

    filled = [members for members in coordinates.indices if len(members)]
    count = per_class or max(len(members) for members in filled)
    indices = np.concatenate([np.resize(rng.permutation(members), count) for members in filled])
    rng.shuffle(indices)
    name = tf.train.Feature(bytes_list=tf.train.BytesList(value=[volume_name.encode()]))
    with whole_file(path) as partial, tf.io.TFRecordWriter(str(partial), "GZIP") as writer:
        for done, index in enumerate(indices):
            z, y, x = _position(int(index), coordinates.shape_zyx)
            center = tf.train.Feature(int64_list=tf.train.Int64List(value=[x, y, z]))
            feature = {"center": center, "label_volume_name": name}
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
            if on_progress is not None and done % _BATCH == 0:
                on_progress(done / len(indices))
    return len(indices)


def _collect(paths: Sequence[str | Path], labels: Volume, volume_name: str | None) -> np.ndarray:
    """Flat indices of all records of the volume, ascending, in an unsigned type."""
    index_type = np.min_scalar_type(math.prod(labels.shape_zyx) - 1)
    names: Counter[str] = Counter()
    parts = [np.empty(0, index_type)]
    for record_names, centers in _iter_records(paths):
        names.update(record_names)
        centers = centers[[volume_name in (None, name) for name in record_names]]
        outside = ((centers < 0) | (centers >= labels.shape_zyx)).any(axis=1)
        if outside.any():
            raise InputError(
                f"{paths[0]} has a center at zyx {centers[outside][0].tolist()}, outside of"
                f" {labels.source} of shape {labels.shape_zyx}; are these its labels?"
            )
        parts.append(np.ravel_multi_index(tuple(centers.T), labels.shape_zyx).astype(index_type))
    _check_names(names, volume_name, paths)
    return np.sort(np.concatenate(parts))


def _iter_records(paths: Sequence[str | Path]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Volume names, and (n, 3) int64 centers in zyx order, of batches of records."""
    import tensorflow as tf

    features = {
        "center": tf.io.FixedLenFeature([3], tf.int64),
        "label_volume_name": tf.io.FixedLenFeature([1], tf.string),
    }
    for path in paths:
        if not Path(path).is_file():
            raise InputError(f"no file {path}")
    records = tf.data.TFRecordDataset([str(path) for path in paths], "GZIP").batch(_BATCH)
    try:
        for batch in records:
            parsed = tf.io.parse_example(batch, features)
            names = [name.decode() for name in parsed["label_volume_name"].numpy()[:, 0]]
            yield names, parsed["center"].numpy()[:, ::-1]
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        reason = str(error.message).partition(" [Op:")[0].replace("\n", " ")
        raise InputError(
            f"{', '.join(str(path) for path in paths)}: not a coordinate file of google/ffn"
            f" (TFRecord, gzip), or damaged: {reason}"
        ) from error


def _check_names(names: Counter[str], wanted: str | None, paths: Sequence[str | Path]) -> None:
    found = ", ".join(f"{name} ({count:,})" for name, count in sorted(names.items())) or "none"
    if wanted is None and len(names) != 1:
        raise InputError(f"{paths[0]} holds records of these volumes: {found}; choose one by name")
    if wanted is not None and wanted not in names:
        raise InputError(f"{paths[0]} holds no records of {wanted!r}, only of: {found}")


def _on_objects(indices: np.ndarray, labels: Volume) -> np.ndarray:
    """For ascending flat indices, whether the label there is not 0."""
    result = np.empty(len(indices), bool)
    start = 0
    for slab in iter_slabs(labels):
        first, last = np.searchsorted(indices, [start, start + slab.size])
        result[first:last] = slab.ravel()[indices[first:last].astype(np.int64) - start] != 0
        start += slab.size
    return result


def _position(index: int, shape_zyx: Zyx) -> Zyx:
    _, height, width = shape_zyx
    return index // (height * width), index // width % height, index % width


EXCLUDED = 255


def read_published_partitions(
    spec: str,
    labels: Volume,
    thresholds: Sequence[float] = PUBLISHED_THRESHOLDS,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
) -> Coordinates:
    """Collect the coordinates of a partition volume.

    Args:
        spec: ``path:dataset``.
        labels: What the partitions were computed from.
        thresholds: What they were computed with; the file does not say.
        cache_bytes: See :func:`ffn_core.volumes.open_volume`.

    Returns:
        Coordinates in voxels of ``labels``; their ``min_size`` is 0, unknown.

    Raises:
        InputError: No such volume, not uint8, no ``corner``, of other labels, or a class above
            the number of thresholds + 1.
    """
    partitions = open_volume(spec, cache_bytes)
    corner = _corner_zyx(spec)
    whole = tuple(n + 2 * c for n, c in zip(partitions.shape_zyx, corner, strict=True))
    if partitions.dtype != np.uint8:
        raise InputError(f"partitions {spec} are {partitions.dtype}; classes are uint8")
    if whole != labels.shape_zyx:
        raise InputError(
            f"partitions {spec} of shape {partitions.shape_zyx} with corner {corner} belong to"
            f" labels of shape {whole}, but {labels.source} has {labels.shape_zyx}"
        )
    blocks = _shifted(partitions, corner, highest=len(thresholds) + 1)
    return Coordinates.from_blocks(
        blocks, labels.shape_zyx, corner, thresholds, min_size=0, labels_source=labels.source
    )


def _corner_zyx(spec: str) -> Zyx:
    path, name = split_spec(spec)
    with h5py.File(path, "r") as file:
        corner = file[name].attrs.get("corner")
    if corner is None:
        raise InputError(
            f"{spec} has no attribute 'corner'; partitions as google/ffn compute_partitions.py"
            " writes them are needed"
        )
    return as_zyx(corner, f"{spec} corner")


def _shifted(partitions: Volume, corner_zyx: Zyx, highest: int) -> Iterator[Block]:
    """Blocks in voxels of the labels, without excluded regions."""
    for (z, y, x), classes in iter_blocks(partitions):
        kept = np.where(classes == EXCLUDED, 0, classes)
        if kept.max() > highest:
            raise InputError(
                f"{partitions.source} has class {kept.max()}, but {highest - 1} thresholds make"
                f" {highest} classes; give the thresholds it was computed with"
            )
        yield (z + corner_zyx[0], y + corner_zyx[1], x + corner_zyx[2]), kept
