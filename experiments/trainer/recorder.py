"""Where the metrics of a rank go: those of rank 0 into the files of the run."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Protocol

from experiments.reporting.records import Record, read_records, repair, write_records
from experiments.reporting.run_files import METRICS, RunDirectory


class Recorder(Protocol):
    """Where a rank's records go; only those of rank 0 are kept."""

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Keep a record."""

    def progress(self, **values: Any) -> None:
        """Say how far the run is; may be dropped."""

    @property
    def count(self) -> int:
        """Records that are kept."""


class NullRecorder:
    """For ranks other than 0."""

    count = 0

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Do nothing."""

    def progress(self, **values: Any) -> None:
        """Do nothing."""


class FileRecorder:
    """Write a run directory. Steps that an interrupted run has recorded already are not repeated.

    A resumed run repeats the steps after its checkpoint exactly: the first record of them stands.
    """

    def __init__(self, run_dir: Path, progress_every_s: float = 0.25) -> None:
        self._path = run_dir / METRICS
        self._directory = RunDirectory(run_dir)
        self._progress_every_s = progress_every_s
        self._last_progress = float("-inf")
        self._count = repair(self._path)
        records = read_records(self._path)
        self._last_step = max((record.step for record in records), default=-1)

    @property
    def count(self) -> int:
        """Records in the file."""
        return self._count

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Append one line and flush it to the file system."""
        if step <= self._last_step:
            return
        self._last_step = step
        record = Record(step, fovs, elapsed_s, time.time(), metrics)
        write_records(self._path, [record], self._count)
        self._count += 1

    def progress(self, **values: Any) -> None:
        """Replace the progress file, at most every ``progress_every_s`` seconds."""
        now = time.monotonic()
        if now - self._last_progress >= self._progress_every_s:
            self._last_progress = now
            with contextlib.suppress(OSError):  # a full disk ends a run where it matters
                self._directory.write_progress(values)
