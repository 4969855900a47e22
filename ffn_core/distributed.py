"""Ranks and the collectives between them: the only module that imports Horovod."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf
from horovod.common import elastic
from horovod.common.exceptions import HorovodInternalError, HostsUpdatedInterrupt

T = TypeVar("T")


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
        self.entered = 0
        self.waiting_since_s: float | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark a block that ends only when every rank is in it, for whoever looks for stalls.

        Every method but `reduce_sum`, which becomes part of a graph, does so itself.
        ``entered`` counts such blocks; ``waiting_since_s`` is the monotonic time at which the one
        under way began.
        """
        self.entered += 1
        self.waiting_since_s = time.monotonic()
        try:
            yield
        finally:
            self.waiting_since_s = None

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
        with self.waiting():
            return hvd.allreduce(tf.constant(values), op=hvd.Sum, name="sum").numpy()

    def gather(self, item: Any) -> list[Any]:
        """One JSON-ready item from each rank, in rank order, on every rank."""
        if self.alone:
            return [item]
        payload = np.frombuffer(json.dumps(item).encode(), np.uint8)
        length = tf.constant([len(payload)], tf.int64)
        with self.waiting():
            sizes = hvd.allgather(length, name="gather_sizes").numpy()
            data = hvd.allgather(tf.constant(payload), name="gather_data").numpy().tobytes()
        ends = np.cumsum(sizes)
        return [json.loads(data[end - n : end]) for n, end in zip(sizes, ends, strict=True)]

    def broadcast(self, variables: list[tf.Variable]) -> None:
        """Give every rank the values of rank 0."""
        if not self.alone:
            with self.waiting():
                hvd.broadcast_variables(variables, root_rank=0)

    def saved(self) -> None:
        """Tell that all state is on disk; called by every rank at the same step."""

    def barrier(self) -> None:
        """Return once every rank is here."""
        if not self.alone:
            with self.waiting():
                hvd.allreduce(tf.zeros([1]), op=hvd.Sum, name="barrier")


def start(expected_size: int, timeout_s: float = 0.0) -> Collectives:
    """Join the other ranks.

    Args:
        expected_size: how many there should be.
        timeout_s: how long one of them may be silent; Gloo itself gives up later only.

    Raises:
        RuntimeError: if another number of ranks came together than was asked for.
    """
    _outlast(timeout_s)
    hvd.init()
    topology = _topology()
    if topology.size != expected_size:
        raise RuntimeError(
            f"{expected_size} Horovod ranks were asked for, but this process sees {topology.size}: "
            "usually the launcher and the MPI that Horovod was built with do not match"
        )
    return Collectives(topology)


class _Membership(elastic.State):
    """What Horovod tells of hosts that come and go; it is given no state, which is on disk."""

    def __init__(self) -> None:
        super().__init__(bcast_object=None, get_rank=None)

    @property
    def changed(self) -> bool:
        return not self._host_messages.empty()

    def save(self) -> None:
        pass

    def restore(self) -> None:
        pass

    def sync(self) -> None:
        pass


class ElasticCollectives(Collectives):
    """Those of ranks that may become more or fewer, until `saved` or the loss of one ends them."""

    def __init__(self, topology: Topology, membership: _Membership) -> None:
        super().__init__(topology)
        self._membership = membership

    def saved(self) -> None:
        """Let all ranks meet anew, with nothing lost, if there are hosts to be taken in."""
        if any(self.gather(self._membership.changed)):
            raise HostsUpdatedInterrupt(skip_sync=False)


def run_elastic(body: Callable[[Collectives], T], timeout_s: float = 0.0) -> T:
    """Call ``body`` with the ranks there are, again each time they become others.

    Args:
        body: starts from what is on disk; its exceptions are its own but for the loss of a rank.
        timeout_s: as of `start`.

    Returns:
        What ``body`` returned in the end.
    """
    _outlast(timeout_s)
    hvd.init()

    def attempt(membership: _Membership) -> T:
        try:
            return body(ElasticCollectives(_topology(), membership))
        except Exception as error:
            if peer_lost(error):
                raise HorovodInternalError(str(error)) from None
            raise

    def meet_again() -> None:
        hvd.shutdown()
        hvd.init()

    return elastic.run_fn(attempt, meet_again)(_Membership())


def _topology() -> Topology:
    return Topology(hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size())


def _outlast(timeout_s: float) -> None:
    """Keep Gloo, which cannot tell whom it waits for, from giving up before ``timeout_s``."""
    os.environ.setdefault("HOROVOD_GLOO_TIMEOUT_SECONDS", str(round(2 * timeout_s + 60)))


def peer_lost(error: BaseException) -> bool:
    """Whether a collective failed because another rank went away: a consequence, not a cause."""
    text = str(error)
    return (
        isinstance(error, HorovodInternalError)
        or "Horovod has been shut down" in text
        or "HorovodInternalError" in text
        or ("gloo" in text.lower() and "peer" in text.lower())
    )


def stop() -> None:
    """Leave the other ranks in order."""
    hvd.shutdown()
