"""Subvolume segmentations put together into one, in which ids are connected components."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cc3d
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ffn_core.inference.box import Box
from ffn_core.inference.contingency import Contingency
from ffn_core.inference.joining import join, renumber
from ffn_core.inference.subvolumes import Grid, Subvolume

Read = Callable[[int], np.ndarray]
Write = Callable[[Box, np.ndarray], None]

_CONNECTIVITY: Final = 6
DEFAULT_MIN_IOU = 0.5


def reconcile(
    grid: Grid, read: Read, write: Write, min_size: int, min_iou: float = DEFAULT_MIN_IOU
) -> int:
    """Merge the segmentations of all subvolumes; one of them is in memory at a time.

    Two objects of neighbouring subvolumes become one if, in the middle of the overlap, each is
    the other's largest partner and their intersection over union reaches ``min_iou``; except
    where that would join two objects that one subvolume kept apart (`join`). Each voxel takes the
    id its subvolume gave it where it is in the subvolume's core. At last every id is split into
    its face-connected components, and components below ``min_size`` are removed.

    Args:
        grid: The subvolumes.
        read: Gives the (z, y, x) labels of subvolume i, 0 = none, the same at every call.
        write: Takes the (z, y, x) uint32 ids of each core in turn; 1, 2, ... without gaps.
        min_size: Smallest component in voxels.
        min_iou: Between 0 and 1; lower joins more, at the risk of merging neurons.

    Returns:
        Number of ids.
    """
    object_of = _join_objects(grid, read, min_iou)
    cores = [_Core.of(sub, object_of[sub.index][read(sub.index)]) for sub in grid.subvolumes]
    number_of = _number_components(grid, cores, min_size)
    for subvolume in grid.subvolumes:
        components = _components(subvolume, object_of[subvolume.index][read(subvolume.index)])
        write(subvolume.core, number_of[subvolume.index][components])
    return int(max(numbers.max() for numbers in number_of))


def _join_objects(grid: Grid, read: Read, min_iou: float) -> list[np.ndarray]:
    """For each subvolume a table: label -> object of the whole region, 0 -> 0."""
    counts = [int(read(sub.index).max()) for sub in grid.subvolumes]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    edges, strengths = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for seam in grid.seams():
        sides = [(i, grid.subvolumes[i].box) for i in (seam.low, seam.high)]
        low, high = (read(i)[seam.slab.slices_in(box)] for i, box in sides)
        pairs, iou = matches(low, high, min_iou)
        edges.append(pairs - 1 + offsets[[seam.low, seam.high]])
        strengths.append(iou)
    owners = np.repeat(np.arange(len(counts)), counts)
    objects = join(np.concatenate(edges), np.concatenate(strengths), owners) + 1
    return [
        np.concatenate([[0], objects[first:last]]) for first, last in itertools.pairwise(offsets)
    ]


def matches(low: np.ndarray, high: np.ndarray, min_iou: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of labels that name one object.

    Each is the other's largest overlap (of equal ones, the lowest label), and the intersection
    over union is at least ``min_iou``.

    Returns:
        (n, 2) int64 labels in ``low`` and ``high``, and (n,) float64 intersection over union.
    """
    table = Contingency.of(low, high)
    low_sizes, high_sizes = table.totals()
    cells = np.flatnonzero((table.first != 0) & (table.second != 0))
    best_low: dict[int, int] = {}
    best_high: dict[int, int] = {}
    for cell in cells:
        for best, label in ((best_low, table.first[cell]), (best_high, table.second[cell])):
            if label not in best or table.voxels[cell] > table.voxels[best[label]]:
                best[label] = cell
    iou = table.voxels / (low_sizes + high_sizes - table.voxels)
    found = [
        cell
        for cell in cells
        if best_low[table.first[cell]] == cell == best_high[table.second[cell]]
        and iou[cell] >= min_iou
    ]
    pairs = np.stack([table.first[found], table.second[found]], axis=1).astype(np.int64)
    return pairs, iou[found]


@dataclass
class _Core:
    """What is remembered of a core: sizes of its components, and both at its six faces.

    ``faces[axis, end]`` holds (component, object) of each voxel; end 0 is the first section.
    """

    count: int
    sizes: np.ndarray
    faces: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of(cls, subvolume: Subvolume, objects: np.ndarray) -> _Core:
        components = _components(subvolume, objects)
        inside = objects[subvolume.core.slices_in(subvolume.box)]
        sizes = np.bincount(components.ravel())
        core = cls(len(sizes) - 1, sizes[1:])
        for axis in range(3):
            for end in (0, -1):
                face = np.take(components, end, axis), np.take(inside, end, axis)
                core.faces[axis, end] = face
        return core


def _components(subvolume: Subvolume, objects: np.ndarray) -> np.ndarray:
    """Connected components of the core, numbered from 1; 0 stays 0."""
    inside = np.ascontiguousarray(objects[subvolume.core.slices_in(subvolume.box)], np.int64)
    return cc3d.connected_components(inside, connectivity=_CONNECTIVITY, out_dtype=np.uint32)


def _number_components(grid: Grid, cores: list[_Core], min_size: int) -> list[np.ndarray]:
    """For each core a uint32 table: component -> id in the result."""
    offsets = np.concatenate([[0], np.cumsum([core.count for core in cores])])
    edges = [np.empty((0, 2), np.int64)]
    for seam in grid.seams():
        components, objects = cores[seam.low].faces[seam.axis, -1]
        following, following_objects = cores[seam.high].faces[seam.axis, 0]
        touching = (objects == following_objects) & (objects != 0)
        pairs = np.stack([components[touching], following[touching]], axis=1).astype(np.int64)
        edges.append(np.unique(pairs, axis=0) - 1 + offsets[[seam.low, seam.high]])
    groups = _groups(np.concatenate(edges), int(offsets[-1]))
    sizes = np.bincount(groups, weights=np.concatenate([core.sizes for core in cores]))
    numbers = np.cumsum(sizes >= min_size) * (sizes >= min_size)
    ids = numbers[groups].astype(np.uint32)
    return [
        np.concatenate([np.zeros(1, np.uint32), ids[first:last]])
        for first, last in itertools.pairwise(offsets)
    ]


def _groups(edges: np.ndarray, count: int) -> np.ndarray:
    """Group of each of ``count`` nodes joined by (n, 2) edges, numbered by first member."""
    if not count:
        return np.empty(0, np.int64)
    graph = coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), (count, count))
    return renumber(connected_components(graph, directed=False)[1])
