"""Subvolume segmentations put together into one, in which ids are connected components."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import cc3d
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ffn_core.geometry import Box
from ffn_core.inference.contingency import Contingency
from ffn_core.inference.subvolumes import Grid, Seam, Subvolume


def join(pairs: np.ndarray, strengths: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Group nodes along edges, the strongest first, as long as owners stay distinct.

    An edge that would bring two nodes of one owner into a group is left out. So what a subvolume
    (the owner) kept apart stays apart, also around a cycle of subvolumes, and of such a cycle the
    weakest link breaks.

    Args:
        pairs: (n, 2) int64 edges between nodes.
        strengths: (n,) float; of equal ones the first in ``pairs`` goes first.
        owners: (nodes,) int64.

    Returns:
        (nodes,) int64 group of each node: 0, 1, ... in the order of their first nodes.
    """
    parent = np.arange(len(owners))
    members = {node: {int(owners[node])} for node in np.unique(pairs).tolist()}

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = int(parent[node])
        return node

    for edge in np.argsort(-strengths, kind="stable"):
        small, large = (root(int(node)) for node in pairs[edge])
        if small == large or not members[small].isdisjoint(members[large]):
            continue
        if len(members[small]) > len(members[large]):
            small, large = large, small
        parent[small] = large
        members[large] |= members.pop(small)
    return renumber(np.array([root(node) for node in range(len(owners))], np.int64))


def renumber(names: np.ndarray) -> np.ndarray:
    """(n,) names as int64 0, 1, ... in the order of their first occurrence."""
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


Read = Callable[[int], np.ndarray]
Write = Callable[[Box, np.ndarray], None]

_CONNECTIVITY: Final = 6
DEFAULT_MIN_IOU = 0.5


def reconcile(
    grid: Grid,
    read: Read,
    write: Write,
    min_size: int,
    min_iou: float = DEFAULT_MIN_IOU,
    removed: Callable[[np.ndarray], object] = lambda _: None,
) -> int:
    """Merge the segmentations of all subvolumes; at most two of them are in use at a time.

    Two objects of neighboring subvolumes become one if, in the middle of the overlap, each is
    the other's largest partner and their intersection over union reaches ``min_iou``; except
    where that would join two objects that one subvolume kept apart (`join`). Each voxel takes the
    id its subvolume gave it where it is in the subvolume's core. At last every id is split into
    its face-connected components, and components below ``min_size`` are removed.

    Args:
        grid: The subvolumes.
        read: Gives the (z, y, x) labels of subvolume i, 0 = none, the same at every call. Each is
            asked for several times; if ``read`` keeps the last two, none is loaded more than six
            times.
        write: Takes the (z, y, x) uint32 ids of each core in turn; 1, 2, ... without gaps.
        min_size: Smallest component in voxels.
        min_iou: Between 0 and 1; lower joins more, at the risk of merging neurons.
        removed: Takes the (n,) int64 voxels of the components that were removed.

    Returns:
        Number of ids.
    """
    object_of = _join_objects(grid, read, min_iou)

    def core(subvolume: Subvolume) -> np.ndarray:
        inside = read(subvolume.index)[subvolume.core.slices_in(subvolume.box)]
        return object_of[subvolume.index][inside]

    number_of, small = _number_components(*_survey(grid, core), min_size)
    removed(small)
    for subvolume in grid.subvolumes:
        write(subvolume.core, number_of[subvolume.index][_components(core(subvolume))])
    return int(max(numbers.max() for numbers in number_of))


def _join_objects(grid: Grid, read: Read, min_iou: float) -> list[np.ndarray]:
    """For each subvolume a uint32 table: label -> object of the whole region, 0 -> 0."""
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
    return _tables(objects, offsets)


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


def _survey(
    grid: Grid, core: Callable[[Subvolume], np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Sizes of the components of each core, and which of them touch across seams.

    Of a core only the faces are kept that a following one has yet to be compared with.

    Returns:
        For each core the (components,) int64 sizes in voxels, and (n, 2) int64 pairs of components,
        numbered from 0 through all cores.
    """
    before, after = defaultdict[int, list[Seam]](list), defaultdict[int, list[Seam]](list)
    for seam in grid.seams():
        before[seam.high].append(seam)
        after[seam.low].append(seam)
    sizes: list[np.ndarray] = []
    edges = [np.empty((0, 2), np.int64)]
    faces: dict[Seam, tuple[np.ndarray, np.ndarray]] = {}
    first = 0  # number of the core's first component
    for subvolume in grid.subvolumes:
        objects = core(subvolume)
        components = _components(objects)
        for seam in before[subvolume.index]:
            edges.append(_touching(faces.pop(seam), _face(objects, components, seam, 0, first)))
        for seam in after[subvolume.index]:
            faces[seam] = _face(objects, components, seam, -1, first)
        sizes.append(np.bincount(components.ravel())[1:])
        first += len(sizes[-1])
    return sizes, np.concatenate(edges)


def _face(
    objects: np.ndarray, components: np.ndarray, seam: Seam, end: int, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Objects and numbered components of the core's voxels at a seam; ``end`` is 0 or -1."""
    numbers = np.take(components, end, seam.axis).astype(np.int64) + (first - 1)
    return np.take(objects, end, seam.axis), numbers


def _touching(
    low: tuple[np.ndarray, np.ndarray], high: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """(n, 2) int64 pairs of components of one object that touch where two faces meet."""
    touching = (low[0] == high[0]) & (low[0] != 0)
    return np.unique(np.stack([low[1][touching], high[1][touching]], axis=1), axis=0)


def _components(objects: np.ndarray) -> np.ndarray:
    """Connected components of (z, y, x) objects, uint32 numbered from 1; 0 stays 0."""
    return cc3d.connected_components(objects, connectivity=_CONNECTIVITY, out_dtype=np.uint32)


def _number_components(
    sizes: list[np.ndarray], edges: np.ndarray, min_size: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """For each core a uint32 table: component -> id in the result; and sizes of those without."""
    offsets = np.concatenate([[0], np.cumsum([len(of_core) for of_core in sizes])])
    groups = _groups(edges, int(offsets[-1]))
    voxels = np.bincount(groups, weights=np.concatenate(sizes)).astype(np.int64)
    numbers = np.cumsum(voxels >= min_size) * (voxels >= min_size)
    return _tables(numbers[groups], offsets), voxels[voxels < min_size]


def _tables(values: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Parts of ``values`` as uint32, each with a 0 in front, for what is not numbered."""
    none = np.zeros(1, np.uint32)
    return [
        np.concatenate([none, values[first:last].astype(np.uint32)])
        for first, last in itertools.pairwise(offsets)
    ]


def _groups(edges: np.ndarray, count: int) -> np.ndarray:
    """Group of each of ``count`` nodes joined by (n, 2) edges, numbered by first member."""
    if not count:
        return np.empty(0, np.int64)
    graph = coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), (count, count))
    return renumber(connected_components(graph, directed=False)[1])
