"""How far a segmentation is, summed up from the progress files of its subvolumes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.reporting.terminal import duration
from experiments.segment_files import read_progress

_STALE_S = 10.0


class SegmentBar:
    """A progress bar with FOVs, rate, objects and the time left. Use as a context manager."""

    def __init__(self, folder: Path, subvolumes: int, console: Console, what: str) -> None:
        self._folder = folder
        self._told: list[dict[str, Any]] = [{} for _ in range(subvolumes)]
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}"),
            console=console,
            refresh_per_second=4,
        )
        self._task = self._progress.add_task(what, total=1.0, status="starting")
        self._started_s = time.monotonic()
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> SegmentBar:
        self._progress.__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._progress.__exit__(*reason)

    def update(self) -> None:
        """Read what the workers tell, and show it."""
        for index, last in enumerate(self._told):
            if last.get("fraction") != 1.0:  # of thousands only those under way are read again
                self._told[index] = read_progress(self._folder, index)
        told = [progress for progress in self._told if progress]
        fraction = sum(p["fraction"] for p in told) / len(self._told)
        fovs = sum(p["fovs"] for p in told)
        if self._first is None:
            self._first = fraction, fovs
        elapsed_s = time.monotonic() - self._started_s
        fresh = time.time() - _STALE_S
        rate = sum(p["fovs_per_second"] for p in told if p["unix_s"] > fresh)
        if fraction == 1.0 and elapsed_s:  # nobody is at work any more: the mean
            rate = (fovs - self._first[1]) / elapsed_s
        words = [
            f"{fovs:,} FOVs",
            f"{rate:,.1f} FOV/s",
            f"{sum(p['objects'] for p in told)} objects",
        ]
        gained = fraction - self._first[0]
        if gained > 0:
            left_s = (1.0 - fraction) * elapsed_s / gained
            words.append(f"ETA {duration(left_s)}")
        self._progress.update(self._task, completed=fraction, status="  ".join(words))
