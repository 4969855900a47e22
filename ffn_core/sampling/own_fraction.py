"""Classes of own-object fraction within one block of labels, object by object."""

from collections.abc import Sequence
from dataclasses import dataclass

import fastremap
import numpy as np

from ffn_core.geometry import Zyx

_SECTIONS = 16
"""Sections that the last step handles at a time; keeps its index arrays small."""


def classify_block(
    window: np.ndarray, kept_ids: np.ndarray, radius_zyx: Zyx, cuts: Sequence[int]
) -> np.ndarray:
    """Classes of the voxels at least one radius away from the border of ``window``.

    Args:
        window: (z, y, x) integer object ids.
        kept_ids: Ids of the objects that get a class, ascending.
        radius_zyx: Radius of the neighborhood in voxels.
        cuts: Smallest count of own voxels in the neighborhood for class 2, 3, ...

    Returns:
        uint8 classes from 1 on, 0 for other objects; 2 * radius smaller than ``window``.
    """
    from scipy import ndimage  # here: ranks, which read what is prepared, do without

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
        center = np.arange(self.start, self.stop)
        low = np.maximum(center - self.radius, self.first) - self.first
        high = np.minimum(center + self.radius + 1, self.end) - self.first
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
