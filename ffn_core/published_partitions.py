"""Partition volumes of google/ffn ``compute_partitions.py``.

HDF5, by convention dataset ``af``: uint8 classes of the own-object fraction as in
:mod:`ffn_core.partitions`, with the border of one radius cut off on every side. The attribute
``corner`` is where the stored voxel 0 lies in the labels, in zyx order, which is that radius. 0 is
background and small objects, 255 a region that was excluded.
"""

from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from ffn_core.coordinates import Coordinates
from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.partitions import PUBLISHED_THRESHOLDS, Block
from ffn_core.volumes import DEFAULT_CACHE_BYTES, Volume, iter_blocks, open_volume, split_spec

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
