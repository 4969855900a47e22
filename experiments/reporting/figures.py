"""Figures and pictures are drawn by programs of ``analysis``, each in a process of its own.

Matplotlib and pandas are no business of a program that trains, and ``experiments`` does not depend
on ``analysis``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from experiments.reporting.terminal import Terminal
from ffn_core.child_process import python_module, run


def draw_figures(
    experiment: str,
    out: Path,
    uri: str,
    terminal: Terminal,
    baseline_nodes: int | None = None,
    report: Path | None = None,
) -> bool:
    """Draw the figures of an MLflow experiment, and write its report; whether that worked.

    One process does both: most of the time goes into starting it and reading the runs.

    Args:
        experiment: its name.
        out: absolute path of the folder of figures.
        uri: of the MLflow store. It may hold a password, so it goes by the environment: every user
            of the machine can read a command line.
        terminal: where to say what was drawn, or why not.
        baseline_nodes: node count that scaling is relative to; None for the smallest.
        report: absolute path of the report, one HTML page; None for none.
    """
    # It replaces what it wrote before of this study, and nothing else.
    module, arguments = "analysis.figures", ["--out", str(out)]
    if report is not None:
        module, arguments = (
            "analysis.report",
            ["--out", str(report), "--figures", str(out), "--draw"],
        )
    arguments += ["--overwrite", "--experiment", experiment]
    if baseline_nodes is not None:
        arguments += ["--baseline-nodes", str(baseline_nodes)]
    printed = _run(module, arguments, {"MLFLOW_TRACKING_URI": uri}, terminal, "figures")
    if printed is not None:
        terminal.say(f"figures: {out}")
        if report is not None:
            terminal.say(f"report: {report}")
    return printed is not None


def draw_pictures(arguments: Sequence[str], terminal: Terminal) -> None:
    """Draw the pictures of a segmentation; ``arguments`` are those of ``analysis.pictures``."""
    printed = _run("analysis.pictures", arguments, {}, terminal, "pictures")
    if printed is not None:
        terminal.say(printed)


def _run(
    module: str,
    arguments: Sequence[str],
    environment: dict[str, str],
    terminal: Terminal,
    what: str,
) -> str | None:
    """What the program printed; None, with a warning, if it failed."""
    done = run(python_module(module, *arguments), environment=os.environ | environment)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        terminal.warn(f"no {what} could be made: {last[0]}")
        return None
    return done.stdout.strip()
