"""Scores of the network on a fixed list of held-out canvases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ffn_core.metric_names import LOSS, score_metric
from ffn_core.movement import FixedMovement, Movement
from ffn_core.scores.roc import LogitHistogram
from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.training.batches import MicroBatch
from ffn_core.training.examples import Canvas, CanvasSource, Window

Predict = Callable[..., tuple[np.ndarray, np.ndarray]]
"""(image, seed, is_object) of a batch, and labeled if not all is -> (logits, loss of each FOV)."""

HALF = 0.0
"""Logit of probability 0.5."""

_COUNTS = 5
"""Numbers in `VoxelCounts.as_array`."""


@dataclass(frozen=True)
class Score:
    """Sums over canvases; adding the arrays of two pools them.

    Attributes:
        published: voxels of canvases moved and counted at the published threshold.
        loss_sum: sum of the losses of the FOVs visited meanwhile,
        fovs: and how many these were, each counted by the share of its voxels that are labeled.
        half: voxels of canvases moved and counted at probability 0.5.
        logits: of canvases moved by the true labels.
    """

    published: VoxelCounts
    loss_sum: float
    fovs: float
    half: VoxelCounts
    logits: LogitHistogram

    def as_array(self) -> np.ndarray:
        """All sums as float64, exact below 2^53 but for the loss, for sums across ranks."""
        counts = [*self.published.as_array(), *self.half.as_array()]
        return np.array([*counts, self.loss_sum, self.fovs, *self.logits.counts.ravel()])

    @classmethod
    def from_array(cls, sums: np.ndarray) -> Score:
        """Inverse of `as_array`."""
        published, half, losses, logits = np.split(sums, np.cumsum([_COUNTS, _COUNTS, 2]))
        return cls(
            VoxelCounts.from_array(published),
            float(losses[0]),
            float(losses[1]),
            VoxelCounts.from_array(half),
            LogitHistogram(logits.astype(np.int64).reshape(2, -1)),
        )

    def rates(self, scored: str) -> dict[str, float]:
        """Metrics of ``scored``: what the canvases there were allow to be measured."""
        rates = self.published.rates(scored)
        if self.fovs:
            rates[score_metric(scored, LOSS)] = self.loss_sum / self.fovs
        if self.half.canvases:
            rates[score_metric(scored, "f1_half")] = self.half.f1
        if (auc := self.logits.auc) is not None:
            rates[score_metric(scored, "auc")] = auc
        return rates

    @property
    def baseline_f1(self) -> float:
        """F1 of calling every voxel of the canvases object; 2 q / (1 + q) for a share q of it."""
        counts = self.published
        objects = counts.true_positive + counts.false_negative
        background = counts.false_positive + counts.true_negative
        return VoxelCounts(true_positive=objects, false_positive=background).f1


def held_out_canvases(
    sources: Sequence[CanvasSource], seed: int, indices: Sequence[int]
) -> list[Canvas]:
    """Draw the canvases numbered ``indices`` of the list that ``seed`` stands for.

    The list takes from the sources in turn. Each canvas has its own random state, so that any rank
    can draw its share and the list stays the same however it is shared. Sources should neither
    augment nor shuffle.
    """
    return [
        sources[index % len(sources)].draw(
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        )
        for index in indices
    ]


def moved_at(canvas: Canvas, threshold: float) -> Canvas:
    """A canvas like a fresh one, whose FOV moves in fixed order to logits from a threshold on."""
    order = np.arange(len(canvas.geometry.shifts_zyx))
    return _again(canvas, FixedMovement(canvas.geometry, threshold, order))


def moved_by_truth(canvas: Canvas) -> Canvas:
    """A canvas like a fresh one, whose FOV visits in fixed order the centers that are object."""
    radius = np.array(canvas.geometry.canvas_radius_zyx)
    centers = radius + np.array(canvas.geometry.shifts_zyx).reshape(-1, 3)
    order = np.flatnonzero(canvas.is_object[tuple(centers.T)])
    return _again(canvas, FixedMovement(canvas.geometry, -np.inf, order))


def _again(canvas: Canvas, movement: Movement) -> Canvas:
    return Canvas(
        canvas.image,
        canvas.is_object,
        canvas.seed.copy(),
        movement,
        canvas.geometry,
        canvas.labeled,
    )


def flood(
    predict: Predict, canvases: Sequence[Canvas], batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fill each canvas to its end, several at a time, without touching the weights.

    Args:
        predict: the network's forward pass with the loss.
        canvases: fresh ones; their seeds are filled.
        batch_size: most FOVs per forward pass; a finished canvas makes room for the next.

    Returns:
        For each canvas the sum of the losses of its FOVs, and how many it had, each counted by the
        share of its voxels that are labeled; (n,) each.
    """
    loss_sums, fovs = np.zeros(len(canvases)), np.zeros(len(canvases))
    if not canvases:
        return loss_sums, fovs
    partly = any(canvas.labeled is not None for canvas in canvases)
    batch = MicroBatch(batch_size, canvases[0].geometry.fov_zyx, partly)
    waiting = list(range(len(canvases)))[::-1]
    active: list[tuple[int, Window]] = []
    while waiting or active:
        while waiting and len(active) < batch_size:
            index = waiting.pop()
            active.append((index, canvases[index].first_window()))
        batch.gather([(canvases[index], window) for index, window in active])
        logits, losses = predict(*batch.rows(len(active)))
        unfinished = []
        for row, (index, window) in enumerate(active):
            canvas = canvases[index]
            canvas.seed[window] = logits[row, ..., 0]
            loss_sums[index] += losses[row]
            fovs[index] += 1 if canvas.labeled is None else canvas.labeled[window].mean()
            if (following := canvas.next_window()) is not None:
                unfinished.append((index, following))
        active = unfinished
    return loss_sums, fovs


def evaluate(
    predict: Predict,
    canvases: Sequence[Canvas],
    batch_size: int,
    threshold: float,
    subset: Sequence[Canvas] = (),
) -> Score:
    """Fill the canvases, a part of them in two further ways, and pool the counts.

    Args:
        predict: the network's forward pass with the loss.
        canvases: fresh ones, moved at ``threshold``; their seeds are filled.
        batch_size: most FOVs per forward pass.
        threshold: logit from which a voxel counts as object.
        subset: fresh ones that are also moved at probability 0.5 and by the true labels, which
            takes two to three times as many FOVs each.
    """
    halves = [moved_at(canvas, HALF) for canvas in subset]
    guided = [moved_by_truth(canvas) for canvas in subset]
    # All at once, longest first: the fewer forward passes are left with few rows at the end.
    loss_sums, fovs = flood(predict, [*guided, *halves, *canvases], batch_size)
    first = 2 * len(subset)
    return Score(
        _counts(canvases, threshold),
        float(loss_sums[first:].sum()),
        float(fovs[first:].sum()),
        _counts(halves, HALF),
        sum(
            (LogitHistogram.of_canvas(c.seed, c.is_object, c.labeled) for c in guided),
            LogitHistogram.empty(),
        ),
    )


def _counts(canvases: Sequence[Canvas], threshold: float) -> VoxelCounts:
    counts = (VoxelCounts.of_canvas(c.seed, c.is_object, threshold, c.labeled) for c in canvases)
    return sum(counts, VoxelCounts())
