"""The process that starts the ranks of a run and takes them with it; why ranks ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from experiments.config.schema import Config
from experiments.launch.launchers import placement, rank_command
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


KILLED: Final = "a rank was killed by SIGKILL: out of memory, or killed by hand"

_PREFIX = re.compile(
    r"^(?:\w{3} \w{3} +\d+ [\d:]+ \d{4})?"  # horovodrun's date
    r"(?:\[[\d,]+\]<std(?:err|out)>: ?|\[[\d,]+\]: ?|\s*\d+: )"  # rank: of horovodrun, mpirun, srun
)
_KILLED = re.compile(r"Exit code: (137|-9)\b|signal 9\b|\bKilled\b")
_PYTHON_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*(?:\w*(?:Error|Exception)|KeyboardInterrupt)\b")
_OTHER_ERROR = re.compile(
    r"^(?:error|fatal(?: error)?|srun: error|ssh|mpirun|horovodrun)[: ]|command not found"
    r"|No such file or directory|cannot open shared object|Segmentation fault|Illegal instruction"
    r"|core dumped",
    re.IGNORECASE,
)
_OF_THE_LAUNCHER = "Exit code:"
_CONSEQUENCE = re.compile(r"Exit code:|one or more processes exited|another rank is gone")
"""What is said of an error elsewhere."""


def without_prefix(line: str) -> str:
    """A line without the number of the rank that printed it, which launchers put before it."""
    return _PREFIX.sub("", line, count=1).rstrip()


def reason_of(log: str) -> str:
    """Why ranks ended, in one line, from the log of their launcher.

    The last error that a rank printed; of those in Python the exception, not its traceback. A
    launcher only says which code its ranks ended with: that counts where nothing else was said.
    """
    printed = [line for line in log.splitlines() if without_prefix(line).strip()]
    lines = [without_prefix(line) for line in printed]
    if any(_KILLED.search(line) for line in lines):
        return KILLED
    by_ranks = [line for line, whole in zip(lines, printed, strict=True) if line != whole.rstrip()]
    if error := _last_error(by_ranks) or _last_error(lines):
        return f"a rank ended with: {error}"
    for line in reversed(lines):
        if _OF_THE_LAUNCHER in line:
            return f"the launcher reports: {line.strip()}"
    return f"the ranks ended without a result; last line: {lines[-1].strip() if lines else 'none'}"


def _last_error(lines: Sequence[str]) -> str:
    """The last exception of Python, else the last line of another program's error; or empty."""
    own = [line for line in lines if not _CONSEQUENCE.search(line)]
    for pattern in (_PYTHON_ERROR, _OTHER_ERROR):
        for line in reversed(own):
            if pattern.search(line):
                return line.strip()
    return ""
