"""The worker processes of a segmentation: started, watched, and asked to save before they end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

from rich.console import Console

from experiments.reporting import run_files
from experiments.reporting.exit_codes import EXIT_INPUT, EXIT_STOPPED
from experiments.segment_files import unfinished, write_todo
from experiments.segment_launch import worker_commands, worker_environment
from experiments.segment_progress import SegmentBar
from experiments.segment_schema import SegmentConfig
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY

STOP_GRACE_S = 60.0
"""How long workers may take to save their state when they are asked to."""

_POLL_S = 0.25
_PR_SET_PDEATHSIG = 1


def run_workers(config: SegmentConfig, console: Console, what: str = "segmenting") -> None:
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
    environment, commands = worker_environment(config), worker_commands(config, left)
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


def leave_to_others(config: SegmentConfig) -> int:
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
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches us alone; we let the workers save
                preexec_fn=_end_with_parent,
            )

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
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        reason = failure.get("traceback") or tail
        raise RuntimeError(f"a worker ended with exit code {code}; {self._log}:\n{reason}")


def _end_with_parent() -> None:
    """Have the kernel ask it to end should this process be killed outright."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
