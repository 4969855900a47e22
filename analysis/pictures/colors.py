"""Colors of segments and true objects, the same for those that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colors

from ffn_core.inference.contingency import Contingency

Colors = Mapping[int, np.ndarray]
"""RGB (3 floats in 0..1) by id."""

_GOLDEN_RATIO = 0.6180339887498949


def spread_colors(ids: Sequence[int]) -> dict[int, np.ndarray]:
    """An RGB color (3 floats in 0..1) for each id, in order: hues far apart, none repeated."""
    rank = np.arange(len(ids))
    hues = (0.58 + rank * _GOLDEN_RATIO) % 1.0
    saturation = np.array([0.62, 0.45, 0.75])[rank % 3]
    value = np.array([0.95, 0.82])[rank % 2]
    rgb = colors.hsv_to_rgb(np.stack([hues, saturation, value], axis=1))
    return dict(zip(ids, rgb, strict=True))


def matching_colors(
    segmentation: np.ndarray, truth: np.ndarray | None
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Colors for two id volumes of one shape; 0 gets none.

    A segment has the color of the true object it shares most voxels with. Of several such
    segments only the one with the largest share does, the others (split off) get their own.

    Returns:
        Colors by segment, and by true object (empty without a truth).
    """
    if truth is None:
        return spread_colors(largest(segmentation)), {}
    table = Contingency.of(truth, segmentation)
    true_ids = largest(truth)
    segments = np.unique(table.second[table.second != 0])
    table = table.where((table.first != 0) & (table.second != 0))
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for cell in np.argsort(-table.voxels, kind="stable"):
        true_id, segment = int(table.first[cell]), int(table.second[cell])
        # Seen from the largest overlap down, a segment's first cell is its best object.
        if segment not in partner:
            partner[segment] = 0 if true_id in taken else true_id
            taken.add(true_id)
    own = [-int(s) for s in segments if not partner.get(int(s), 0)]
    palette = spread_colors([*true_ids, *own])
    by_segment = {int(s): palette[partner.get(int(s), 0) or -int(s)] for s in segments}
    return by_segment, {true_id: palette[true_id] for true_id in true_ids}


def largest(ids: np.ndarray, count: int | None = None) -> list[int]:
    """The ``count`` ids with the most voxels, largest first; all by default."""
    names, voxels = np.unique(ids[ids != 0], return_counts=True)
    return [int(n) for n in names[np.argsort(-voxels, kind="stable")][:count]]
