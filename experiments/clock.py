"""Honest clocks: training time without evaluation, and the phases of a step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("input", "compute", "straggler_wait", "allreduce", "update")


class TrainingClock:
    """Seconds spent in training steps, continued from an earlier process if there was one."""

    def __init__(self, elapsed_s: float = 0.0) -> None:
        self.elapsed_s = elapsed_s
        self._started: float | None = None

    @property
    def now_s(self) -> float:
        """Seconds so far, with those of a block under way."""
        running = 0.0 if self._started is None else time.perf_counter() - self._started
        return self.elapsed_s + running

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the block."""
        self._started = time.perf_counter()
        try:
            yield
        finally:
            self.elapsed_s, self._started = self.now_s, None


class PhaseTimes:
    """Seconds per phase, summed over the steps that were profiled."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start over."""
        self.steps = 0
        self.total_s = dict.fromkeys(PHASES, 0.0)

    @contextmanager
    def phase(self, name: str, every: int = 1) -> Iterator[None]:
        """Add the time of the block to phase ``name``.

        A phase measured in one step of ``every`` stands for all of them.
        """
        start = time.perf_counter()
        yield
        self.total_s[name] += every * (time.perf_counter() - start)

    def means_s(self) -> list[float]:
        """Seconds per profiled step, in the order of `PHASES`; zeros before the first."""
        return [self.total_s[name] / max(self.steps, 1) for name in PHASES]


class Throughput:
    """FOVs per second of training time since the last reset; the first steps do not count."""

    def __init__(self, skip_steps: int) -> None:
        self._skip = skip_steps
        self.fovs = 0
        self.seconds = 0.0

    def add(self, fovs: int, seconds: float) -> None:
        """Count one step."""
        if self._skip:
            self._skip -= 1
            return
        self.fovs += fovs
        self.seconds += seconds

    def take(self) -> float | None:
        """FOVs per second since the last call; None if no step counted."""
        rate = self.fovs / self.seconds if self.seconds else None
        self.fovs, self.seconds = 0, 0.0
        return rate
