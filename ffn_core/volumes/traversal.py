"""Reading whole volumes of any size, piece by piece; their statistics and coarser copies."""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx, to_zyx
from ffn_core.volumes.rules import INTENSITIES, Rule, UnusableVoxels
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
    volume: Volume,
    block_bytes: int = 64 * 1024**2,
    rule: Rule | None = None,
    box: Box | None = None,
) -> Iterator[tuple[Zyx, np.ndarray]]:
    """Read the whole volume as blocks of about ``block_bytes`` that tile it, in C order.

    Blocks are made of whole chunks, so that each chunk is read once however large a section is.

    Args:
        volume: What to read.
        block_bytes: About the size of a block.
        rule: What is checked of voxels beside what the volume itself checks.
        box: The part to read; None for all of it.

    Yields:
        The (z, y, x) corner of a block, and its voxels.

    Raises:
        UnusableVoxels: Voxels break a rule; counts them in all that is read.
    """
    found: UnusableVoxels | None = None
    for start, extent in _block_boxes(volume, block_bytes, box):
        try:
            block = volume.read(start, extent)
            if rule is not None:
                rule.require(block, start, volume.source)
        except UnusableVoxels as error:
            found = error if found is None else found + error
        else:
            if found is None:
                yield start, block
    if found is not None:
        raise found.among(math.prod(box.shape_zyx if box else volume.shape_zyx))


def _block_boxes(volume: Volume, block_bytes: int, box: Box | None) -> Iterator[tuple[Zyx, Zyx]]:
    """Corners and extents of blocks of whole chunks, cut off at a box."""
    box = box or Box((0, 0, 0), volume.shape_zyx)
    block = [min(c, n) for c, n in zip(volume.chunk_zyx, volume.shape_zyx, strict=True)]
    for axis in (2, 1, 0):
        room = max(1, block_bytes // (math.prod(block) * volume.dtype.itemsize))
        block[axis] = min(block[axis] * room, volume.shape_zyx[axis])
    starts = (
        range(first - first % edge, stop, edge)
        for first, stop, edge in zip(box.start_zyx, box.stop_zyx, block, strict=True)
    )
    for corner in itertools.product(*starts):
        edges = zip(corner, block, box.start_zyx, box.stop_zyx, strict=True)
        spans = [(max(a, first), min(a + edge, stop)) for a, edge, first, stop in edges]
        yield to_zyx(a for a, _ in spans), to_zyx(b - a for a, b in spans)


def require_finite(volume: Volume, box: Box | None = None) -> None:
    """Check all voxels of an image, or those of a box; integers are not read.

    Raises:
        UnusableVoxels: Some are not finite; counts them.
    """
    if volume.dtype.kind == "f":
        for _ in iter_blocks(volume, block_bytes=8 * 1024**2, rule=INTENSITIES, box=box):
            pass


def voxel_digest(volume: Volume, box: Box, rule: Rule | None = None) -> str:
    """A short text that is another one for other voxels in a box, or in another chunk layout.

    Raises:
        UnusableVoxels: Voxels break ``rule``; counts them.
    """
    digest = hashlib.blake2b(f"{volume.dtype} {box}".encode(), digest_size=16)
    for _, block in iter_blocks(volume, rule=rule, box=box):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def image_statistics(volume: Volume) -> tuple[float, float]:
    """Mean and standard deviation of all voxels, in intensity units.

    Raises:
        UnusableVoxels: Some are not finite; counts them.
    """
    total, total_squared = 0.0, 0.0
    for _, block in iter_blocks(volume, block_bytes=8 * 1024**2, rule=INTENSITIES):
        values = block.astype(np.float64)
        total += float(values.sum())
        total_squared += float(np.vdot(values, values))
    count = math.prod(volume.shape_zyx)
    mean = total / count
    return mean, math.sqrt(max(total_squared / count - mean**2, 0.0))


def read_normalized(
    image: Volume, start_zyx: Zyx, shape_zyx: Zyx, mean: float, stddev: float
) -> np.ndarray:
    """The (z, y, x) float32 intensities of a window, less ``mean`` and divided by ``stddev``.

    Raises:
        UnusableVoxels: Some are not finite, before or after.
    """
    stored = image.read(start_zyx, shape_zyx)
    with np.errstate(all="ignore"):  # what comes of it is checked
        window = stored.astype(np.float32)
        window -= np.float32(mean)
        window /= np.float32(stddev)
    INTENSITIES.require(window, start_zyx, f"{image.source} less {mean:g}, divided by {stddev:g}")
    return window


def downsample(
    volume: Volume, factor: int, reduce: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    """Reduce a volume of any size slab by slab.

    Args:
        volume: What to read.
        factor: Voxels along each axis that become one.
        reduce: :func:`downsample_image` or :func:`downsample_labels`.

    Returns:
        The array that ``reduce`` makes of the whole volume.

    Raises:
        InputError: A factor below 1 or above the smallest extent.
    """
    if factor < 1 or factor > min(volume.shape_zyx):
        raise InputError(
            f"downsampling factor {factor} does not fit {volume.source} of shape zyx"
            f" {volume.shape_zyx}; use 1 to {min(volume.shape_zyx)}"
        )
    slabs = iter_slabs(volume, multiple=factor)
    return np.concatenate([reduce(slab, factor) for slab in slabs])


def downsample_image(image: np.ndarray, factor: int) -> np.ndarray:
    """Mean over ``factor``**3 cubes, rounded to the nearest for integer images, same dtype.

    Voxels of an incomplete cube at the far end of an axis are dropped.
    """
    cubes = _cubes(image, factor)
    # float32 holds integers of up to 24 bits.
    wide = np.float32 if image.dtype.itemsize <= 2 or image.dtype == np.float32 else np.float64
    mean = cubes.mean(axis=(1, 3, 5), dtype=wide)
    return (np.rint(mean) if image.dtype.kind in "iu" else mean).astype(image.dtype)


def downsample_labels(labels: np.ndarray, factor: int) -> np.ndarray:
    """One voxel of each ``factor``**3 cube: the one at index ``factor // 2`` along every axis.

    Striding never invents an id and keeps the volume fraction of every object; a majority vote
    would let large objects swallow thin ones and one-voxel gaps.
    """
    pick = factor // 2
    return np.ascontiguousarray(_cubes(labels, factor)[:, pick, :, pick, :, pick])


def _cubes(array: np.ndarray, factor: int) -> np.ndarray:
    """View (z, y, x) as (z', factor, y', factor, x', factor)."""
    kept = tuple(extent // factor for extent in array.shape)
    cropped = array[tuple(slice(0, n * factor) for n in kept)]
    return cropped.reshape(kept[0], factor, kept[1], factor, kept[2], factor)
