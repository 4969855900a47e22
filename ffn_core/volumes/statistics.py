"""Intensities of an image volume."""

import math

import numpy as np

from ffn_core.volumes.traversal import iter_blocks
from ffn_core.volumes.volume import Volume


def image_statistics(volume: Volume) -> tuple[float, float]:
    """Mean and standard deviation of all voxels, in intensity units."""
    total, total_squared = 0.0, 0.0
    for _, block in iter_blocks(volume, block_bytes=8 * 1024**2):
        values = block.astype(np.float64)
        total += float(values.sum())
        total_squared += float(np.vdot(values, values))
    count = math.prod(volume.shape_zyx)
    mean = total / count
    return mean, math.sqrt(max(total_squared / count - mean**2, 0.0))
