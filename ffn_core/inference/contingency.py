"""How many voxels two segmentations have in common, for each pair of ids."""

from __future__ import annotations

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
        first_ids, a = np.unique(first, return_inverse=True)
        second_ids, b = np.unique(second, return_inverse=True)
        # Numbered densely, a pair fits into one integer whatever the ids are.
        pairs, voxels = np.unique(a.ravel() * len(second_ids) + b.ravel(), return_counts=True)
        rows, columns = np.divmod(pairs, max(len(second_ids), 1))
        return cls(first_ids[rows], second_ids[columns], voxels.astype(np.int64))

    def where(self, keep: np.ndarray) -> Contingency:
        """The cells where the (n,) bool array ``keep`` is True."""
        return Contingency(self.first[keep], self.second[keep], self.voxels[keep])

    def totals(self) -> tuple[np.ndarray, np.ndarray]:
        """For each cell, the voxels of its first id and of its second id: two (n,) int64."""
        return _totals(self.first, self.voxels), _totals(self.second, self.voxels)


def _totals(ids: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    _, index = np.unique(ids, return_inverse=True)
    sums = np.zeros(len(ids), np.int64)
    np.add.at(sums, index, voxels)
    return sums[index]
