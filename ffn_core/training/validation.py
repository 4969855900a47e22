"""Scores of the network on a fixed list of held-out canvases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ffn_core.training.batches import MicroBatch
from ffn_core.training.examples import Canvas, CanvasSource, Window
from ffn_core.training.voxel_counts import VoxelCounts

Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(image, seed, is_object) of a batch -> (logits, loss of each FOV)."""


@dataclass(frozen=True)
class Score:
    """Sums over canvases; adding two pools them.

    Attributes:
        counts: voxels of the finished canvases.
        loss_sum: sum of the FOVs' losses.
        fovs: FOVs visited.
    """

    counts: VoxelCounts
    loss_sum: float
    fovs: int

    def as_array(self) -> np.ndarray:
        """All sums as float64, exact below 2^53, for sums across ranks."""
        return np.array([*self.counts.as_array(), self.loss_sum, self.fovs], np.float64)

    @classmethod
    def from_array(cls, sums: np.ndarray) -> Score:
        """Inverse of `as_array`."""
        return cls(VoxelCounts.from_array(sums[:-2]), float(sums[-2]), int(sums[-1]))

    def rates(self) -> dict[str, float]:
        """Metrics under ``validation/``."""
        rates = self.counts.rates("validation")
        if self.fovs:
            rates["validation/loss"] = self.loss_sum / self.fovs
        return rates


def held_out_canvases(source: CanvasSource, seed: int, indices: Sequence[int]) -> list[Canvas]:
    """Draw the canvases numbered ``indices`` of the list that ``seed`` stands for.

    Each has its own random state, so that any rank can draw its share and the list stays the same
    however it is shared. ``source`` should neither augment nor shuffle.
    """
    return [
        source.draw(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,))))
        for index in indices
    ]


def evaluate(
    predict: Predict, canvases: Sequence[Canvas], batch_size: int, threshold: float
) -> Score:
    """Flood each canvas to its end, several at a time, without touching the weights.

    Args:
        predict: the network's forward pass with the loss.
        canvases: fresh ones; their seeds are filled.
        batch_size: FOVs per forward pass; a finished canvas makes room for the next.
        threshold: logit from which a voxel counts as object.
    """
    if not canvases:
        return Score(VoxelCounts(), 0.0, 0)
    batch = MicroBatch(batch_size, canvases[0].geometry.fov_zyx)
    waiting = list(canvases)[::-1]
    active: list[tuple[Canvas, Window]] = []
    counts, loss_sum, fovs = VoxelCounts(), 0.0, 0
    while waiting or active:
        while waiting and len(active) < batch_size:
            canvas = waiting.pop()
            active.append((canvas, canvas.first_window()))
        batch.gather(active)
        # Rows past the active ones repeat old data: one batch shape means one compiled graph.
        logits, losses = predict(batch.image, batch.seed, batch.is_object)
        loss_sum += float(losses[: len(active)].sum())
        fovs += len(active)
        going_on = []
        for row, (canvas, window) in enumerate(active):
            canvas.seed[window] = logits[row, ..., 0]
            following = canvas.next_window()
            if following is None:
                counts += VoxelCounts.of_canvas(canvas.seed, canvas.is_object, threshold)
            else:
                going_on.append((canvas, following))
        active = going_on
    return Score(counts, loss_sum, fovs)
