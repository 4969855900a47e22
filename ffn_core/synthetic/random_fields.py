"""Random directions, and noise that varies smoothly in space."""

import math

import numpy as np
from scipy import ndimage


def smooth_noise(shape: tuple[int, ...], sigma_vx: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, smoothed over ``sigma_vx``, of mean 0 and standard deviation 1; float32.

    Made on a grid as coarse as the smoothing allows and interpolated from there.
    """
    stride = max(1, int(sigma_vx))
    coarse_shape = [math.ceil(n / stride) + 3 for n in shape]
    coarse = ndimage.gaussian_filter(
        rng.standard_normal(coarse_shape, np.float32), sigma_vx / stride
    )
    coarse /= coarse.std()
    for axis, extent in enumerate(shape):
        coarse = _interpolate(coarse, axis, 1 + np.arange(extent, dtype=np.float32) / stride)
    return coarse


def _interpolate(values: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """Linear interpolation along one axis."""
    low = positions.astype(int)
    weight_shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    weight = (positions - low).reshape(weight_shape)
    return np.take(values, low, axis) * (1 - weight) + np.take(values, low + 1, axis) * weight


def random_direction(rng: np.random.Generator) -> np.ndarray:
    """(3,) float64 unit vector, all directions alike."""
    direction = rng.standard_normal(3)
    return direction / np.linalg.norm(direction)
