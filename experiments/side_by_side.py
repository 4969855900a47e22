"""Programs of this project that run at the same time on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ffn_core.files import REPOSITORY


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
