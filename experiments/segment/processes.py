"""The worker processes of a segmentation: started, watched, and asked to save before they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.launch.launchers import Placement, is_direct, launcher_of, start_command
from experiments.reporting import run_files
from experiments.reporting.progress import duration
from experiments.segment.config import ResolvedSegment
from experiments.segment.segmentation_files import read_progress, unfinished, write_todo
from ffn_core.child_process import python_module, start
from ffn_core.errors import InputError
from ffn_core.exit_codes import EXIT_INPUT, EXIT_STOPPED
from ffn_core.files import writing

WORKER = "experiments.segment_worker"


def worker_commands(config: ResolvedSegment, subvolumes: int) -> list[list[str]]:
    """Commands that together start the workers for a number of subvolumes.

    A launcher always starts all processes: hosts and allocations are made for that number.

    Raises:
        InputError: An unknown launcher, one that is not installed, or that needs to know more.
    """
    worker = python_module(WORKER, str(config.directory), "--tasks")
    if is_direct(config.launcher):  # workers do not communicate
        tasks = min(config.processes, subvolumes)
        return [[*worker, str(tasks), "--task", str(task)] for task in range(tasks)]
    placed = _placement(config)
    placed.require_program()
    return [start_command(placed, [*worker, str(config.processes)], as_root=os.geteuid() == 0)]


def _placement(config: ResolvedSegment) -> Placement:
    name, threads = config.launcher.name, config.threads_per_process
    launcher = launcher_of(config.launcher)
    if launcher.rank_variables is None:
        raise InputError(
            f"launcher={name} does not number its processes, so they cannot share subvolumes; use"
            " another launcher, or start workers by hand (processes=0) with --task and --tasks"
        )
    if not launcher.takes_hosts and threads is None:
        raise InputError(
            f"launcher={name} needs threads_per_process, the compute threads of a process"
        )
    return Placement(config.launcher, config.processes, threads, config.launcher.environment)


_STALE_S = 10.0


class SegmentBar:
    """A progress bar with FOVs, rate, objects and the time left. Use as a context manager."""

    def __init__(self, folder: Path, subvolumes: int, console: Console, what: str) -> None:
        self._folder = folder
        self._last: list[dict[str, Any]] = [{} for _ in range(subvolumes)]
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
        """Read what the workers have written, and show it."""
        for index, last in enumerate(self._last):
            if last.get("fraction") != 1.0:  # of thousands only those under way are read again
                with contextlib.suppress(InputError):  # a damaged one is replaced soon
                    self._last[index] = read_progress(self._folder, index)
        known = [progress for progress in self._last if progress]
        fraction = sum(p["fraction"] for p in known) / len(self._last)
        fovs = sum(p["fovs"] for p in known)
        if self._first is None:
            self._first = fraction, fovs
        elapsed_s = time.monotonic() - self._started_s
        fresh = time.time() - _STALE_S
        rate = sum(p["fovs_per_second"] for p in known if p["unix_s"] > fresh)
        if fraction == 1.0 and elapsed_s:  # no worker is left: the mean
            rate = (fovs - self._first[1]) / elapsed_s
        words = [
            f"{fovs:,} FOVs",
            f"{rate:,.1f} FOV/s",
            f"{sum(p['objects'] for p in known)} objects",
        ]
        gained = fraction - self._first[0]
        if gained > 0:
            left_s = (1.0 - fraction) * elapsed_s / gained
            words.append(f"ETA {duration(left_s)}")
        self._progress.update(self._task, completed=fraction, status="  ".join(words))


STOP_GRACE_S = 60.0
"""How long workers may take to save their state when they are asked to."""

_POLL_S = 0.25


def run_workers(config: ResolvedSegment, console: Console, what: str = "segmenting") -> None:
    """Have all subvolumes segmented, with a progress bar; what is finished is not done again.

    Raises:
        InputError: A worker found something wrong with the input.
        RuntimeError: A worker failed otherwise; the message holds its traceback or end of log.
        KeyboardInterrupt: After the workers have saved their state.
    """
    folder, subvolumes = config.directory, len(config.grid.subvolumes)
    left = leave_to_others(config)
    if not left:
        return
    if not config.processes:
        raise InputError("processes=0 starts no workers; use at least 1 here")
    environment, commands = os.environ | config.launcher.environment, worker_commands(config, left)
    processes = [_Process(folder, i, command, environment) for i, command in enumerate(commands)]
    try:
        with SegmentBar(folder, subvolumes, console, what) as bar:
            while any(process.running for process in processes):
                bar.update()
                time.sleep(_POLL_S)
                if any(process.failed for process in processes):
                    break
            bar.update()
    finally:
        _stop(folder, processes)
    # Those that only stopped because another one failed come last.
    for process in sorted(processes, key=lambda process: process.stopped):
        process.check()
    if missing := unfinished(folder, subvolumes):
        raise RuntimeError(f"all workers have ended, but subvolumes {missing} are not finished")


def leave_to_others(config: ResolvedSegment) -> int:
    """Write down what workers are to share among them; returns the number of subvolumes.

    Said once, for all: workers that looked for themselves, one after the other, would not agree.
    """
    todo = unfinished(config.directory, len(config.grid.subvolumes))
    write_todo(config.directory, todo)
    return len(todo)


def _stop(folder: Path, processes: list[_Process]) -> None:
    """Have those that still run save and end; by a file too, which is seen on other machines."""
    running = [process for process in processes if process.running]
    if running:
        with contextlib.suppress(OSError):  # a full disk: they get the signal
            (folder / run_files.STOP).touch()
    for process in running:
        process.stop(STOP_GRACE_S)


class _Process:
    """A worker, or a launcher with its workers."""

    def __init__(
        self, folder: Path, number: int, command: list[str], environment: dict[str, str]
    ) -> None:
        self._folder = folder
        self._log = folder / run_files.LOGS / f"worker-{number:03d}.log"
        with writing(self._log):
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._log.unlink(missing_ok=True)
        # A session of its own: Ctrl-C reaches us alone, and we let the workers save.
        self._process = start(command, self._log, environment=environment, own_session=True)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        return self._process.poll() not in (None, 0)

    @property
    def stopped(self) -> bool:
        return self._process.poll() == EXIT_STOPPED

    def stop(self, grace_s: float) -> None:
        """Wait for it to save and end; what is left of its group after ``grace_s`` is killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        with contextlib.suppress(ProcessLookupError):  # all gone already
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def check(self) -> None:
        """Raise what went wrong."""
        code = self._process.returncode
        if code == 0:
            return
        failure = run_files.read_json(self._folder / run_files.FAILURE) or {}
        if failure.get("exit_code") == EXIT_INPUT:
            raise InputError(failure["message"])
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        if code == EXIT_INPUT:  # on a full disk there may be no more than that, or nothing
            said = lines[-1].removeprefix("error: ") if lines else "a worker could not even say why"
            raise InputError(said)
        tail = "\n".join(lines)
        reason = failure.get("traceback") or tail
        raise RuntimeError(f"a worker ended with exit code {code}; {self._log}:\n{reason}")
