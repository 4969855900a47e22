"""The area under the ROC curve of voxel logits, from histograms that can be added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHANCE_AUC = 0.5
"""Of logits that say nothing."""

BINS = 8192
LIMIT = 16.0
"""Logits beyond +-16 (probabilities within 1.2e-7 of 0 or 1) share the outermost bins."""


@dataclass(frozen=True)
class LogitHistogram:
    """How many voxels of object and of background have logits in each of `BINS` equal bins.

    Attributes:
        counts: (2, BINS) int64; background, object. Rising logits.
    """

    counts: np.ndarray

    @classmethod
    def empty(cls) -> LogitHistogram:
        """Counts of no voxels."""
        return cls(np.zeros((2, BINS), np.int64))

    @classmethod
    def of_canvas(
        cls, logits: np.ndarray, is_object: np.ndarray, labeled: np.ndarray | None = None
    ) -> LogitHistogram:
        """Count voxels.

        Args:
            logits: (z, y, x) float predicted logits; one that is not a number counts as lowest.
            is_object: (z, y, x) bool truth.
            labeled: (z, y, x) bool; other voxels do not count. None: all do.
        """
        if labeled is not None:
            logits, is_object = logits[labeled], is_object[labeled]
        clipped = np.nan_to_num(logits.ravel(), nan=-LIMIT).clip(-LIMIT, LIMIT)
        bins = ((clipped + LIMIT) * (BINS / (2 * LIMIT))).astype(np.int64).clip(0, BINS - 1)
        both = np.bincount(bins + BINS * is_object.ravel(), minlength=2 * BINS)
        return cls(both.reshape(2, BINS))

    def __add__(self, other: LogitHistogram) -> LogitHistogram:
        return LogitHistogram(self.counts + other.counts)

    @property
    def auc(self) -> float | None:
        """Chance that a random object voxel has a higher logit than a random background voxel.

        Voxels in the same bin count as equal, one half (Mann and Whitney 1947): the result is off
        by at most half the chance that a pair falls into one bin. None unless there are both.
        """
        background, objects = self.counts.astype(np.float64)
        pairs = background.sum() * objects.sum()
        if not pairs:
            return None
        below = np.cumsum(background) - background
        return float(objects @ (below + background / 2) / pairs)
