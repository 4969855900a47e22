"""Logical nodes and the processes that carry them."""

from __future__ import annotations

from dataclasses import dataclass

from ffn_core.errors import InputError


@dataclass(frozen=True)
class NodeGroup:
    """``nodes`` logical nodes carried by ``ranks`` processes, each by exactly one.

    A node has its own example streams and random state, and a step averages over all nodes, so
    the training trajectory depends on ``nodes`` alone. Ranks carry the same number of nodes, unless
    ``uneven`` allows numbers that differ by one: right all the same, but some ranks then wait.
    """

    nodes: int
    ranks: int
    uneven: bool = False

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.ranks < 1:
            raise InputError(
                f"cluster.nodes={self.nodes} and cluster.ranks={self.ranks} must be at least 1"
            )
        if self.uneven and self.ranks > self.nodes:
            raise InputError(
                f"cluster.ranks={self.ranks} is more than cluster.nodes={self.nodes}: "
                "a rank without a node would have nothing to do"
            )
        if self.nodes % self.ranks and not self.uneven:
            raise InputError(
                f"cluster.nodes={self.nodes} is not divisible by cluster.ranks={self.ranks}: "
                "every rank must carry the same number of nodes"
            )

    @property
    def emulated(self) -> bool:
        """Whether a process carries more than one node, so that cluster times are not measured."""
        return self.ranks < self.nodes

    @property
    def common_nodes(self) -> int:
        """Largest number of nodes that divides what each process carries."""
        # n and n + 1 have no common divisor but 1.
        return 1 if self.nodes % self.ranks else self.nodes // self.ranks

    def nodes_of(self, rank: int) -> range:
        """The nodes carried by ``rank``, a contiguous block; the first ranks have the one more."""
        each, more = divmod(self.nodes, self.ranks)
        start = rank * each + min(rank, more)
        return range(start, start + each + (rank < more))
