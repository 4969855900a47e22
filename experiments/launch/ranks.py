"""The process that starts the ranks of a run and takes them with it when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from experiments.config.schema import Config
from experiments.launch.launchers import placement, rank_command
from experiments.launch.rank_logs import KILLED, reason_of
from experiments.reporting.run_files import LOGS
from ffn_core.child_process import python_module, start

LAUNCHER_LOG = "launcher.log"


class Ranks:
    """The running launcher of one run. Use as a context manager: nothing is left behind."""

    def __init__(self, config: Config, run_dir: Path) -> None:
        """Start the ranks; their output goes to the run directory's logs."""
        logs = run_dir / LOGS
        logs.mkdir(parents=True, exist_ok=True)
        self.log_path = logs / LAUNCHER_LOG
        self._process = start(
            rank_command(config, run_dir, as_root=os.geteuid() == 0),
            self.log_path,
            environment={
                **placement(config).environment,
                **os.environ,
                **config.launcher.environment,
            },
            cwd=None,  # names of files in launcher.arguments count from where the user is
            own_session=True,  # Ctrl-C reaches us alone, and we stop the ranks in order
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
        if self._process.returncode == -signal.SIGKILL:  # a single rank has no launcher
            return KILLED
        return reason_of(self.log_tail(200))

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that launcher and ranks printed."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def run_side_by_side(modules: Sequence[Sequence[str]], log_path: Path) -> bool:
    """Run modules with their arguments, each in a process; whether all ended well.

    Their output is added to ``log_path``. Whatever ends this call, no process is left behind.
    """
    with ExitStack() as stack:
        running = []
        for module in modules:
            process = start(python_module(*module), log_path)
            stack.callback(_end, process)
            running.append(process)
        return all(process.wait() == 0 for process in running)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
