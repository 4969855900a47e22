"""Bring run directories into an MLflow store.

    python -m experiments.import_runs runs
    python -m experiments.import_runs runs/demo --uri sqlite:////absolute/mlflow.db

For runs whose store could not be reached while they ran, or that were made elsewhere. Importing
again changes nothing. Points that have not been compared with a baseline yet are, see
`experiments.sweep.efficiency`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.reporting import run_files
from experiments.reporting.terminal import Terminal
from experiments.sweep.efficiency import SweepScaling
from experiments.sweep.outcome import find_runs, import_run
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.exit_codes import EXIT_FAILED, EXIT_INPUT
from ffn_core.limits.arguments import CommandParser
from ffn_core.runtime import absolute_uri


def _compare(run_dirs: list[Path]) -> None:
    """Record the scaling of points that have none; a sweep may have declared its baseline."""
    by_folder: dict[Path, list[Path]] = {}
    for run_dir in run_dirs:
        if not (run_dir / run_files.SCALING).is_file():
            by_folder.setdefault(run_dir.parent, []).append(run_dir)
    for folder, new in by_folder.items():
        SweepScaling(folder, new).keep()


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Import everything that was named; returns the exit code."""
    parser = CommandParser("experiments.import_runs", __doc__)
    parser.add_argument("roots", nargs="+", type=Path, help="run directories, or folders of them")
    parser.add_argument("--uri", help="MLflow store; default: MLFLOW_TRACKING_URI or ./mlflow.db")
    options = parser.parse_args(arguments)
    terminal, uri = Terminal(), absolute_uri(options.uri)
    try:
        run_dirs = find_runs(options.roots)
        _compare(run_dirs)
    except (InputError, OSError) as error:
        terminal.error(in_one_line(error))
        return EXIT_INPUT
    failed = 0
    for run_dir in terminal.track(run_dirs, "importing"):
        if (problem := import_run(run_dir, uri)) is not None:
            failed += 1
            terminal.warn(f"{run_dir}: {problem}")
    terminal.say(f"{len(run_dirs) - failed} of {len(run_dirs)} runs are in {uri}")
    return EXIT_FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
