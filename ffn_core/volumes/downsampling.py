"""Volumes at a lower resolution."""

from collections.abc import Callable

import numpy as np

from ffn_core.errors import InputError
from ffn_core.volumes.traversal import iter_slabs
from ffn_core.volumes.volume import Volume


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
