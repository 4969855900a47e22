"""How every command begins and ends: its help, ``--version``, a closed pipe, Ctrl-C."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import os
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec

from ffn_core.exit_codes import EXIT_INTERRUPTED
from ffn_core.files import REPOSITORY

P = ParamSpec("P")

DISTRIBUTION: Final = "ffn-scaling"
SCRIPT: Final = "ffn-"
"""What names of console scripts begin with."""


def command(main: Callable[P, int]) -> Callable[P, int]:
    """Make a function the ``main`` of a command.

    Where its output goes into a pipe that is closed at the other end, as by ``| head -1``, the rest
    of it is dropped, and the command does all else that it does. Ctrl-C ends it with a word.
    """

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        for name in ("stdout", "stderr"):
            _survive_closed_pipe(name)
        try:
            return main(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED

    return run


class _Pipe(io.FileIO):
    """A file to which writes are dropped once it has no reader."""

    def write(self, data: Any) -> int:
        """Write what can be written."""
        try:
            return super().write(data)
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return memoryview(data).nbytes


def _survive_closed_pipe(name: str) -> None:
    """Put a stream in the place of the one that Python made; one made by others stays."""
    stream = getattr(sys, name)
    if stream is None or stream is not getattr(sys, f"__{name}__"):
        return
    with contextlib.suppress(OSError, ValueError):  # no file behind it
        stream.flush()
        buffer = io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False))
        errors, encoding = stream.errors, stream.encoding
        # Line by line, so that a log is never behind.
        setattr(sys, name, io.TextIOWrapper(buffer, encoding, errors, line_buffering=True))


def version() -> str:
    """Name and version of this software, e.g. ``ffn-scaling 0.1.0``."""
    try:
        number = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        text = (REPOSITORY / "pyproject.toml").read_text()
        number = tomllib.loads(text)["project"]["version"]
    return f"{DISTRIBUTION} {number}"


def about(docstring: str | None) -> str:
    """The docstring of a command's module as its help shows it, without marks."""
    return re.sub(r"`+([^`]*)`+", r"\1", (docstring or "").strip())


def program(module: str) -> str:
    """How a command was started: by the name of its console script, or as a module."""
    script = Path(sys.argv[0]).name
    return script if script.startswith(SCRIPT) else f"python -m {module}"
