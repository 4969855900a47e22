"""Gray levels of synthetic neurites: cytoplasm, membranes, mitochondria, vesicles."""

import math

import numpy as np
from scipy import ndimage

from ffn_core.synthetic.random_fields import random_direction, smooth_noise


def render(
    labels: np.ndarray, depth_vx: np.ndarray, radius_vx: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw neurites, before blur and noise.

    Args:
        labels: (z, y, x) object ids.
        depth_vx: (z, y, x) distance to the border of the own object.
        radius_vx: Typical radius of a neurite.
        rng: Where staining and organelles come from.

    Returns:
        (z, y, x) float32 gray levels.
    """
    tone = rng.normal(160, 6, int(labels.max()) + 1).astype(np.float32)
    image = tone[labels]
    image += 4 * smooth_noise(labels.shape, 1.3, rng)
    inside = depth_vx > 2.5
    _add_vesicles(image, labels, inside, radius_vx, rng)
    _add_mitochondria(image, labels, inside, radius_vx, rng)
    staining = 100 + 8 * smooth_noise(labels.shape, radius_vx / 2, rng)
    image -= staining * np.exp(-(((depth_vx - 1) / 1.2) ** 2))
    return image


def _add_mitochondria(
    image: np.ndarray,
    labels: np.ndarray,
    inside: np.ndarray,
    radius_vx: float,
    rng: np.random.Generator,
) -> None:
    """Dark ellipsoids with a darker rim and cristae, cut off at the neurite's membrane."""
    count = _count(40, labels.size, radius_vx)
    for center in rng.integers(0, labels.shape, (count, 3)):
        if not inside[tuple(center)]:
            continue
        axis, short = random_direction(rng), radius_vx * rng.uniform(0.3, 0.5)
        reach = math.ceil(3 * short)
        box = tuple(
            slice(max(c - reach, 0), min(c + reach + 1, n))
            for c, n in zip(center, labels.shape, strict=True)
        )
        offset = np.moveaxis(np.mgrid[box], 0, -1) - center
        along = offset @ axis
        squared = (offset**2).sum(axis=-1)
        level = np.sqrt((squared - along**2) / short**2 + (along / (2.6 * short)) ** 2)
        body = (level < 1) & inside[box] & (labels[box] == labels[tuple(center)])
        cristae = 10 * np.sin(offset @ random_direction(rng) * (2 * math.pi / 3.5))
        rim = 22 * np.exp(-(((level - 0.9) / 0.15) ** 2))
        image[box][body] = (104 + cristae - rim)[body]


def _add_vesicles(
    image: np.ndarray,
    labels: np.ndarray,
    inside: np.ndarray,
    radius_vx: float,
    rng: np.random.Generator,
) -> None:
    """Clusters of small rings."""
    clusters = _count(12, labels.size, radius_vx)
    centers = rng.uniform(0, labels.shape, (clusters, 1, 3))
    spread = rng.normal(0, 0.4 * radius_vx, (clusters, 30, 3))
    points = np.rint(centers + spread).astype(int).reshape(-1, 3)
    points = points[((points >= 0) & (points < labels.shape)).all(axis=1)]
    spots = np.zeros(labels.shape, np.float32)
    spots[tuple(points.T)] = 1
    rings = ndimage.gaussian_filter(spots, 1.3) * 2400 - ndimage.gaussian_filter(spots, 0.7) * 350
    image -= np.clip(rings, -20, 40) * inside


def _count(density: float, voxels: int, radius_vx: float) -> int:
    """How many there are at ``density`` per cube of ten typical radii."""
    return round(voxels / (10 * radius_vx) ** 3 * density)
