"""Child processes of the project: they find its packages, and end with the process they serve."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ffn_core.files import REPOSITORY

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # here: between fork and exec there may be no memory to load it with


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-m", module, *arguments]


def start(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = REPOSITORY,
    own_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process whose output is appended to ``log``; it has no standard input.

    Call it in the main thread: to the kernel, a child's parent is the thread that started it.

    Args:
        command: program and arguments.
        log: a file, in a folder that exists.
        environment: all variables of the process; those of this one unless given.
        cwd: where it runs, by which names in its arguments count; None for where this one does.
        own_session: keep Ctrl-C from it, so that the caller can end it in order.
    """
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=own_session,
            **_of_every_child(environment, cwd),
        )


def run(
    command: Sequence[str],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a process to its end, as `start` does; without a ``log`` its output is returned."""
    options = _of_every_child(environment, REPOSITORY)
    if log is None:
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)
    with log.open("ab") as file:
        return subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, text=True, check=False, **options
        )


def _of_every_child(environment: Mapping[str, str] | None, cwd: Path | None) -> dict[str, Any]:
    variables = dict(os.environ if environment is None else environment)
    path = variables.get("PYTHONPATH")
    variables["PYTHONPATH"] = f"{REPOSITORY}{os.pathsep}{path}" if path else str(REPOSITORY)
    return {
        "stdin": subprocess.DEVNULL,
        "env": variables,
        "cwd": cwd,
        "preexec_fn": _end_with_parent,
    }


def _end_with_parent() -> None:
    """Have the kernel ask the child to end should its parent be killed outright."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
