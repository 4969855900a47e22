"""Who is missing when the ranks of a run stop making progress.

In synchronous training one rank that no longer takes part stops all others, which then wait inside
a collective and cannot tell for whom. So each rank keeps saying where it is, in a file of the run
directory that a thread of its own replaces; a rank that has waited too long reads the others'.
No clocks are compared: a rank is silent if its file does not change while somebody looks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from experiments.reporting import run_files
from ffn_core.errors import InputError
from ffn_core.training.distributed import Collectives

FOLDER = "ranks"
_BEATS_PER_TIMEOUT = 10
_LONGEST_BEAT_S = 10.0
_PATIENCE = 4  # timeouts, while no rank is missing


@dataclass(frozen=True)
class Presence:
    """Where a rank says it is.

    Attributes:
        rank: its number.
        host: where it runs.
        pid: its process.
        beat: how often it has said so.
        entered: how many collectives it has come to.
        left: whether it has left to meet the other ranks again.
    """

    rank: int
    host: str
    pid: int
    beat: int
    entered: int
    left: bool = False


@dataclass(frozen=True)
class Stall:
    """Why a rank waits too long.

    Attributes:
        problem: on one line.
        silent: what ranks that no longer answer said last.
        left: whether some rank has left to meet the others again, and this one has not noticed.
    """

    problem: str
    silent: list[Presence]
    left: bool


def read_presence(folder: Path, rank: int) -> Presence | None:
    """What ``rank`` said last; None if it never did, or that is damaged.

    A rank that is there replaces a damaged file at its next beat.
    """
    path = folder / f"{rank:05d}.json"
    try:
        values = run_files.read_json(path)
        return run_files.build(Presence, values, path) if values else None
    except InputError:
        return None


def missing_ranks(
    before: list[Presence | None], after: list[Presence | None], entered: int
) -> dict[int, str]:
    """Ranks that keep others waiting, each with its last known place.

    Args:
        before: by rank, what it had said;
        after: the same some beats later.
        entered: collectives that the ranks which wait have come to.
    """
    missing = {}
    for rank, (old, new) in enumerate(zip(before, after, strict=True)):
        if new is None:
            missing[rank] = f"rank {rank} (nothing heard of it)"
        elif new.left:
            missing[rank] = f"rank {rank} (host {new.host}: has left)"
        elif old is not None and new.beat == old.beat:
            missing[rank] = f"rank {rank} (host {new.host}, process {new.pid}: stopped or gone)"
        elif new.entered < entered:
            missing[rank] = f"rank {rank} (host {new.host}, process {new.pid}: alive, but busy)"
    return missing


class Watchdog:
    """Say where this rank is, and finds who is missing when it waits for too long."""

    def __init__(
        self,
        run_dir: Path,
        collectives: Collectives,
        timeout_s: float,
        on_stall: Callable[[Stall], None],
    ) -> None:
        """Say so for the first time.

        Args:
            run_dir: on a file system that all ranks share.
            collectives: of this rank.
            timeout_s: how long it may wait in one collective.
            on_stall: called in a thread of its own.
        """
        self._folder = run_dir / FOLDER
        self._collectives = collectives
        self._timeout_s = timeout_s
        self._on_stall = on_stall
        self._every_s = min(timeout_s / _BEATS_PER_TIMEOUT, _LONGEST_BEAT_S)
        self._beat = 0
        self._stop = threading.Event()
        self._folder.mkdir(exist_ok=True)
        self._say()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._say(left=True)

    def _say(self, left: bool = False) -> None:
        self._beat += 1
        rank, entered = self._collectives.topology.rank, self._collectives.entered
        presence = Presence(rank, socket.gethostname(), os.getpid(), self._beat, entered, left)
        with contextlib.suppress(OSError):  # a full disk ends a run where it matters, not here
            path = self._folder / f"{rank:05d}.json"
            run_files.write_json(path, asdict(presence), lasting=False)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._say()
            since_s = self._collectives.waiting_since_s
            if since_s is not None and time.monotonic() - since_s > self._timeout_s:
                self._look_around(since_s)

    def _everyone(self) -> list[Presence | None]:
        size = self._collectives.topology.size
        return [read_presence(self._folder, rank) for rank in range(size)]

    def _look_around(self, since_s: float) -> None:
        before = self._everyone()
        for _ in range(3):
            if self._stop.wait(self._every_s):
                return
            self._say()
        if self._collectives.waiting_since_s != since_s:
            return  # they came after all
        after = self._everyone()
        missing = missing_ranks(before, after, self._collectives.entered)
        waited_s = time.monotonic() - since_s
        if not missing and waited_s < _PATIENCE * self._timeout_s:
            return  # all are there: on a crowded machine a collective may take its time
        if missing:
            problem = f"waited {waited_s:.0f} s for {', '.join(missing.values())}"
        else:
            problem = (
                f"waited {waited_s:.0f} s with all ranks in the same collective: the network "
                "between them stands still"
            )
        silent = [
            new
            for old, new in zip(before, after, strict=True)
            if old is not None and new is not None and new.beat == old.beat and not new.left
        ]
        left = any(presence is not None and presence.left for presence in after)
        advice = "repeat the command to continue, or raise cluster.stall_timeout_s"
        self._on_stall(Stall(f"{problem}; {advice}", silent, left))


def end_silent(run_dir: Path, silent: Sequence[Presence]) -> bool:
    """Kill ranks of this host that no longer answer; returns whether that was all of them.

    The others then see them gone, which a stopped process does not tell.
    """
    gone = 0
    for presence in silent:
        if presence.host != socket.gethostname():
            continue
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if str(run_dir) in psutil.Process(presence.pid).cmdline():
                os.kill(presence.pid, signal.SIGKILL)
        gone += 1
    return bool(silent) and gone == len(silent)
