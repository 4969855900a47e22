"""Reading whole volumes of any size, piece by piece."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from ffn_core.geometry import Zyx
from ffn_core.volumes.volume import Volume

_MOST_BYTES = 1024**3
"""A slab is not made thicker than this only to read whole chunks."""


def iter_slabs(
    volume: Volume, slab_bytes: int = 64 * 1024**2, multiple: int = 1
) -> Iterator[np.ndarray]:
    """Read the whole volume as consecutive z slabs of about ``slab_bytes`` each.

    All slabs but the last are a ``multiple`` of sections thick, and whole chunks if possible.
    """
    depth, height, width = volume.shape_zyx
    section_bytes = height * width * volume.dtype.itemsize
    unit = math.lcm(multiple, volume.chunk_zyx[0])
    if unit * section_bytes > _MOST_BYTES:
        unit = multiple
    step = max(1, slab_bytes // (section_bytes * unit)) * unit
    for z in range(0, depth, step):
        yield volume.read((z, 0, 0), (min(step, depth - z), height, width))


def iter_blocks(
    volume: Volume, block_bytes: int = 64 * 1024**2
) -> Iterator[tuple[Zyx, np.ndarray]]:
    """Read the whole volume as blocks of about ``block_bytes`` that tile it, in C order.

    Blocks are made of whole chunks, so that each chunk is read once however large a section is.

    Yields:
        The (z, y, x) corner of a block, and its voxels.
    """
    shape = volume.shape_zyx
    block = [min(c, n) for c, n in zip(volume.chunk_zyx, shape, strict=True)]
    for axis in (2, 1, 0):
        room = max(1, block_bytes // (math.prod(block) * volume.dtype.itemsize))
        block[axis] = min(block[axis] * room, shape[axis])
    starts = (range(0, n, b) for n, b in zip(shape, block, strict=True))
    for z, y, x in itertools.product(*starts):
        extent = (
            min(block[0], shape[0] - z),
            min(block[1], shape[1] - y),
            min(block[2], shape[2] - x),
        )
        yield (z, y, x), volume.read((z, y, x), extent)


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
