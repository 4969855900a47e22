"""The process that starts the ranks of a run and takes them with it when it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from experiments.config.schema import Config
from experiments.launch.launchers import placement, rank_command
from experiments.reporting.run_files import LOGS
from ffn_core.files import REPOSITORY

LAUNCHER_LOG = "launcher.log"
_PR_SET_PDEATHSIG = 1


class Ranks:
    """The running launcher of one run. Use as a context manager: nothing is left behind."""

    def __init__(self, config: Config, run_dir: Path) -> None:
        """Start the ranks; their output goes to the run directory's logs."""
        logs = run_dir / LOGS
        logs.mkdir(parents=True, exist_ok=True)
        self.log_path = logs / LAUNCHER_LOG
        repository = REPOSITORY
        environment = {**placement(config).environment, **os.environ, **config.launcher.environment}
        path = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{repository}{os.pathsep}{path}" if path else str(repository)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                rank_command(config, run_dir, as_root=os.geteuid() == 0),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                # A session of its own: Ctrl-C reaches us alone, and we stop the ranks in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(grace_s=10.0)

    def wait(self, timeout_s: float) -> int | None:
        """Exit code of the launcher; None if it still runs after ``timeout_s``."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, grace_s: float) -> None:
        """End launcher and ranks: SIGTERM, and SIGKILL for what is left after ``grace_s``."""
        if self._process.poll() is None:
            self.terminate()
            self.wait(grace_s)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """Send launcher and ranks SIGTERM."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # all gone already
            os.killpg(self._process.pid, number)

    def died(self) -> str:
        """What can be said of ranks that ended without leaving a reason themselves."""
        killed = "a rank was killed by SIGKILL: out of memory, or killed by hand"
        if self._process.returncode == -signal.SIGKILL:  # a single rank has no launcher
            return killed
        tail = self.log_tail().splitlines()
        for line in reversed(tail):
            if re.search(r"Exit code: (137|-9)\b|signal 9\b|\bKilled\b", line):
                return killed
            if "Exit code:" in line:
                return f"the launcher reports: {line.strip()}"
        return f"the ranks ended without a result; last line: {tail[-1] if tail else 'none'}"

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that launcher and ranks printed."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def _die_with_parent() -> None:
    """Have the kernel end the launcher should this process be killed outright."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run_side_by_side(modules: Sequence[Sequence[str]], log_path: Path) -> bool:
    """Run modules with their arguments, each in a process; whether all ended well.

    Their output is added to ``log_path``. Whatever ends this call, no process is left behind.
    """
    with log_path.open("ab") as log, ExitStack() as stack:
        running = []
        for module in modules:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(_end, process)
            running.append(process)
        return all(process.wait() == 0 for process in running)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
