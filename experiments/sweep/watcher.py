"""What the terminal shows of points while they are carried out: the sweep's line, and its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.config.schema import Config
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import Outcome
from experiments.sweep.pace import SweepPace, work_of
from experiments.sweep.point import Point


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
