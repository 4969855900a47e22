"""Boxes of voxels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ffn_core.geometry import Zyx


@dataclass(frozen=True)
class Box:
    """A box of voxels: its first corner and its extents."""

    start_zyx: Zyx
    shape_zyx: Zyx

    @property
    def stop_zyx(self) -> Zyx:
        """First voxel past the box along each axis."""
        return to_zyx(a + n for a, n in zip(self.start_zyx, self.shape_zyx, strict=True))

    def slices_in(self, outer: Box) -> tuple[slice, slice, slice]:
        """Slices of this box in an array that covers ``outer``."""
        z, y, x = (
            slice(a - o, a - o + n)
            for a, n, o in zip(self.start_zyx, self.shape_zyx, outer.start_zyx, strict=True)
        )
        return z, y, x


def to_zyx(values: Iterable[int]) -> Zyx:
    """Three integers as a tuple."""
    z, y, x = values
    return z, y, x
