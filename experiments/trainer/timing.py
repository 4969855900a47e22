"""Clocks: training time without evaluation, and the phases of a step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ffn_core.metric_names import ALLREDUCE, COMPUTE, INPUT, PHASES, STRAGGLER_WAIT, UPDATE

REDUCE = "reduce"
MEASURED = (INPUT, COMPUTE, REDUCE, UPDATE)
"""What a rank can time by itself."""

KEPT_STEPS = 100
"""Most steps between two records whose collectives are compared across ranks, one by one."""


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
    """Seconds per phase of this rank, summed over steps.

    Which part of `REDUCE` is waiting for others only all ranks together know, from `reduces_s`: the
    last to arrive does not wait.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start over."""
        self.steps = 0
        self.total_s = dict.fromkeys(MEASURED, 0.0)
        self.reduces_s: deque[float] = deque(maxlen=KEPT_STEPS)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to phase ``name`` of `MEASURED`."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.total_s[name] += seconds
        if name == REDUCE:
            self.reduces_s.append(seconds)

    def measured(self) -> dict[str, Any]:
        """Seconds per step of each phase of `MEASURED`, and `reduces_s`; JSON-ready."""
        means = {name: total / max(self.steps, 1) for name, total in self.total_s.items()}
        return {"means_s": means, "reduces_s": list(self.reduces_s)}


def pooled(times: Sequence[dict[str, Any]]) -> tuple[dict[str, float], int]:
    """Seconds per step of each of `PHASES`, mean over ranks, and the rank waited for most often.

    In every step the rank that spent the least time in the collective came last, and what it spent
    there is communication; what the others spent beyond that they waited.

    Args:
        times: of all ranks, in order, each as of `PhaseTimes.measured` over the same steps.
    """
    means = {name: float(np.mean([rank["means_s"][name] for rank in times])) for name in MEASURED}
    reduces = np.array([rank["reduces_s"] for rank in times])  # (ranks, steps)
    reduce_s, slowest, share = means.pop(REDUCE), 0, 1.0
    if reduces.size:
        share = float(reduces.min(axis=0).mean() / reduces.mean())
        slowest = int(np.bincount(reduces.argmin(axis=0)).argmax())
    means |= {STRAGGLER_WAIT: (1 - share) * reduce_s, ALLREDUCE: share * reduce_s}
    return {name: means[name] for name in PHASES}, slowest


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

    @property
    def rate(self) -> float | None:
        """FOVs per second since the last `take`; None if no step counted."""
        return self.fovs / self.seconds if self.seconds else None

    def take(self) -> float | None:
        """The rate; begins again."""
        rate = self.rate
        self.fovs, self.seconds = 0, 0.0
        return rate
