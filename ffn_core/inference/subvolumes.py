"""Overlapping subvolumes of a region, and which voxels each of them answers for."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx, to_zyx


@dataclass(frozen=True)
class Subvolume:
    """A part of the region that is segmented on its own.

    Attributes:
        index: Its number.
        box: The voxels that are segmented.
        core: Those of them whose ids go into the result; cores tile the region without overlap.
    """

    index: int
    box: Box
    core: Box


@dataclass(frozen=True)
class Seam:
    """The place where two subvolumes that are neighbors along an axis are compared.

    Attributes:
        axis: 0 = z, 1 = y, 2 = x.
        low: Index of the subvolume before the seam.
        high: Index of the one after it.
        slab: Voxels both have segmented, away from the border of either.
    """

    axis: int
    low: int
    high: int
    slab: Box


class Grid:
    """A region cut into subvolumes of equal size with at least a given overlap."""

    def __init__(self, region: Box, size_zyx: Zyx, overlap_zyx: Zyx, fov_zyx: Zyx) -> None:
        """Place the subvolumes evenly.

        Args:
            region: What is to be segmented.
            size_zyx: Extents of a subvolume; cut down to those of the region.
            overlap_zyx: Least overlap of neighbors; the border of a subvolume, half a FOV wide,
                is predicted from one side only, so at least a FOV is sensible.
            fov_zyx: Extents of the FOV, which must fit in.

        Raises:
            InputError: Subvolumes smaller than the FOV, or not larger than their overlap.
        """
        self.region = region
        self.size_zyx: Zyx = to_zyx(map(min, size_zyx, region.shape_zyx))
        for size, overlap, fov, extent in zip(
            self.size_zyx, overlap_zyx, fov_zyx, region.shape_zyx, strict=True
        ):
            if size < fov:
                raise InputError(
                    f"a subvolume of {self.size_zyx} voxels (zyx) does not hold the FOV {fov_zyx};"
                    " choose a larger region or subvolume.size_zyx"
                )
            if size < extent and not 0 < overlap < size:
                raise InputError(
                    f"subvolume.overlap_zyx={overlap_zyx} must be above 0 and smaller than the"
                    f" subvolumes {self.size_zyx}"
                )
        self._starts = [
            _even_starts(*along)
            for along in zip(region.shape_zyx, self.size_zyx, overlap_zyx, strict=True)
        ]
        self.counts_zyx: Zyx = to_zyx(len(starts) for starts in self._starts)
        places = itertools.product(*(range(n) for n in self.counts_zyx))
        self._places = [to_zyx(place) for place in places]
        self.subvolumes = [self._subvolume(i, place) for i, place in enumerate(self._places)]

    def _subvolume(self, index: int, place: Zyx) -> Subvolume:
        spans = [self._core_span(axis, place[axis]) for axis in range(3)]
        core_start = to_zyx(a + start for (a, _), start in zip(spans, self._origin, strict=True))
        starts = zip(self._starts, place, self._origin, strict=True)
        box = Box(to_zyx(along[i] + origin for along, i, origin in starts), self.size_zyx)
        return Subvolume(index, box, Box(core_start, to_zyx(b - a for a, b in spans)))

    @property
    def _origin(self) -> Zyx:
        return self.region.start_zyx

    def _core_span(self, axis: int, i: int) -> tuple[int, int]:
        """First and one past the last voxel, relative to the region: to the middle of overlaps."""
        starts, size = self._starts[axis], self.size_zyx[axis]
        first = (starts[i] + starts[i - 1] + size) // 2 if i else 0
        is_last = i == len(starts) - 1
        last = self.region.shape_zyx[axis] if is_last else (starts[i + 1] + starts[i] + size) // 2
        return first, last

    def seams(self) -> list[Seam]:
        """All pairs of neighbors that share a face, in a fixed order."""
        number = {place: i for i, place in enumerate(self._places)}
        found = []
        for place, axis in itertools.product(self._places, range(3)):
            following = to_zyx(p + (a == axis) for a, p in enumerate(place))
            if following in number:
                low, high = number[place], number[following]
                found.append(Seam(axis, low, high, self._slab(low, high, axis)))
        return found

    def _slab(self, low: int, high: int, axis: int) -> Box:
        """The middle half of the overlap: each border is predicted from one side only."""
        before, after = self.subvolumes[low].box, self.subvolumes[high].box
        overlap = before.stop_zyx[axis] - after.start_zyx[axis]
        start, shape = list(after.start_zyx), list(after.shape_zyx)
        start[axis] += overlap // 4
        shape[axis] = max(1, overlap - 2 * (overlap // 4))
        return Box(to_zyx(start), to_zyx(shape))


def _even_starts(extent: int, size: int, overlap: int) -> list[int]:
    if size == extent:
        return [0]
    count = math.ceil((extent - overlap) / (size - overlap))
    return [round(i * (extent - size) / (count - 1)) for i in range(count)]
