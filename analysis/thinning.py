"""Segmentations of any size thinned out until they can be drawn."""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np

from ffn_core.geometry import Zyx, to_zyx
from ffn_core.volumes import Volume, iter_blocks

MOST_VOXELS: Final = 300**3
"""Matching segments with true objects takes some 50 bytes of memory for each."""

_BLOCK_BYTES: Final = 64 * 1024**2


def thinning_step(shape_zyx: Zyx, most_voxels: int) -> int:
    """The smallest k for which every k-th voxel along each axis makes at most ``most_voxels``."""
    return next(
        k for k in itertools.count(1) if math.prod(-(-n // k) for n in shape_zyx) <= most_voxels
    )


def thinned(
    segmentation: Volume,
    truth: Volume | None,
    start_zyx: Zyx,
    step: int,
    block_bytes: int = _BLOCK_BYTES,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Every ``step``-th voxel of a segmentation and of the truth that begins at ``start_zyx``.

    Both are read block by block.

    Returns:
        Two (z, y, x) id arrays of one shape; None without a truth.
    """
    shape = [-(-n // step) for n in segmentation.shape_zyx]
    ids = np.empty(shape, segmentation.dtype)
    true_ids = None if truth is None else np.empty(shape, truth.dtype)
    for corner, block in iter_blocks(segmentation, block_bytes):
        inside = tuple(slice(-a % step, None, step) for a in corner)
        kept = block[inside]
        starts = (-(-a // step) for a in corner)
        place = tuple(slice(a, a + n) for a, n in zip(starts, kept.shape, strict=True))
        ids[place] = kept
        if truth is not None and true_ids is not None and kept.size:
            there = to_zyx(a + b for a, b in zip(start_zyx, corner, strict=True))
            true_ids[place] = truth.read(there, to_zyx(block.shape))[inside]
    return ids, true_ids
