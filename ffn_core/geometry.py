"""The sizes that follow from a field of view and its movement step."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ffn_core.errors import InputError

Zyx: TypeAlias = tuple[int, int, int]


def as_zyx(value: object, name: str) -> Zyx:
    """Return ``value`` (one integer or three, z first) as a tuple of three integers.

    Raises:
        InputError: if it is anything else.
    """
    items = [value] * 3 if isinstance(value, int) else value
    try:
        z, y, x = (operator.index(item) for item in items)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not one integer or three (z, y, x)") from None
    return z, y, x


@dataclass(frozen=True)
class FovGeometry:
    """Field of view (FOV) of the network and its step, both in voxels, axis order zyx.

    Attributes:
        fov_zyx: edge lengths of the FOV; odd, so that it has a center voxel.
        deltas_zyx: how far one move shifts the FOV along each axis; 0 pins the axis.
    """

    fov_zyx: Zyx
    deltas_zyx: Zyx

    def __post_init__(self) -> None:
        object.__setattr__(self, "fov_zyx", as_zyx(self.fov_zyx, "model.fov_zyx"))
        object.__setattr__(self, "deltas_zyx", as_zyx(self.deltas_zyx, "model.deltas_zyx"))
        if any(size < 1 or size % 2 == 0 for size in self.fov_zyx):
            raise InputError(
                f"model.fov_zyx={self.fov_zyx}: each edge must be a positive odd number"
            )
        for delta, size in zip(self.deltas_zyx, self.fov_zyx, strict=True):
            if not 0 <= delta <= size // 2:
                raise InputError(
                    f"model.deltas_zyx={self.deltas_zyx}: each step must lie between 0 and half "
                    f"the FOV {self.fov_zyx}, or its center would lie outside the last one"
                )

    @property
    def canvas_zyx(self) -> Zyx:
        """Voxels one training example spans: the FOV moved by one step in every direction."""
        z, y, x = (f + 2 * d for f, d in zip(self.fov_zyx, self.deltas_zyx, strict=True))
        return z, y, x

    @property
    def canvas_radius_zyx(self) -> Zyx:
        """Voxels between the center of a training canvas and its border."""
        z, y, x = (size // 2 for size in self.canvas_zyx)
        return z, y, x

    @property
    def fov_voxels(self) -> int:
        """Number of voxels in one FOV."""
        return int(np.prod(self.fov_zyx))

    @property
    def shifts_zyx(self) -> tuple[Zyx, ...]:
        """Every move by -delta, 0 or +delta along the axes, without the one that stays.

        26 moves in three dimensions, in lexicographic order.
        """
        dz, dy, dx = ((-d, 0, d) if d else (0,) for d in self.deltas_zyx)
        return tuple(shift for shift in itertools.product(dz, dy, dx) if any(shift))

    def window(self, offset_zyx: Zyx) -> tuple[slice, slice, slice]:
        """Slices of a training canvas under the FOV ``offset_zyx`` away from the center."""
        z, y, x = (
            slice(radius + o - f // 2, radius + o + f // 2 + 1)
            for radius, o, f in zip(self.canvas_radius_zyx, offset_zyx, self.fov_zyx, strict=True)
        )
        return z, y, x


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
