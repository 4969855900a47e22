"""Seed policies: the points from which objects are filled, and their order."""

from __future__ import annotations

from collections.abc import Sequence

import edt
import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx

POLICIES = ("peaks", "manual")

_EDGE_SIGMA_VX = 49.0 / 6.0
_MIN_DISTANCE_VX = 3
_NOISE_SEED = 42
_NOISE = 1e-4


def peaks(image: np.ndarray) -> np.ndarray:
    """Points far from edges: local maxima of the distance to the nearest edge voxel.

    The published policy (google/ffn ``PolicyPeaks``): the magnitude of the Sobel gradient is an
    edge where it exceeds its own Gaussian average (sigma 49/6 voxels); maxima of the Euclidean
    distance transform at least 3 voxels apart, ties broken by noise from a fixed seed.

    Args:
        image: (z, y, x) intensities of any numeric type; scale and offset do not matter.

    Returns:
        (n, 3) int64 points, axis order zyx, sorted; the same for the same image. Points within
        3 voxels of the border are not among them.
    """
    gradient = ndimage.generic_gradient_magnitude(image.astype(np.float32), ndimage.sobel)
    is_edge = gradient > ndimage.gaussian_filter(gradient, _EDGE_SIGMA_VX, mode="reflect")
    del gradient
    if not is_edge.any():
        return np.empty((0, 3), np.int64)
    distance_vx = edt.edt(~is_edge, black_border=False)
    # The generator of the published code, so that the points are the published ones.
    noise = np.random.RandomState(_NOISE_SEED).random_sample(image.shape)
    points = peak_local_max(
        distance_vx + noise * _NOISE,
        min_distance=_MIN_DISTANCE_VX,
        threshold_abs=0,
        threshold_rel=0,
    )
    return points[np.lexsort(points.T[::-1])]


def manual(points: Sequence[Sequence[int]], volume_zyx: Zyx) -> np.ndarray:
    """Points a person chose, in their order.

    Args:
        points: (z, y, x) voxel coordinates.
        volume_zyx: Extents of the volume they lie in.

    Returns:
        (n, 3) int64.

    Raises:
        InputError: No point, not three coordinates, or a point outside the volume.
    """
    if not points:
        raise InputError("seeds.policy=manual needs seeds.points=[[z,y,x],...]")
    for point in points:
        inside = len(point) == 3 and all(
            0 <= p < size for p, size in zip(point, volume_zyx, strict=True)
        )
        if not inside:
            raise InputError(f"seed point {list(point)} is not a voxel (z, y, x) of {volume_zyx}")
    return np.array(points, np.int64)


def with_context(points: np.ndarray, fov_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
    """Those of the (n, 3) points around which a whole FOV fits into an image of ``shape_zyx``."""
    radius = np.array(fov_zyx) // 2
    fits = (points >= radius).all(axis=1) & (points + radius < shape_zyx).all(axis=1)
    return points[fits]
