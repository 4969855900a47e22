"""Micro-batches: windows of several streams gathered into arrays, predictions scattered back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ffn_core.geometry import Zyx
from ffn_core.training.examples import Canvas, Window
from ffn_core.training.noise_scale import first_group


class MicroBatch:
    """Reused arrays for ``size`` FOVs.

    Attributes:
        image: (size, z, y, x, 1) float32.
        seed: (size, z, y, x, 1) float32 logits.
        is_object: (size, z, y, x, 1) bool.
        labeled: (size, z, y, x, 1) bool, where truth is known; None where it is everywhere.
    """

    def __init__(self, size: int, fov_zyx: Zyx, partly_labeled: bool = False) -> None:
        shape = (size, *fov_zyx, 1)
        self.image = np.zeros(shape, np.float32)
        self.seed = np.zeros(shape, np.float32)
        self.is_object = np.zeros(shape, bool)
        self.labeled = np.zeros(shape, bool) if partly_labeled else None

    def gather(self, views: Sequence[tuple[Canvas, Window]]) -> None:
        """Copy the FOV of each (canvas, window) into row 0, 1, ..."""
        for row, (canvas, window) in enumerate(views):
            self.image[row, ..., 0] = canvas.image[window]
            self.seed[row, ..., 0] = canvas.seed[window]
            self.is_object[row, ..., 0] = canvas.is_object[window]
            if self.labeled is not None:
                known = canvas.labeled
                self.labeled[row, ..., 0] = True if known is None else known[window]

    def rows(self, count: int) -> tuple[np.ndarray, ...]:
        """The first ``count`` rows of all arrays there are, in the order of the attributes."""
        arrays = (self.image, self.seed, self.is_object, self.labeled)
        return tuple(array[:count] for array in arrays if array is not None)


def micro_batch_size(streams_per_rank: int, streams_total: int, at_most: int) -> int:
    """Largest size up to ``at_most`` of which a rank's share is a multiple.

    Nor does a micro-batch lie across the border between the two groups of a step's streams whose
    gradients the noise scale compares: it divides the first group too.
    """
    share = math.gcd(streams_per_rank, first_group(streams_total))
    return max(d for d in range(1, min(at_most, share) + 1) if share % d == 0)
