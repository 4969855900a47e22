"""Labels that are true only in a part of their volume: in a box, under a mask, or both.

Outside that part nothing was annotated: voxels there are neither object nor background, and count
neither in a loss nor in a score. Labels of 0 inside it are background.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx, to_zyx
from ffn_core.volumes import (
    DEFAULT_CACHE_BYTES,
    IDS,
    Placement,
    Volume,
    check_pair,
    iter_blocks,
    open_labels,
    open_mask,
)

Corners = Sequence[Sequence[int]]
"""Of a box: its first voxel, and the one past its last, each z, y, x."""


def box_of(corners: Corners, option: str, shape_zyx: Zyx | None = None) -> Box:
    """The box that an option says by its two corners.

    Args:
        corners: Of the box.
        option: How the user gave them.
        shape_zyx: Of the volume it must lie in, if that is known.

    Raises:
        InputError: They are no corners of a box, or it does not lie in the volume.
    """
    try:
        start, stop = (to_zyx(corner) for corner in corners)
    except (TypeError, ValueError):
        start = stop = (0, 0, 0)
    said = f"{option}={[list(corner) for corner in corners]}".replace(" ", "")
    if not all(0 <= a < b for a, b in zip(start, stop, strict=True)):
        raise InputError(
            f"{said} must be two corners, [[z,y,x],[z,y,x]]: the first voxel of the box, and the"
            " one past its last"
        )
    if shape_zyx is not None and any(b > n for b, n in zip(stop, shape_zyx, strict=True)):
        raise InputError(f"{said} does not lie in the volume of {shape_zyx} voxels (zyx)")
    return Box(start, to_zyx(b - a for a, b in zip(start, stop, strict=True)))


def inside_only(labels: np.ndarray, box: Box) -> np.ndarray:
    """A copy of (z, y, x) ids that is 0 outside a box."""
    kept = np.zeros_like(labels)
    window = box.slices_in(Box((0, 0, 0), to_zyx(labels.shape)))
    kept[window] = labels[window]
    return kept


@dataclass(frozen=True)
class PartialLabels:
    """A segmentation that reads as 0 where it is not labeled; see `ffn_core.volumes.Volume`.

    What is stored outside the labeled part is never looked at: it need not hold object ids.

    Attributes:
        labels: Stored ids, not checked yet.
        box: All labeled voxels lie in it.
        mask: Of those in the box, the ones where it is not 0 are labeled; None for all.
    """

    labels: Volume
    box: Box
    mask: Volume | None = None

    @property
    def shape_zyx(self) -> Zyx:
        """Extents in voxels."""
        return self.labels.shape_zyx

    @property
    def chunk_zyx(self) -> Zyx:
        """Extents of the pieces it is stored in."""
        return self.labels.chunk_zyx

    @property
    def dtype(self) -> np.dtype:
        """Type of the ids."""
        return self.labels.dtype

    @property
    def source(self) -> str:
        """What the user named to open the labels."""
        return self.labels.source

    @property
    def info(self) -> str:
        """What was done to the stored values, and where they count."""
        mask = f" where {self.mask.source} is true" if self.mask is not None else ""
        part = f"labeled from zyx {self.box.start_zyx} to {self.box.stop_zyx}{mask}"
        return "; ".join(filter(None, (self.labels.info, part)))

    @property
    def placement(self) -> Placement:
        """Where the volume lies."""
        return self.labels.placement

    @property
    def doubts(self) -> str:
        """What a user should know of the labels and their mask."""
        said = (self.labels.doubts, "" if self.mask is None else self.mask.doubts)
        return "; ".join(filter(None, said))

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Ids of a window, 0 where it is not labeled.

        Raises:
            UnusableVoxels: A labeled voxel holds no object id.
        """
        ids = np.zeros(shape_zyx, self.dtype)
        part = _common(Box(start_zyx, shape_zyx), self.box)
        if part is None:
            return ids
        stored = self.labels.read(part.start_zyx, part.shape_zyx)
        if self.mask is not None:
            labeled = self.mask.read(part.start_zyx, part.shape_zyx) != 0
            stored = np.where(labeled, stored, np.zeros((), self.dtype))
        IDS.require(stored, part.start_zyx, self.source)
        ids[part.slices_in(Box(start_zyx, shape_zyx))] = stored
        return ids

    def labeled(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Which voxels of a window are labeled, as a bool array of ``shape_zyx``."""
        labeled = np.zeros(shape_zyx, bool)
        part = _common(Box(start_zyx, shape_zyx), self.box)
        if part is not None:
            window = part.slices_in(Box(start_zyx, shape_zyx))
            if self.mask is None:
                labeled[window] = True
            else:
                labeled[window] = self.mask.read(part.start_zyx, part.shape_zyx) != 0
        return labeled


def open_partial_labels(
    spec: str,
    corners: Corners | None = None,
    mask_spec: str | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    option: str = "data.labels_box",
) -> Volume:
    """Open a segmentation that is true in a box, under a mask, in both, or everywhere.

    Args:
        spec: Name of the labels, as for `open_labels`.
        corners: Of the box; None for all of the volume.
        mask_spec: Name of the mask; None for none.
        cache_bytes: Of labels and mask each, as for `open_volume`.
        option: How the user gave the box.

    Returns:
        What `open_labels` does, where the labels are true everywhere.

    Raises:
        InputError: Unusable labels or mask, or a box outside of them.
    """
    if corners is None and mask_spec is None:
        return open_labels(spec, cache_bytes)
    labels = open_labels(spec, cache_bytes, checked=False)
    box = Box((0, 0, 0), labels.shape_zyx)
    if corners is not None:
        box = box_of(corners, option, labels.shape_zyx)
    mask = None
    if mask_spec is not None:
        mask = open_mask(mask_spec, cache_bytes)
        check_pair(mask, labels, "mask")
    return PartialLabels(labels, box, mask)


def labeled_extent(labels: Volume) -> Box:
    """The smallest box around all labeled voxels; reads a mask if there is one.

    Raises:
        InputError: The mask is false everywhere.
    """
    if not isinstance(labels, PartialLabels):
        return Box((0, 0, 0), labels.shape_zyx)
    if labels.mask is None:
        return labels.box
    lows, highs = [], []
    for corner, block in iter_blocks(labels.mask, box=labels.box):
        places = np.nonzero(block)
        if len(places[0]):
            lows.append([int(p.min()) + a for p, a in zip(places, corner, strict=True)])
            highs.append([int(p.max()) + a + 1 for p, a in zip(places, corner, strict=True)])
    if not lows:
        raise InputError(f"mask {labels.mask.source} is false everywhere: nothing is labeled")
    start, stop = np.min(lows, axis=0), np.max(highs, axis=0)
    return Box(to_zyx(start.tolist()), to_zyx((stop - start).tolist()))


def labeled_voxels(labels: Volume) -> int:
    """How many voxels are labeled, whatever their label; reads a mask if there is one."""
    if not isinstance(labels, PartialLabels):
        return math.prod(labels.shape_zyx)
    if labels.mask is None:
        return math.prod(labels.box.shape_zyx)
    blocks = iter_blocks(labels.mask, box=labels.box)
    return sum(int(np.count_nonzero(block)) for _, block in blocks)


def _common(one: Box, other: Box) -> Box | None:
    """The voxels that lie in both boxes; None if there are none."""
    start = to_zyx(map(max, one.start_zyx, other.start_zyx))
    stop = to_zyx(map(min, one.stop_zyx, other.stop_zyx))
    if any(b <= a for a, b in zip(start, stop, strict=True)):
        return None
    return Box(start, to_zyx(b - a for a, b in zip(start, stop, strict=True)))
