"""Worker processes of a segmentation on this machine, and how far they are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from experiments.exit_codes import EXIT_INPUT
from experiments.records import LOGS
from experiments.segment_files import finished_path, read_progress
from ffn_core.errors import InputError

_POLL_S = 0.25
_STALE_S = 10.0


def run_workers(
    folder: Path, subvolumes: int, processes: int, console: Console, what: str = "segmenting"
) -> None:
    """Have all subvolumes segmented, with a progress bar; what is finished is not done again.

    Raises:
        InputError: A worker found something wrong with the input.
        RuntimeError: A worker failed otherwise; the message holds the end of its log.
        KeyboardInterrupt: After the workers have saved their state.
    """
    todo = [i for i in range(subvolumes) if not finished_path(folder, i).is_file()]
    if not todo:
        return
    tasks = min(processes, subvolumes)
    workers = [_Worker(folder, task, tasks) for task in range(tasks)]
    try:
        with _bar(console) as progress:
            view = _View(folder, subvolumes, progress, _task(progress, what))
            while any(worker.running for worker in workers):
                view.update()
                time.sleep(_POLL_S)
                if any(worker.failed for worker in workers):
                    break
            view.update()
    finally:
        for worker in workers:
            worker.stop()
    for worker in workers:
        worker.check()


class _Worker:
    """One worker process, in the process group of this one."""

    def __init__(self, folder: Path, task: int, tasks: int) -> None:
        self._log = folder / LOGS / f"worker-{task:03d}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "experiments.segment_worker", str(folder)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--task", str(task), "--tasks", str(tasks)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parent.parent,
                start_new_session=True,  # Ctrl-C reaches us alone; we let the workers save
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        return self._process.poll() not in (None, 0)

    def stop(self) -> None:
        """Let it save and end."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()

    def check(self) -> None:
        """Raise what went wrong."""
        code = self._process.returncode
        if code == 0:
            return
        lines = self._log.read_text(errors="replace").splitlines()
        if code == EXIT_INPUT and lines:
            raise InputError(lines[-1].removeprefix("error: "))
        tail = "\n".join(lines[-15:])
        raise RuntimeError(f"a worker ended with exit code {code}; {self._log}:\n{tail}")


class _View:
    """Sums up the progress files of all subvolumes."""

    def __init__(self, folder: Path, subvolumes: int, progress: Progress, task: TaskID) -> None:
        self._folder = folder
        self._subvolumes = subvolumes
        self._progress = progress
        self._task = task
        self._started_s = time.monotonic()
        self._first: float | None = None

    def update(self) -> None:
        """Show fraction, rate, objects and the time left."""
        read = (read_progress(self._folder, i) for i in range(self._subvolumes))
        told = [progress for progress in read if progress]
        fraction = sum(p["fraction"] for p in told) / self._subvolumes
        if self._first is None:
            self._first = fraction
        fresh = time.time() - _STALE_S
        rate = sum(p["fovs_per_second"] for p in told if p["unix_s"] > fresh)
        words = [
            f"{sum(p['fovs'] for p in told):,} FOVs",
            f"{rate:,.1f} FOV/s",
            f"{sum(p['objects'] for p in told)} objects",
        ]
        gained = fraction - self._first
        if gained > 0:
            left_s = (1.0 - fraction) * (time.monotonic() - self._started_s) / gained
            words.append(f"ETA {_clock(left_s)}")
        self._progress.update(self._task, completed=fraction, status="  ".join(words))


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[status]}"),
        console=console,
        refresh_per_second=4,
    )


def _task(progress: Progress, what: str) -> TaskID:
    return progress.add_task(what, total=1.0, status="starting")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
