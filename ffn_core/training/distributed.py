"""Ranks and the collectives between them: the only module that imports Horovod."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ffn_core.devices.installed import horovod_folder, require_horovod
from ffn_core.errors import InputError

require_horovod(horovod_folder())  # which the import below would say less clearly

import horovod.tensorflow as hvd  # noqa: E402
from horovod.common.elastic import notification_manager  # noqa: E402
from horovod.common.exceptions import HorovodInternalError  # noqa: E402

_STARTED = {"HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_STEP_ID"}
"""Variables by which launchers number the processes that they start; there, Horovod is asked."""

_HOST = "/CPU:0"
_PLACE = ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE", "CROSS_RANK", "CROSS_SIZE")


@dataclass(frozen=True)
class Topology:
    """Where this process stands among the ranks."""

    rank: int
    size: int
    local_rank: int
    local_size: int


def _where_collectives_run() -> contextlib.AbstractContextManager[None]:
    """Context for operations on what a GPU may hold: there if Horovod has NCCL, else on the CPU."""
    return contextlib.nullcontext() if hvd.nccl_built() else tf.device(_HOST)


class Collectives:
    """The collective operations of one started rank; identities where there is a single one."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.entered = 0
        self.waiting_since_s: float | None = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark a block that ends only when every rank is in it, for the watchdog of stalls.

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

    def reduce_sum(self, tensor: tf.Tensor, name: str = "gradients") -> tf.Tensor:
        """Sum over ranks, usable inside a ``tf.function``; same shape and name on every rank."""
        if self.alone:
            return tensor
        with _where_collectives_run():
            return hvd.allreduce(tensor, op=hvd.Sum, name=name)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum a float64 or int64 array over ranks."""
        if self.alone:
            return values
        with self.waiting(), tf.device(_HOST):
            return hvd.allreduce(tf.constant(values), op=hvd.Sum, name="sum").numpy()

    def gather(self, item: Any) -> list[Any]:
        """One JSON-ready item from each rank, in rank order, on every rank."""
        if self.alone:
            return [item]
        payload = np.frombuffer(json.dumps(item).encode(), np.uint8)
        with self.waiting(), tf.device(_HOST):
            length = tf.constant([len(payload)], tf.int64)
            sizes = hvd.allgather(length, name="gather_sizes").numpy()
            data = hvd.allgather(tf.constant(payload), name="gather_data").numpy().tobytes()
        ends = np.cumsum(sizes)
        return [json.loads(data[end - n : end]) for n, end in zip(sizes, ends, strict=True)]

    def broadcast(self, variables: list[tf.Variable]) -> None:
        """Give every rank the values of rank 0."""
        if self.alone:
            return

        # Horovod's own graph would be converted by AutoGraph, into Python files in /tmp that only
        # an orderly end of the process removes; ranks end otherwise.
        @tf.function(autograph=False)
        def copy() -> None:
            hvd.broadcast_variables(variables, root_rank=0)

        with self.waiting(), _where_collectives_run():
            copy()

    def saved(self) -> None:
        """Tell that all state is on disk; called by every rank at the same step."""

    def barrier(self) -> None:
        """Return once every rank is here."""
        if not self.alone:
            with self.waiting(), tf.device(_HOST):
                hvd.allreduce(tf.zeros([1]), op=hvd.Sum, name="barrier")


class ElasticCollectives(Collectives):
    """Those of ranks that may become more or fewer: they end with `RanksChangedError`."""

    def __init__(self, topology: Topology) -> None:
        super().__init__(topology)
        self._changed = False
        notification_manager.init()
        notification_manager.register_listener(self)

    def on_hosts_updated(self, *_: object) -> None:
        """Horovod calls this, on one rank and in another thread, when hosts come or go."""
        self._changed = True

    def saved(self) -> None:
        """Let all ranks meet again, with nothing lost, if there are hosts to be taken in."""
        if any(self.gather(self._changed)):
            raise RanksChangedError("hosts came or went")


class RanksChangedError(RuntimeError):
    """The ranks are others now: each has to become a new process, which meets those there are."""


def start(expected_size: int, timeout_s: float = 0.0) -> Collectives:
    """Join the other ranks.

    Args:
        expected_size: how many there should be.
        timeout_s: how long one of them may be silent; Gloo itself gives up later only.

    Raises:
        RuntimeError: if another number of ranks came together than was asked for.
    """
    if expected_size == 1 and not _STARTED.intersection(os.environ):
        # There are no others to meet, so the name of this machine does not matter.
        return Collectives(Topology(0, 1, 0, 1))
    topology = _meet(2 * timeout_s + 60)
    if topology.size != expected_size:
        raise RuntimeError(
            f"{expected_size} Horovod ranks were asked for, but this process sees {topology.size}: "
            "usually the launcher and the MPI that Horovod was built with do not match"
        )
    return Collectives(topology)


def start_elastic(timeout_s: float, again: bool) -> ElasticCollectives:
    """Join the other ranks there are at the moment.

    Args:
        timeout_s: as of `start`.
        again: whether this process takes the place of one whose ranks have changed.
    """
    if again:
        _ask_for_place()
    # Those that were there before wait for a new one to start.
    return ElasticCollectives(_meet(max(2 * timeout_s + 60, 600.0)))


def _meet(patience_s: float) -> Topology:
    # Gloo cannot name the rank it waits for; the watchdog, which can, should give up first.
    os.environ.setdefault("HOROVOD_GLOO_TIMEOUT_SECONDS", str(round(patience_s)))
    _require_own_name()
    hvd.init()
    return Topology(hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size())


def _require_own_name() -> None:
    """Check that this machine knows its own name, without which Gloo ends in a segmentation fault.

    Raises:
        InputError: it does not.
    """
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        raise InputError(
            f"the name of this machine, {name}, does not resolve ({error.strerror}): add the line "
            f"'127.0.1.1 {name}' to its /etc/hosts (in a container: --add-host {name}:127.0.1.1)"
        ) from None


def _ask_for_place() -> None:
    """Wait until Horovod's elastic driver knows the ranks, and take the place that it gives us.

    Horovod asks by itself when it restarts in a process; a new process trusts its environment.

    Raises:
        RuntimeError: There is no place for this process any more.
    """
    given = os.environ
    server = given["HOROVOD_GLOO_RENDEZVOUS_ADDR"], int(given["HOROVOD_GLOO_RENDEZVOUS_PORT"])
    connection = http.client.HTTPConnection(*server)
    with contextlib.closing(connection):
        slot = f"{given['HOROVOD_HOSTNAME']}:{given['HOROVOD_LOCAL_RANK']}"
        connection.request("GET", f"/rank_and_size/{slot}")
        place = connection.getresponse().read().decode().split(",")
    if len(place) != len(_PLACE) or place[0] == "-1":
        raise RuntimeError(f"the elastic driver has no place for {slot} any more")
    given.update({f"HOROVOD_{name}": value for name, value in zip(_PLACE, place, strict=True)})


def peer_lost(error: BaseException) -> bool:
    """Whether a collective failed because others went away or came: a consequence, not a cause."""
    text = str(error)
    return (
        isinstance(error, HorovodInternalError | RanksChangedError)
        or "Horovod has been shut down" in text
        or "HorovodInternalError" in text
        or ("gloo" in text.lower() and "peer" in text.lower())
    )


def stop() -> None:
    """Leave the other ranks in order."""
    if hvd.is_initialized():
        hvd.shutdown()
