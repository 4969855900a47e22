"""Write the report of a study as one page that needs nothing but itself.

    python -m analysis.report --experiment lr_rules --out report.html
    python -m analysis.report --recorded analysis/recorded/lr_rules --out report.html

It says what the study shows, with intervals for what it varied, and holds its figures, a table of
its points, its configuration and where it comes from. For any experiment of an MLflow store, or a
recorded study.
"""

from __future__ import annotations

import argparse
import io
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from analysis.figures.registry import CAPTIONS, FIGURES, METRICS, draw_study, study_files
from analysis.figures.registry import COMMAND as FIGURES_COMMAND
from analysis.report.page import Picture, captions_of, report
from analysis.runs.presets import question
from analysis.runs.runs import Runs
from analysis.runs.sources import add_source, read_source, source_files
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.limits.arguments import CommandParser, add_whole
from ffn_core.limits.ranges import MOST_NODES, Range
from ffn_core.metric_names import BASELINE_NODES, PARALLEL_EFFICIENCY, SCORE_BEST
from ffn_core.runtime import without_collection

COMMAND: Final = "analysis.report"

_METRICS: Final = METRICS | {BASELINE_NODES, PARALLEL_EFFICIENCY, SCORE_BEST}

_KINDS: Final = {".svg": "image/svg+xml", ".png": "image/png"}
_MOST_SVG_BYTES: Final = 1_500_000
"""A larger drawing goes into the page as pixels."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.report", __doc__)
    parser.add_argument("--experiment", help="its name; may be left out where there is only one")
    parser.add_argument("--out", type=Path, required=True, help="the page, such as report.html")
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="folder of figures that `analysis.figures` has drawn; default: draw them",
    )
    parser.add_argument(
        "--draw", action="store_true", help="draw the figures into that folder first, and keep them"
    )
    add_overwrite(parser)
    add_whole(
        parser,
        "--baseline-nodes",
        Range(at_least=1, at_most=MOST_NODES),
        "scaling is relative to N nodes; default: the smallest node count",
        metavar="N",
    )
    add_source(parser)
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    try:
        outputs = Outputs(COMMAND, source_files(arguments), arguments.overwrite)
        outputs.check([arguments.out])
        with without_collection():
            runs = read_source(arguments, arguments.experiment, _METRICS)
        experiment = _only_experiment(runs)
        with tempfile.TemporaryDirectory() as passing:
            figures = arguments.figures or Path(passing)
            if arguments.draw or arguments.figures is None:
                drawings = Outputs(FIGURES_COMMAND, source_files(arguments), arguments.overwrite)
                drawings.check(study_files(figures))
                silent, baseline = Console(file=io.StringIO()), arguments.baseline_nodes
                draw_study(runs, experiment, figures, silent, drawings, baseline)
            captions = _captions(figures)
            pictures = _pictures(figures, captions)
        command = shlex.join(
            ["python", "-m", COMMAND, "--experiment", experiment, "--out", arguments.out.name]
        )
        page = report(experiment, runs, question(experiment), pictures, captions, command)
        with outputs.place(arguments.out) as path:
            path.write_text(page)
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {len(runs.table)} points, {len(pictures)} figures")
    return 0


def _only_experiment(runs: Runs) -> str:
    """Name of the one experiment that the runs are of."""
    names = runs.experiments()
    if len(names) != 1:
        raise InputError(
            f"a report is of one study: choose one with --experiment {names[0]}, or "
            f"another of {', '.join(names)}"
        )
    return names[0]


def _captions(folder: Path) -> dict[str, str]:
    path = folder / CAPTIONS
    if not path.is_file():
        raise InputError(
            f"--figures {folder} holds no {CAPTIONS}: draw the figures first, or leave "
            "the option out"
        )
    return captions_of(path.read_text())


def _pictures(folder: Path, captions: dict[str, str]) -> list[Picture]:
    """The figures of a folder, in the order of the registry, as drawings where these are small."""
    found = []
    for name in FIGURES:
        files = [folder / f"{name}{suffix}" for suffix in _KINDS]
        kept = [path for path in files if path.is_file()]
        small = [path for path in kept if path.stat().st_size <= _MOST_SVG_BYTES]
        for path in (small or kept)[:1]:
            kind = _KINDS[path.suffix]
            found.append(Picture(name, path.read_bytes(), kind, captions.get(name, "")))
    return found


if __name__ == "__main__":
    sys.exit(main())
