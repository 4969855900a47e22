"""A run by a name that people know it by, instead of by its folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from experiments.reporting.run_files import RunDirectory, run_directories
from ffn_core.errors import InputError

SHOWN = 5
"""Runs that are listed where a name is not of exactly one."""


def named_run(name: str, runs_dir: Path, option: str) -> Path | None:
    """Find the run directory below ``runs_dir`` that a name is of.

    The name is the run's in MLflow, the name of its folder, with the experiment before it or not,
    or a part of that. The whole of a name counts before parts of others.

    Args:
        name: As the user gave it.
        runs_dir: Folder of the folders of experiments.
        option: By which it was given, for messages.

    Returns:
        The folder, absolute; None if no name has it as a part.

    Raises:
        InputError: It is of several runs; lists some of them.
    """
    runs = run_directories(runs_dir) if runs_dir.is_dir() else []
    names = {run.path: _names(run, runs_dir) for run in runs}
    whole = [path for path, known in names.items() if name in known]
    found = whole or [p for p, known in names.items() if name and any(name in k for k in known)]
    if len(found) > 1:
        raise InputError(
            f"{option}={name} is of {len(found)} runs: {_listed(found)}; give more of the name of"
            " one, or its folder"
        )
    return found[0].absolute() if found else None


def near_names(name: str, runs_dir: Path) -> str:
    """What runs there are below ``runs_dir``, the most alike first, in words for a message."""
    runs = run_directories(runs_dir) if runs_dir.is_dir() else []
    if not runs:
        return f"{runs_dir} holds no run"
    likeness = {
        run.path: max(
            difflib.SequenceMatcher(None, name.lower(), known.lower()).ratio()
            for known in _names(run, runs_dir)
        )
        for run in runs
    }
    return f"runs nearest by name: {_listed(sorted(likeness, key=lambda p: -likeness[p]))}"


def _names(run: RunDirectory, runs_dir: Path) -> list[str]:
    """By which a run is known; one whose record is damaged, by its folder alone."""
    folder = run.path.relative_to(runs_dir).as_posix()
    try:
        shown = str(run.identity().get("name", ""))
    except InputError:
        shown = ""
    return [one for one in (folder, run.path.name, shown) if one]


def _listed(paths: Sequence[Path]) -> str:
    more = len(paths) - SHOWN
    return ", ".join(map(str, paths[:SHOWN])) + (f" and {more} more" if more > 0 else "")
