"""What a volume is, and one that lies in memory."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx


class Volume(Protocol):
    """A readable 3-D array."""

    @property
    def shape_zyx(self) -> Zyx:
        """Extents in voxels."""

    @property
    def chunk_zyx(self) -> Zyx:
        """Extents of the pieces it is stored in: what a read of a single voxel costs."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the voxels that ``read`` returns."""

    @property
    def source(self) -> str:
        """What the user named to open the volume, for messages."""

    @property
    def info(self) -> str:
        """What was done to the stored values on the way in; empty if nothing."""

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Return the window [start, start + shape) as an array of ``shape_zyx``.

        The result may be a view of the volume: do not write to it.

        Raises:
            ValueError: The window does not lie inside the volume.
            InputError: The stored data is damaged or out of reach.
        """


class ArrayVolume:
    """A volume held in memory."""

    chunk_zyx: Zyx = (1, 1, 1)

    def __init__(self, array: np.ndarray, source: str = "memory", info: str = "") -> None:
        if array.ndim != 3:
            raise ValueError(f"a volume has 3 axes (zyx), got shape {array.shape}")
        self.array = array
        self.source = source
        self.info = info

    @property
    def shape_zyx(self) -> Zyx:
        """Extents in voxels."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of the voxels."""
        return self.array.dtype

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Return a view of the window; see :meth:`Volume.read`."""
        return self.array[window_slices(start_zyx, shape_zyx, self.shape_zyx)]


def check_pair(image: Volume, labels: Volume, kind: str = "image") -> None:
    """Check that labels belong to an image, or to what ``kind`` calls it.

    Raises:
        InputError: The shapes differ.
    """
    if image.shape_zyx != labels.shape_zyx:
        raise InputError(
            f"{kind} {image.source} has shape zyx {image.shape_zyx}, but labels {labels.source}"
            f" have {labels.shape_zyx}; both must cover the same voxels"
        )


def check_stored(source: str, shape: Sequence[int], dtype: np.dtype) -> None:
    """Check that a stored array can be a volume.

    Raises:
        InputError: It has not three non-empty axes, or holds something else than numbers.
    """
    if len(shape) != 3 or 0 in shape:
        raise InputError(f"{source} has shape {tuple(shape)}; a volume has 3 non-empty axes (zyx)")
    if dtype.kind not in "iufb":
        raise InputError(f"{source} has type {dtype}; a volume holds numbers")


def window_slices(start_zyx: Zyx, shape_zyx: Zyx, volume_zyx: Zyx) -> tuple[slice, slice, slice]:
    """Slices of a window.

    Raises:
        ValueError: The window does not lie inside the volume.
    """
    for start, extent, limit in zip(start_zyx, shape_zyx, volume_zyx, strict=True):
        if start < 0 or extent < 0 or start + extent > limit:
            raise ValueError(
                f"window start {start_zyx} shape {shape_zyx} is not inside volume {volume_zyx}"
            )
    z, y, x = (slice(a, a + n) for a, n in zip(start_zyx, shape_zyx, strict=True))
    return z, y, x
