"""The voxels of one partition class, gathered block by block in bounded memory."""

import math

import numpy as np

from ffn_core.geometry import Zyx

MOST_PER_CLASS = 4_000_000
"""Far more canvases than a training run draws; 13 classes of them take 416 MB at the most."""

_SECTIONS = 16
"""Sections that are handled at a time; keeps index arrays small."""


class ClassCollector:
    """Flat indices of voxels, at most ``most`` of them.

    Beyond that the voxels with the smallest hashes stay: an even draw that depends neither on the
    order nor on the size of the blocks.
    """

    def __init__(self, shape_zyx: Zyx, most: int = MOST_PER_CLASS) -> None:
        self._shape_zyx = shape_zyx
        self._most = most
        self._index_type = np.min_scalar_type(math.prod(shape_zyx) - 1)
        self._parts: list[np.ndarray] = []
        self._count = 0

    def add(self, start_zyx: Zyx, member: np.ndarray) -> None:
        """Add the voxels of the (z, y, x) bool array ``member``, which lies at ``start_zyx``."""
        z, y, x = start_zyx
        for first in range(0, len(member), _SECTIONS):
            self._add_sections((z + first, y, x), member[first : first + _SECTIONS])

    def _add_sections(self, start_zyx: Zyx, member: np.ndarray) -> None:
        inside = np.unravel_index(np.flatnonzero(member), member.shape)
        places = tuple(p + start for p, start in zip(inside, start_zyx, strict=True))
        indices = np.ravel_multi_index(places, self._shape_zyx).astype(self._index_type)
        if len(indices):
            self._parts.append(indices)
            self._count += len(indices)
        if self._count > 2 * self._most:
            self._thin()

    def indices(self) -> np.ndarray:
        """The indices kept, ascending, in the smallest unsigned type that holds the volume's."""
        if self._count > self._most:
            self._thin()
        return np.sort(np.concatenate([np.empty(0, self._index_type), *self._parts]))

    def _thin(self) -> None:
        indices = np.concatenate(self._parts)
        chosen = np.argpartition(_hash(indices), self._most - 1)[: self._most]
        self._parts, self._count = [indices[chosen]], self._most


def _hash(indices: np.ndarray) -> np.ndarray:
    """One-to-one scrambling of 64-bit integers (splitmix64, Steele et al. 2014)."""
    mixed = indices.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
