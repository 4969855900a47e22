"""Logical nodes and the processes that carry them."""

from __future__ import annotations

from dataclasses import dataclass

from ffn_core.errors import InputError


@dataclass(frozen=True)
class NodeGroup:
    """``nodes`` logical nodes carried by ``ranks`` processes, each by exactly one.

    A node has its own example streams and random state, and a step averages over all nodes, so
    the training trajectory depends on ``nodes`` alone.
    """

    nodes: int
    ranks: int

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.ranks < 1:
            raise InputError(
                f"cluster.nodes={self.nodes} and cluster.ranks={self.ranks} must be at least 1"
            )
        if self.nodes % self.ranks:
            raise InputError(
                f"cluster.nodes={self.nodes} is not divisible by cluster.ranks={self.ranks}: "
                "every rank must carry the same number of nodes"
            )

    @property
    def emulated(self) -> bool:
        """Whether a process carries more than one node, so that cluster times are not measured."""
        return self.ranks < self.nodes

    @property
    def nodes_per_rank(self) -> int:
        """Nodes each process carries."""
        return self.nodes // self.ranks

    def nodes_of(self, rank: int) -> range:
        """The nodes carried by ``rank``, a contiguous block."""
        return range(rank * self.nodes_per_rank, (rank + 1) * self.nodes_per_rank)
