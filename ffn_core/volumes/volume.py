"""What a volume is, one that lies in memory, and what those in files have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.volumes.placement import UNKNOWN, Placement
from ffn_core.volumes.rules import Rule


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
        """Type of the voxels that ``read`` returns, in the byte order of this machine."""

    @property
    def source(self) -> str:
        """What the user named to open the volume, for messages."""

    @property
    def info(self) -> str:
        """What was done to the stored values on the way in; empty if nothing."""

    @property
    def placement(self) -> Placement:
        """Where it lies, and how large its voxels are, as far as it says so."""

    @property
    def doubts(self) -> str:
        """What a user should know of it, such as chunks that are not stored; empty if nothing.

        May list all that is stored: to be asked once, not by every rank.

        Raises:
            InputError: Nothing of it is stored.
        """

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Return the window [start, start + shape) as an array of ``shape_zyx``.

        The result may be a view of the volume: do not write to it.

        Raises:
            ValueError: The window does not lie inside the volume.
            InputError: The stored data is damaged or out of reach, or voxels of the window are no
                finite intensities or no object ids.
        """


class ArrayVolume:
    """A volume held in memory."""

    chunk_zyx: Zyx = (1, 1, 1)

    def __init__(
        self,
        array: np.ndarray,
        source: str = "memory",
        info: str = "",
        placement: Placement = UNKNOWN,
        doubts: str = "",
        rule: Rule | None = None,
    ) -> None:
        """Hold ``array``; ``rule`` is checked at each read, if there is one."""
        if array.ndim != 3:
            raise ValueError(f"a volume has 3 axes (zyx), got shape {array.shape}")
        self.array = array
        self.source = source
        self.info = info
        self.placement = placement
        self.doubts = doubts
        self._rule = rule

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
        values = self.array[window_slices(start_zyx, shape_zyx, self.shape_zyx)]
        if self._rule is not None:
            self._rule.require(values, start_zyx, self.source)
        return values


class StoredVolume(ABC):
    """A volume in a file, folder or on a server; its adapter says how a window is read.

    Attributes:
        shape_zyx: See :class:`Volume`, as the following.
        chunk_zyx: Extents of its pieces.
        dtype: As `read` returns it.
        source: Its name.
        info: What was done to the stored values.
        placement: Where it lies.
        rule: What is checked at each read; None for nothing.
    """

    shape_zyx: Zyx
    chunk_zyx: Zyx
    dtype: np.dtype
    source: str
    info = ""
    placement = UNKNOWN
    rule: Rule | None = None

    @property
    def doubts(self) -> str:
        """What a user should know; see :attr:`Volume.doubts`."""
        return ""

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Read the window; see :meth:`Volume.read`."""
        window = window_slices(start_zyx, shape_zyx, self.shape_zyx)
        values = self._read(window).astype(self.dtype, copy=False)
        if self.rule is not None:
            self.rule.require(values, start_zyx, self.source)
        return values

    @abstractmethod
    def _read(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        """The voxels of a window that lies in the volume, in any byte order.

        Raises:
            InputError: The stored data is damaged or out of reach.
        """


def check_pair(image: Volume, labels: Volume, kind: str = "image") -> str:
    """Check that labels belong to an image, or to what ``kind`` calls it.

    Returns:
        What is doubtful about it, for the user; empty if nothing.

    Raises:
        InputError: The shapes differ, or the voxels that both begin at.
    """
    if image.shape_zyx != labels.shape_zyx:
        turned = sorted(image.shape_zyx) == sorted(labels.shape_zyx)
        raise InputError(
            f"{kind} {image.source} has shape zyx {image.shape_zyx}, but labels {labels.source}"
            f" have {labels.shape_zyx}; both must cover the same voxels"
            f"{': the axes of one of them seem to be in another order' if turned else ''}"
        )
    names = f"{kind} {image.source}", f"labels {labels.source}"
    return image.placement.difference(labels.placement, *names)


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
