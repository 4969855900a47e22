"""Carrying out points, several at a time, in one thread that waits for none of them.

The ranks of every point are processes of their own; what is left to do here is to start them, read
their files now and then, and conclude. Threads would be in the way: Ctrl-C reaches the main one
only, and the kernel ends ranks together with the thread that started them.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from experiments.config.schema import Config
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import Outcome
from experiments.sweep.pace import PointWatcher
from experiments.sweep.point import Point

POLL_S = 0.1


class Interrupts:
    """Ctrl-C, and SIGTERM where it means the same, as something to look at between two things.

    As an exception the first would come in the middle of anything: of sending to MLflow, say, of
    which the rest would be lost. The second one is meant to break off, and does.
    """

    def __init__(self) -> None:
        self._count = 0
        self._at_once = False
        self._replaced: list[signal.Signals] = []

    @property
    def asked(self) -> bool:
        """Whether there has been one."""
        return self._count > 0

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Where it is ignored, or does something else, that stays.
            if signal.getsignal(number) is signal.default_int_handler:
                signal.signal(number, self._take)
                self._replaced.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._replaced:
            signal.signal(number, signal.default_int_handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise KeyboardInterrupt already at the first, for long work that can be given up."""
        if self._count:
            raise KeyboardInterrupt
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._at_once or self._count > 1:
            raise KeyboardInterrupt


class Watcher(Protocol):
    """Who is shown how points are going."""

    def look(self, running: Sequence[Point]) -> None:
        """Look at the points under way, several times a second."""

    def stopping(self, running: Sequence[Point]) -> None:
        """The user has asked for their end, and they have been asked to save."""


def carry_out(
    points: Iterator[Point],
    limit: int,
    ended: Callable[[Point, Outcome], Point | None],
    watcher: Watcher | None = None,
) -> None:
    """Run points, at most ``limit`` at the same time.

    Args:
        points: each is taken when there is room for it, and not before.
        limit: at least 1.
        ended: is given every point with its outcome; may return another attempt, which is started
            in its place.
        watcher: is shown those under way.

    Raises:
        KeyboardInterrupt: The user ended it. All points have saved a checkpoint and ended; asked
            twice, they were not waited for.
    """
    running: list[Point] = []
    with Interrupts() as interrupts:
        try:
            _go_through(points, limit, ended, running, interrupts, watcher)
        finally:  # of use only where an exception ended that
            for point in running:
                point.terminate()
            for point in running:
                if (outcome := point.poll()) is not None:
                    ended(point, outcome)
    if interrupts.asked:
        raise KeyboardInterrupt


def _go_through(
    points: Iterator[Point],
    limit: int,
    ended: Callable[[Point, Outcome], Point | None],
    running: list[Point],
    interrupts: Interrupts,
    watcher: Watcher | None,
) -> None:
    """Start, poll and conclude points; ``running`` holds those under way, also after an error."""
    asked = False
    while True:
        while len(running) < limit and not interrupts.asked:
            if (point := next(points, None)) is None:
                break
            running.append(point)
            point.start(interrupts.at_once)
        if interrupts.asked and not asked:
            asked = True
            for point in running:
                point.stop()
            if watcher is not None:
                watcher.stopping([point for point in running if point.outcome is None])
        if watcher is not None:
            watcher.look(running)
        if not running:
            return
        if all(point.outcome is None for point in running):
            time.sleep(POLL_S)
        for point in tuple(running):
            if (outcome := point.poll()) is None:
                continue
            running.remove(point)
            again = ended(point, outcome)
            if again is not None and not interrupts.asked:
                running.append(again)
                again.start(interrupts.at_once)


def run_point(
    config: Config,
    terminal: Terminal,
    parent: str | None = None,
    ranks: int | None = None,
    stage: int | None = None,
) -> Outcome:
    """Carry out one run, or find that it has been; arguments as of `Point`.

    Raises:
        KeyboardInterrupt: As of `carry_out`.
    """
    outcomes: list[Outcome] = []

    def keep(_point: Point, outcome: Outcome) -> None:
        outcomes.append(outcome)

    point = Point(config, terminal, parent, ranks=ranks, stage=stage)
    carry_out(iter([point]), 1, keep, PointWatcher(terminal))
    return outcomes[0]
