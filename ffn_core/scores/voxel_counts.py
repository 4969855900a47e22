"""Voxel counts of predicted against true object masks, and the rates made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffn_core.metric_names import RATES, score_metric


@dataclass(frozen=True)
class VoxelCounts:
    """Confusion counts; adding two of them pools their voxels."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0
    canvases: int = 0

    @classmethod
    def of_canvas(
        cls,
        logits: np.ndarray,
        is_object: np.ndarray,
        threshold: float,
        labeled: np.ndarray | None = None,
    ) -> VoxelCounts:
        """Count one finished canvas.

        Args:
            logits: (z, y, x) float predicted logits.
            is_object: (z, y, x) bool truth.
            threshold: a voxel is predicted object where its logit reaches this value.
            labeled: (z, y, x) bool; other voxels do not count. None: all do.
        """
        if labeled is not None:
            logits, is_object = logits[labeled], is_object[labeled]
        predicted = logits >= threshold
        positive = int(np.count_nonzero(predicted))
        actual = int(np.count_nonzero(is_object))
        both = int(np.count_nonzero(predicted & is_object))
        return cls(both, positive - both, actual - both, logits.size - positive - actual + both, 1)

    def __add__(self, other: VoxelCounts) -> VoxelCounts:
        return VoxelCounts.from_array(self.as_array() + other.as_array())

    def as_array(self) -> np.ndarray:
        """The five counts as int64, for sums across ranks."""
        return np.array(
            [
                self.true_positive,
                self.false_positive,
                self.false_negative,
                self.true_negative,
                self.canvases,
            ],
            dtype=np.int64,
        )

    @classmethod
    def from_array(cls, counts: np.ndarray) -> VoxelCounts:
        """Inverse of `as_array`."""
        return cls(*(int(c) for c in counts))

    @property
    def precision(self) -> float:
        """Share tp / (tp + fp); 0 where nothing was predicted."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share tp / (tp + fn); 0 where there was nothing to find."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """The value 2 tp / (2 tp + fp + fn), the harmonic mean of precision and recall."""
        wrong = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)

    @property
    def accuracy(self) -> float:
        """The share (tp + tn) / all voxels."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)

    def rates(self, scored: str) -> dict[str, float]:
        """Metrics of ``scored``, one for each of `RATES`; empty before the first canvas."""
        if not self.canvases:
            return {}
        return {score_metric(scored, name): getattr(self, name) for name in RATES}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
