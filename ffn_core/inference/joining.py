"""Objects of neighbouring subvolumes joined across seams, never two of one subvolume."""

from __future__ import annotations

import numpy as np


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
