"""How far a sweep is and how long it will take, and the line of the terminal that says so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.config.schema import Config
from experiments.reporting.progress import SweepProgress
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import FAILURES, Outcome
from experiments.sweep.point import Point

TRUSTED_S = 10.0
"""From when on the time left is said: before, most of what was seen is ranks that start."""


def work_of(configs: Sequence[Config]) -> list[float]:
    """How much each point has to do, relative to the others.

    In FOVs, or in seconds of training, where all have their budget in the same; else all alike.
    """
    seconds = [config.budget.seconds for config in configs]
    if all(one is not None for one in seconds):
        return [float(one or 0.0) for one in seconds]
    fovs = [_fovs(config) for config in configs]
    return [float(one) for one in fovs] if all(fovs) else [1.0] * len(configs)


def _fovs(config: Config) -> int:
    """FOVs of a run; 0 where its budget is in seconds."""
    if config.stages:
        return sum(stage.fovs for stage in config.stages)
    per_step = config.cluster.fovs_per_step
    return (config.budget.in_steps(per_step) or 0) * per_step


@dataclass
class _Seen:
    """A point: its work, the share that was done when it was first seen, and that now."""

    work: float
    first: float = 0.0
    share: float = 0.0
    ended: bool = False


class SweepPace:
    """What has been seen of the points of a sweep so far."""

    def __init__(self, work: Mapping[Path, float], begun_s: float) -> None:
        """None is seen yet.

        Args:
            work: of each point, in one unit, by run directory.
            begun_s: time on the clock of `progress`.
        """
        self._points = {run_dir: _Seen(one) for run_dir, one in work.items()}
        self._begun_s = begun_s
        self._failed = 0

    def begin(self, run_dir: Path, share: float | None) -> None:
        """Take up a point of which a share was done before; that says nothing of the pace."""
        point = self._points[run_dir]
        point.first = point.share = share or 0.0

    def see(self, run_dir: Path, share: float | None) -> None:
        """Take in how far a point is; None before its first step."""
        if share is not None:
            self._points[run_dir].share = share

    def end(self, run_dir: Path, outcome: str) -> None:
        """Take in how a point ended, as of `Outcome`."""
        if outcome == "stopped":
            return  # it is to be continued
        point = self._points[run_dir]
        point.ended = True
        if outcome == "skipped":
            point.first = point.share
        elif outcome in FAILURES:
            self._failed += 1
        else:
            point.share = 1.0

    def progress(self, now_s: float) -> SweepProgress:
        """How far the sweep is: the work that is left, at the pace of what was done here."""
        points = list(self._points.values())
        ended = sum(point.ended for point in points)
        done = sum(point.work * max(0.0, point.share - point.first) for point in points)
        left = sum(point.work * (1 - point.share) for point in points if not point.ended)
        elapsed_s = now_s - self._begun_s
        left_s = left / done * elapsed_s if done > 0 and elapsed_s >= TRUSTED_S else None
        return SweepProgress(len(points), ended, self._failed, left_s if left else None)


class PointWatcher:
    """Says that points are being stopped."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def look(self, running: Sequence[Point]) -> None:
        """Nothing is shown but the points' own bars."""

    def stopping(self, running: Sequence[Point]) -> None:
        """Say what happens now, and what a second Ctrl-C does."""
        if running:
            names = ", ".join(point.name for point in running)
            self._terminal.say(
                f"stopping: {names} will end after saving a checkpoint (press Ctrl-C again to end "
                "at once and lose the steps since the last one)"
            )


class SweepWatcher(PointWatcher):
    """Keeps the line of a sweep up to date as well."""

    def __init__(self, terminal: Terminal, points: Mapping[Path, Config]) -> None:
        """Begin with the points of the sweep by their directories."""
        super().__init__(terminal)
        work = dict(zip(points, work_of(list(points.values())), strict=True))
        self._pace = SweepPace(work, time.monotonic())
        self._begun: set[Path] = set()
        self._show()

    def look(self, running: Sequence[Point]) -> None:
        """Take in how far the points are."""
        for point in running:
            if point.run_dir not in self._begun:
                self._begun.add(point.run_dir)
                self._pace.begin(point.run_dir, point.share_before)
            self._pace.see(point.run_dir, point.share)
        self._show()

    def ended(self, outcome: Outcome) -> None:
        """Take in how a point ended; a log gets a line for it."""
        self._pace.end(outcome.run_dir, outcome.outcome)
        self._show()
        # Points that were complete before come in a row: the line after the last of them says all.
        if not self._terminal.moves and outcome.outcome != "skipped":
            self._terminal.say(str(self._terminal.sweep))

    def _show(self) -> None:
        self._terminal.sweep = self._pace.progress(time.monotonic())
