"""What a smallest size of segments costs, and which one the sizes speak for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

ENOUGH: Final = 10
"""Segments from which on their sizes say something."""

SHARE: Final = 0.99
"""Of the voxels found, which a proposed size keeps."""


def proposed_min_size(sizes: np.ndarray, share: float = SHARE) -> int | None:
    """The largest smallest size that keeps this share of all voxels that were found.

    Small segments are many and hold few voxels: a size that drops more than a hundredth of the
    voxels drops objects, one that is far below keeps crumbs.

    Args:
        sizes: (n,) voxels of each segment found, kept or not; without loose parts of others.
        share: Between 0 and 1.

    Returns:
        That size, rounded down to two digits; None with fewer than `ENOUGH` segments.
    """
    if len(sizes) < ENOUGH:
        return None
    ordered = np.sort(np.asarray(sizes, np.int64))
    dropped_before = np.cumsum(ordered) - ordered  # by a smallest size of exactly each
    fits = dropped_before <= (1 - share) * ordered.sum()
    return _two_digits(int(ordered[fits][-1]))


def _two_digits(size: int) -> int:
    """Rounded down to two significant digits."""
    step = 10 ** max(len(str(size)) - 2, 0)
    return size // step * step


@dataclass(frozen=True)
class Tally:
    """How many there are of something, and the voxels in them."""

    count: int
    voxels: int


def dropped_line(kept: Tally, small: Tally, parts: Tally, least: int, proposed: int | None) -> str:
    """One line about what was dropped, and the size that was proposed if it is another one.

    Args:
        kept: Segments of the result.
        small: Objects that were not kept, for their size.
        parts: Parts that did not touch the rest of their segment, and were as small.
        least: Smallest size they were compared with.
        proposed: See `proposed_min_size`.
    """
    found = kept.voxels + small.voxels + parts.voxels
    if not found:
        return "nothing was found: no object held at its seed point"
    line = (
        f"flood.min_segment_size={least} dropped {small.count:,} of {kept.count + small.count:,}"
        f" segments with {small.voxels:,} voxels ({small.voxels / found:.1%} of those found)"
    )
    if parts.count:
        line += (
            f", and {parts.count:,} loose parts of others with {parts.voxels:,}"
            f" ({parts.voxels / found:.1%})"
        )
    if proposed is None or 0.5 * least <= proposed <= 2 * least:
        return line
    return (
        f"{line}; flood.min_segment_size={proposed} keeps segments with {SHARE:.0%} of the voxels"
    )
