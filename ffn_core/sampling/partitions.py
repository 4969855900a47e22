"""Partitions: how much of the neighborhood of a voxel belongs to the voxel's own object.

Training coordinates are drawn evenly over classes of this fraction, because otherwise nearly all
of them would lie deep inside large objects, where there is nothing to learn.

Source: Januszewski et al. 2018 (10.1038/s41592-018-0049-4), methods, and google/ffn
``compute_partitions.py``; the result is the same voxel for voxel, in zyx order and without the
border cut off.
"""

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import fastremap
import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.sampling.own_fraction import classify_block
from ffn_core.volumes import IDS, ArrayVolume, Volume, check_pair, iter_blocks

PUBLISHED_THRESHOLDS = (0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PUBLISHED_MIN_SIZE = 10_000
"""Smallest object that is trained on, in voxels."""

DEFAULT_BLOCK_ZYX = (512, 512, 512)

Block = tuple[Zyx, np.ndarray]
"""The (z, y, x) corner of a part of the volume, and its (z, y, x) uint8 classes."""


def compute_partitions(
    labels: np.ndarray,
    lom_radius_zyx: Zyx,
    thresholds: Sequence[float] = PUBLISHED_THRESHOLDS,
    min_size: int = PUBLISHED_MIN_SIZE,
) -> np.ndarray:
    """Class of the own-object fraction in the window around each voxel.

    With f = (voxels of the same object in the window of 2 * radius + 1 voxels per axis) / (voxels
    of that window), the class is 1 + (number of thresholds <= f).

    Args:
        labels: (z, y, x) integer object ids, 0 = background.
        lom_radius_zyx: Radius of the window (local object mask) in voxels.
        thresholds: Increasing fractions that separate the classes.
        min_size: Objects with fewer voxels in the whole volume are dropped.

    Returns:
        (z, y, x) uint8: 1 ... len(thresholds) + 1, or 0 where no training canvas may be centered:
        background, dropped objects, and voxels whose window leaves the volume.

    Raises:
        InputError: Thresholds that are not increasing, too many, or a window larger than the
            volume.
    """
    volume = ArrayVolume(labels)
    return compute_partitions_blockwise(
        volume, lom_radius_zyx, thresholds, min_size, block_zyx=volume.shape_zyx
    )


def compute_partitions_blockwise(
    labels: Volume,
    lom_radius_zyx: Zyx,
    thresholds: Sequence[float] = PUBLISHED_THRESHOLDS,
    min_size: int = PUBLISHED_MIN_SIZE,
    block_zyx: Zyx = DEFAULT_BLOCK_ZYX,
    on_progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """:func:`compute_partitions` for labels that do not fit in memory; the same result."""
    partitions = np.zeros(labels.shape_zyx, np.uint8)
    blocks = partition_blocks(
        labels,
        lom_radius_zyx,
        thresholds,
        min_size,
        block_zyx=block_zyx,
        on_progress=on_progress,
    )
    for (z, y, x), classes in blocks:
        depth, height, width = classes.shape
        partitions[z : z + depth, y : y + height, x : x + width] = classes
    return partitions


def partition_blocks(
    labels: Volume,
    lom_radius_zyx: Zyx,
    thresholds: Sequence[float] = PUBLISHED_THRESHOLDS,
    min_size: int = PUBLISHED_MIN_SIZE,
    mask: Volume | None = None,
    block_zyx: Zyx = DEFAULT_BLOCK_ZYX,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Block]:
    """:func:`compute_partitions` block by block, so that nothing of the volume's size is held.

    Reads the labels twice: once to count the objects, once in blocks of ``block_zyx`` with a halo
    of ``lom_radius_zyx`` on every side. Where ``mask`` is false the class is 0: no canvas may be
    centered there. (google/ffn also excludes canvases that only reach into masked voxels.)
    ``on_progress`` is called after each block with the fraction of blocks done.
    """
    cuts = _count_cuts(lom_radius_zyx, thresholds, labels.shape_zyx)
    if mask is not None:
        check_pair(mask, labels, "mask")
    kept_ids = large_objects(labels, min_size)
    blocks = list(_blocks(labels.shape_zyx, lom_radius_zyx, block_zyx))
    for done, core in enumerate(blocks, start=1):
        window = _read_with_halo(labels, core, lom_radius_zyx)
        classes = classify_block(window, kept_ids, lom_radius_zyx, cuts)
        z, y, x = (s.start for s in core)
        if mask is not None:
            depth, height, width = classes.shape
            classes[mask.read((z, y, x), (depth, height, width)) == 0] = 0
        yield (z, y, x), classes
        if on_progress is not None:
            on_progress(done / len(blocks))


def object_sizes(labels: Volume) -> tuple[np.ndarray, np.ndarray]:
    """All object ids but 0, ascending, and their sizes in voxels.

    Raises:
        UnusableVoxels: Some voxels hold no object id; counts them.
    """
    sizes: dict[int, int] = {}
    for _, block in iter_blocks(labels, rule=IDS):
        for object_id, count in zip(*_unique_counts(block), strict=True):
            sizes[object_id] = sizes.get(object_id, 0) + count
    sizes.pop(0, None)
    ids = sorted(sizes)
    return np.array(ids, labels.dtype), np.array([sizes[i] for i in ids], np.int64)


def large_objects(labels: Volume, min_size: int) -> np.ndarray:
    """Ids, ascending and without 0, of the objects with at least ``min_size`` voxels."""
    ids, sizes = object_sizes(labels)
    return ids[sizes >= min_size]


def _unique_counts(block: np.ndarray) -> tuple[list[int], list[int]]:
    ids, counts = fastremap.unique(block, return_counts=True)
    return ids.tolist(), counts.tolist()


def _count_cuts(lom_radius_zyx: Zyx, thresholds: Sequence[float], shape_zyx: Zyx) -> list[int]:
    """Smallest voxel count whose fraction of the window reaches each threshold.

    The comparison is made on float64 fractions like the published one, so that rounding of
    threshold * window cannot move a voxel to another class.
    """
    if min(lom_radius_zyx) < 0:
        raise InputError(f"lom_radius_zyx {lom_radius_zyx} must not be negative")
    if any(2 * r + 1 > n for r, n in zip(lom_radius_zyx, shape_zyx, strict=True)):
        raise InputError(
            f"lom_radius_zyx {lom_radius_zyx} needs a window of"
            f" {tuple(2 * r + 1 for r in lom_radius_zyx)} voxels, but the labels have only"
            f" {shape_zyx}; use a smaller radius or a larger volume"
        )
    increasing = all(a < b for a, b in itertools.pairwise(thresholds))
    if not 1 <= len(thresholds) <= 254 or not increasing:
        raise InputError(f"thresholds {tuple(thresholds)} must be 1 to 254 increasing fractions")
    window = int(np.prod([2 * r + 1 for r in lom_radius_zyx]))
    return [
        bisect.bisect_left(range(window + 1), t, key=lambda count: count / window)
        for t in thresholds
    ]


def _blocks(
    shape_zyx: Zyx, radius_zyx: Zyx, block_zyx: Zyx
) -> Iterable[tuple[slice, slice, slice]]:
    """Blocks that tile the voxels whose window lies inside the volume."""
    axes = [
        [slice(a, min(a + block, extent - r)) for a in range(r, extent - r, block)]
        for extent, r, block in zip(shape_zyx, radius_zyx, block_zyx, strict=True)
    ]
    return itertools.product(axes[0], axes[1], axes[2])


def _read_with_halo(
    labels: Volume, core: tuple[slice, slice, slice], radius_zyx: Zyx
) -> np.ndarray:
    (z, y, x), (rz, ry, rx) = core, radius_zyx
    start = (z.start - rz, y.start - ry, x.start - rx)
    stop = (z.stop + rz, y.stop + ry, x.stop + rx)
    return labels.read(start, (stop[0] - start[0], stop[1] - start[1], stop[2] - start[2]))
