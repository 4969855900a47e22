"""How many voxels two segmentations have in common, for each pair of ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contingency:
    """The non-empty cells of a contingency table.

    Attributes:
        first: (n,) ids in the first segmentation.
        second: (n,) ids in the second.
        voxels: (n,) int64 number of voxels that have both.
    """

    first: np.ndarray
    second: np.ndarray
    voxels: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray) -> Contingency:
        """Count two integer arrays of one shape, with ids of any size; sorted by id."""
        first_ids, second_ids, pair = _numbered(first, second)
        pairs, voxels = np.unique(pair, return_counts=True)
        rows, columns = np.divmod(pairs, max(len(second_ids), 1))
        return cls(first_ids[rows], second_ids[columns], voxels.astype(np.int64))

    @classmethod
    def total(cls, tables: Iterable[Contingency]) -> Contingency:
        """The table of all voxels of disjoint parts, from the table of each; sorted by id.

        Takes the tables one by one: the parts need not be in memory together.
        """
        waiting: list[Contingency] = []
        cells = 0
        for table in tables:
            waiting.append(table)
            cells += len(table.voxels)
            # Only once the cells have doubled: adding a part costs no more than its own cells.
            if cells > 2 * len(waiting[0].voxels):
                waiting = [_added(waiting)]
                cells = len(waiting[0].voxels)
        if not waiting:
            return cls(*(np.empty(0, np.int64) for _ in range(3)))
        return _added(waiting)

    def where(self, keep: np.ndarray) -> Contingency:
        """The cells where the (n,) bool array ``keep`` is True."""
        return Contingency(self.first[keep], self.second[keep], self.voxels[keep])

    def totals(self) -> tuple[np.ndarray, np.ndarray]:
        """For each cell, the voxels of its first id and of its second id: two (n,) int64."""
        return _totals(self.first, self.voxels), _totals(self.second, self.voxels)


def _numbered(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ids of both, sorted, and for each element the number of its pair.

    Counted densely, a pair fits into one integer whatever the ids are.
    """
    first_ids, a = np.unique(first, return_inverse=True)
    second_ids, b = np.unique(second, return_inverse=True)
    return first_ids, second_ids, a.ravel() * len(second_ids) + b.ravel()


def _added(tables: list[Contingency]) -> Contingency:
    first = np.concatenate([table.first for table in tables])
    second = np.concatenate([table.second for table in tables])
    first_ids, second_ids, pair = _numbered(first, second)
    pairs, cell = np.unique(pair, return_inverse=True)
    voxels = np.zeros(len(pairs), np.int64)
    np.add.at(voxels, cell, np.concatenate([table.voxels for table in tables]))
    rows, columns = np.divmod(pairs, max(len(second_ids), 1))
    return Contingency(first_ids[rows], second_ids[columns], voxels)


def _totals(ids: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    _, index = np.unique(ids, return_inverse=True)
    sums = np.zeros(len(ids), np.int64)
    np.add.at(sums, index, voxels)
    return sums[index]
