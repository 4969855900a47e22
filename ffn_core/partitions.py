"""Partitions: how much of the neighbourhood of a voxel belongs to the voxel's own object.

Training coordinates are drawn evenly over classes of this fraction, because otherwise nearly all
of them would lie deep inside large objects, where there is nothing to learn.

Source: Januszewski et al. 2018 (10.1038/s41592-018-0049-4), methods, and google/ffn
``compute_partitions.py``; the result is the same voxel for voxel, in zyx order and without the
border cut off.
"""

import bisect
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import fastremap
import numpy as np
from scipy import ndimage

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.volumes import ArrayVolume, Volume, iter_slabs

PUBLISHED_THRESHOLDS = (0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PUBLISHED_MIN_SIZE = 10_000
"""Smallest object that is trained on, in voxels."""

DEFAULT_BLOCK_ZYX = (512, 512, 512)

_SECTIONS = 16
"""Sections that the last step handles at a time; keeps its index arrays small."""


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
        (z, y, x) uint8: 1 ... len(thresholds) + 1, or 0 where no training canvas may be centred:
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
    """:func:`compute_partitions` for labels that do not fit in memory; the same result.

    Reads the labels twice: once to count the objects, once in blocks of ``block_zyx`` with a halo
    of ``lom_radius_zyx`` on every side. Only the uint8 result is held as a whole. ``on_progress``
    is called after each block with the fraction of blocks done.
    """
    cuts = _count_cuts(lom_radius_zyx, thresholds, labels.shape_zyx)
    kept_ids = large_objects(labels, min_size)
    partitions = np.zeros(labels.shape_zyx, np.uint8)
    blocks = list(_blocks(labels.shape_zyx, lom_radius_zyx, block_zyx))
    for done, core in enumerate(blocks, start=1):
        window = _read_with_halo(labels, core, lom_radius_zyx)
        partitions[core] = _classify_core(window, kept_ids, lom_radius_zyx, cuts)
        if on_progress is not None:
            on_progress(done / len(blocks))
    return partitions


def object_sizes(labels: Volume) -> tuple[np.ndarray, np.ndarray]:
    """All object ids but 0, ascending, and their sizes in voxels."""
    sizes: dict[int, int] = {}
    for slab in iter_slabs(labels):
        for object_id, count in zip(*_unique_counts(slab), strict=True):
            sizes[object_id] = sizes.get(object_id, 0) + count
    sizes.pop(0, None)
    ids = sorted(sizes)
    return np.array(ids, labels.dtype), np.array([sizes[i] for i in ids], np.int64)


def large_objects(labels: Volume, min_size: int) -> np.ndarray:
    """Ids, ascending and without 0, of the objects with at least ``min_size`` voxels."""
    ids, sizes = object_sizes(labels)
    return ids[sizes >= min_size]


def _unique_counts(slab: np.ndarray) -> tuple[list[int], list[int]]:
    ids, counts = fastremap.unique(slab, return_counts=True)
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


def _classify_core(
    window: np.ndarray, kept_ids: np.ndarray, radius_zyx: Zyx, cuts: Sequence[int]
) -> np.ndarray:
    """Classes of the voxels at least one radius away from the border of ``window``."""
    core_zyx = tuple(n - 2 * r for n, r in zip(window.shape, radius_zyx, strict=True))
    core = np.zeros(core_zyx, np.uint8)
    kept = fastremap.mask_except(window, kept_ids.tolist(), in_place=False)
    numbers, _ = fastremap.renumber(kept, in_place=True)
    del kept
    class_of_count = np.ones(int(np.prod([2 * r + 1 for r in radius_zyx])) + 1, np.uint8)
    for cut in cuts:
        class_of_count[cut:] += 1
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        _classify_object(numbers, number, box, radius_zyx, class_of_count, core)
    return core


@dataclass(frozen=True)
class _Span:
    """One axis of an object: where its mask is read and where its sums are wanted.

    The mask covers [first, end), the sums [start, stop), both in voxels of the window read.
    """

    first: int
    end: int
    start: int
    stop: int
    radius: int

    @classmethod
    def of(cls, box: slice, radius: int, extent: int) -> "_Span":
        start, stop = max(box.start, radius), min(box.stop, extent - radius)
        first, end = max(box.start, start - radius), min(box.stop, stop + radius)
        return cls(first, end, start, stop, radius)

    def prefix_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """For each wanted voxel, the prefix-sum rows whose difference is its window sum."""
        centre = np.arange(self.start, self.stop)
        low = np.maximum(centre - self.radius, self.first) - self.first
        high = np.minimum(centre + self.radius + 1, self.end) - self.first
        return low, high


def _classify_object(
    numbers: np.ndarray,
    number: int,
    box: tuple[slice, ...],
    radius_zyx: Zyx,
    class_of_count: np.ndarray,
    core: np.ndarray,
) -> None:
    """Write the classes of one object into ``core``.

    The sum over the window is separable, and all that counts for it is the object's own mask. So
    it is computed inside the object's bounding box, one axis after the other, in the smallest
    integer type that holds the counts; the last axis only at the voxels of the object.
    """
    spans = [
        _Span.of(edge, r, n) for edge, r, n in zip(box, radius_zyx, numbers.shape, strict=True)
    ]
    if any(span.stop <= span.start for span in spans):
        return
    mask = numbers[tuple(slice(s.first, s.end) for s in spans)] == number
    inner = mask[tuple(slice(s.start - s.first, s.stop - s.first) for s in spans)]
    counts, window = mask.view(np.uint8), 1
    for axis in (0, 1):
        window *= 2 * radius_zyx[axis] + 1
        counts = _window_sums(counts, axis, spans[axis], np.min_scalar_type(window))
    target = core[
        tuple(slice(s.start - r, s.stop - r) for s, r in zip(spans, radius_zyx, strict=True))
    ]
    low, high = spans[2].prefix_bounds()
    dtype = np.min_scalar_type(window * (2 * radius_zyx[2] + 1))
    for first in range(0, len(inner), _SECTIONS):
        sections = slice(first, first + _SECTIONS)
        prefix = _prefix_sums(counts[sections], 2, dtype)
        z, y, x = np.nonzero(inner[sections])
        sums = prefix[z, y, high[x]] - prefix[z, y, low[x]]
        target[sections][z, y, x] = class_of_count[sums]


def _prefix_sums(values: np.ndarray, axis: int, dtype: np.dtype) -> np.ndarray:
    """Sums over [0, i) along ``axis``, one entry longer than ``values``.

    They may wrap around: differences modulo 2**bits are exact when the difference fits ``dtype``.
    """
    shape = list(values.shape)
    shape[axis] += 1
    prefix = np.empty(shape, dtype)
    rows, sums = np.moveaxis(values, axis, 0), np.moveaxis(prefix, axis, 0)
    sums[0] = 0
    if axis == values.ndim - 1:
        np.cumsum(values, axis=axis, dtype=dtype, out=prefix[..., 1:])
        return prefix
    for i, row in enumerate(rows):  # whole planes at once; cumsum would walk along the axis
        np.add(sums[i], row, out=sums[i + 1])
    return prefix


def _window_sums(values: np.ndarray, axis: int, span: _Span, dtype: np.dtype) -> np.ndarray:
    """Sums over [i - radius, i + radius] along ``axis`` for the wanted voxels of ``span``."""
    prefix = np.moveaxis(_prefix_sums(values, axis, dtype), axis, 0)
    shape = list(values.shape)
    shape[axis] = span.stop - span.start
    result = np.empty(shape, dtype)
    sums = np.moveaxis(result, axis, 0)
    for row, (low, high) in enumerate(zip(*span.prefix_bounds(), strict=True)):
        np.subtract(prefix[high], prefix[low], out=sums[row])
    return result
