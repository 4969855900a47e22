"""Micro-batches: windows of several streams gathered into arrays, predictions scattered back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffn_core.geometry import Zyx
from ffn_core.training.examples import Canvas, Window


class MicroBatch:
    """Reused arrays for ``size`` FOVs.

    Attributes:
        image: (size, z, y, x, 1) float32.
        seed: (size, z, y, x, 1) float32 logits.
        is_object: (size, z, y, x, 1) bool.
    """

    def __init__(self, size: int, fov_zyx: Zyx) -> None:
        shape = (size, *fov_zyx, 1)
        self.image = np.zeros(shape, np.float32)
        self.seed = np.zeros(shape, np.float32)
        self.is_object = np.zeros(shape, bool)

    def gather(self, views: Sequence[tuple[Canvas, Window]]) -> None:
        """Copy the FOV of each (canvas, window) into row 0, 1, ..."""
        for row, (canvas, window) in enumerate(views):
            self.image[row, ..., 0] = canvas.image[window]
            self.seed[row, ..., 0] = canvas.seed[window]
            self.is_object[row, ..., 0] = canvas.is_object[window]


def micro_batch_size(streams_per_rank: int, streams_total: int, at_most: int) -> int:
    """Largest divisor of ``streams_per_rank`` that is at most ``at_most``.

    It is also kept below ``streams_total`` where possible, because the gradient noise scale
    compares the gradients of micro-batches with that of the whole batch.
    """
    limit = min(at_most, max(1, streams_total - 1))
    return max(d for d in range(1, min(limit, streams_per_rank) + 1) if streams_per_rank % d == 0)
