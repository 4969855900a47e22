"""Segmentation against ground truth: adapted Rand error and variation of information.

Expected run length (Januszewski et al. 2018) is left out on purpose: it is an average over path
length of true skeletons, which label volumes do not have. An average over voxels instead would be
ruled by the thickest neurites and bear the name of a number it cannot be compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, to_zyx
from ffn_core.inference.contingency import Contingency
from ffn_core.volumes import IDS, Volume, iter_blocks

_BLOCK_BYTES: Final = 16 * 1024**2
"""Counting takes some 12 times as much memory as the block it counts."""


@dataclass(frozen=True)
class Agreement:
    """How well two partitions of the same voxels agree.

    Attributes:
        are: Adapted Rand error, 1 - 2 PR / (P + R); 0 is perfect.
        precision: P, the share of voxel pairs joined by the segmentation that truly belong
            together. Merge errors lower it.
        recall: R, the share of voxel pairs that belong together which the segmentation joins.
            Split errors lower it.
        voi_split: H(segmentation | truth) in bits; 0 without split errors.
        voi_merge: H(truth | segmentation) in bits; 0 without merge errors.
        voxels: How many voxels were compared.
    """

    are: float
    precision: float
    recall: float
    voi_split: float
    voi_merge: float
    voxels: int

    @property
    def voi(self) -> float:
        """Variation of information, the sum of its two parts, in bits."""
        return self.voi_split + self.voi_merge


@dataclass(frozen=True)
class Evaluation:
    """Scores of a segmentation over the foreground, the voxels that have a true id.

    Attributes:
        foreground: All foreground voxels; those the segmentation left at 0 count as one more
            segment, as in scikit-image with ``ignore_labels=(0,)`` and in CREMI.
        assigned: Only foreground voxels to which the segmentation gave an id.
        coverage: Share of foreground voxels to which the segmentation gave an id.
        truth_objects: Ids in the truth.
        segments: Ids in the segmentation.
    """

    foreground: Agreement
    assigned: Agreement
    coverage: float
    truth_objects: int
    segments: int


def evaluate(truth: np.ndarray, segmentation: np.ndarray) -> Evaluation:
    """Compare two (z, y, x) id volumes of one shape; 0 is background in both.

    Raises:
        InputError: The shapes differ, the truth has no foreground, or an id is below 0.
    """
    if truth.shape != segmentation.shape:
        raise InputError(
            f"ground truth of shape {truth.shape} does not match the segmentation's"
            f" {segmentation.shape}; both must cover the same voxels"
        )
    IDS.require(truth, (0, 0, 0), "ground truth")
    IDS.require(segmentation, (0, 0, 0), "segmentation")
    return _evaluate(Contingency.of(truth, segmentation))


def evaluate_volumes(
    truth: Volume,
    segmentation: Volume,
    start_zyx: Zyx = (0, 0, 0),
    block_bytes: int = _BLOCK_BYTES,
) -> Evaluation:
    """Compare volumes of any size, block by block; the numbers are those of `evaluate`.

    Args:
        truth: True ids, 0 = background.
        segmentation: Ids, 0 = none.
        start_zyx: The segmentation's first voxel in the truth.
        block_bytes: About how much of the segmentation is in memory at a time.

    Raises:
        InputError: The truth ends before the segmentation, has no foreground there, or an id is
            below 0.
    """
    for start, extent, limit in zip(
        start_zyx, segmentation.shape_zyx, truth.shape_zyx, strict=True
    ):
        if start < 0 or start + extent > limit:
            raise InputError(
                f"the segmentation's {segmentation.shape_zyx} voxels from {start_zyx} on do not lie"
                f" in the ground truth {truth.source} of {truth.shape_zyx} (zyx)"
            )

    def table(corner: Zyx, ids: np.ndarray) -> Contingency:
        place = to_zyx(a + b for a, b in zip(start_zyx, corner, strict=True))
        true_ids = truth.read(place, to_zyx(ids.shape))
        IDS.require(true_ids, place, truth.source)
        return Contingency.of(true_ids, ids)

    blocks = iter_blocks(segmentation, block_bytes, rule=IDS)
    return _evaluate(Contingency.total(table(corner, ids) for corner, ids in blocks))


def _evaluate(table: Contingency) -> Evaluation:
    segments = int(np.unique(table.second[table.second != 0]).size)
    table = table.where(table.first != 0)
    if not len(table.voxels):
        raise InputError("the ground truth is background (0) everywhere in this region")
    assigned = table.where(table.second != 0)
    return Evaluation(
        foreground=agreement(table),
        assigned=agreement(assigned),
        coverage=int(assigned.voxels.sum()) / int(table.voxels.sum()),
        truth_objects=int(np.unique(table.first).size),
        segments=segments,
    )


def agreement(table: Contingency) -> Agreement:
    """Score a contingency table of truth (first) and segmentation (second).

    Rand: Arganda-Carreras et al. 2015, over pairs of different voxels. VOI: Meila 2007, base 2.
    Without a voxel, or without a pair, to compare, the rates concerned are 1 and the errors 0.
    """
    n = int(table.voxels.sum())
    true_sizes, segment_sizes = table.totals()
    joint = table.voxels.astype(np.float64)
    # The sum over objects of size², written as a sum over cells; n pairs are a voxel with itself.
    both = float(joint @ joint) - n
    in_segments = float(joint @ segment_sizes) - n
    in_truth = float(joint @ true_sizes) - n
    precision = both / in_segments if in_segments else 1.0
    recall = both / in_truth if in_truth else 1.0
    mean = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Agreement(
        are=1.0 - mean,
        precision=precision,
        recall=recall,
        voi_split=_conditional_entropy(joint, true_sizes),
        voi_merge=_conditional_entropy(joint, segment_sizes),
        voxels=n,
    )


def _conditional_entropy(joint: np.ndarray, given: np.ndarray) -> float:
    """Entropy in bits of the cells within the groups whose sizes are ``given``."""
    if not len(joint):
        return 0.0
    return float(joint @ np.log2(given / joint) / joint.sum())
