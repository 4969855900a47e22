"""Ranks and the collectives between them: the only module that imports Horovod."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Topology:
    """Where this process stands among the ranks."""

    rank: int
    size: int
    local_rank: int
    local_size: int


class Collectives:
    """The collective operations of one started rank; identities where there is a single one."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology

    @property
    def alone(self) -> bool:
        """Whether this is the only rank."""
        return self.topology.size == 1

    def reduce_sum(self, tensor: tf.Tensor) -> tf.Tensor:
        """Sum over ranks, usable inside a ``tf.function``; same shape on every rank."""
        return tensor if self.alone else hvd.allreduce(tensor, op=hvd.Sum, name="gradients")

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum a float64 or int64 array over ranks."""
        if self.alone:
            return values
        return hvd.allreduce(tf.constant(values), op=hvd.Sum, name="sum").numpy()

    def gather(self, item: Any) -> list[Any]:
        """One JSON-ready item from each rank, in rank order, on every rank."""
        if self.alone:
            return [item]
        payload = np.frombuffer(json.dumps(item).encode(), np.uint8)
        sizes = hvd.allgather(tf.constant([len(payload)], tf.int64), name="gather_sizes").numpy()
        data = hvd.allgather(tf.constant(payload), name="gather_data").numpy().tobytes()
        ends = np.cumsum(sizes)
        return [json.loads(data[end - n : end]) for n, end in zip(sizes, ends, strict=True)]

    def broadcast(self, variables: list[tf.Variable]) -> None:
        """Give every rank the values of rank 0."""
        if not self.alone:
            hvd.broadcast_variables(variables, root_rank=0)

    def barrier(self) -> None:
        """Return once every rank is here."""
        if not self.alone:
            hvd.allreduce(tf.zeros([1]), op=hvd.Sum, name="barrier")


def start(expected_size: int) -> Collectives:
    """Join the other ranks.

    Raises:
        RuntimeError: if another number of ranks came together than was asked for.
    """
    hvd.init()
    if hvd.size() != expected_size:
        raise RuntimeError(
            f"{expected_size} Horovod ranks were asked for, but this process sees {hvd.size()}: "
            "usually the launcher and the MPI that Horovod was built with do not match"
        )
    return Collectives(Topology(hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size()))


def peer_lost(error: BaseException) -> bool:
    """Whether a collective failed because another rank went away: a consequence, not a cause."""
    text = str(error)
    return (
        "Horovod has been shut down" in text
        or "HorovodInternalError" in text
        or ("gloo" in text.lower() and "peer" in text.lower())
    )


def stop() -> None:
    """Leave the other ranks in order."""
    hvd.shutdown()
