"""Draw the figures of a study.

    python -m analysis.figures --out figures
    python -m analysis.figures --out figures --experiment lr_rules --overwrite

Reads an MLflow store, draws what the runs support, and writes each figure as PNG, SVG and PDF with
`captions.md`, `summary.csv` and `targets.csv`; a scan of learning rates also gives
`best_learning_rates.csv` and `learning_rate_laws.csv`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.figures.registry import COMMAND, METRICS, draw_study, study_files
from analysis.figures.style import WIDTHS_IN
from analysis.runs.sources import add_source, read_source, source_files
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files import inside
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.limits.arguments import CommandParser
from ffn_core.runtime import without_collection


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.figures", __doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory for the figures")
    parser.add_argument("--experiment", help="preset name; default: every experiment with points")
    add_overwrite(parser)
    parser.add_argument(
        "--baseline-nodes",
        type=int,
        metavar="N",
        help="scaling is relative to N nodes; default: the smallest node count",
    )
    parser.add_argument(
        "--width",
        choices=list(WIDTHS_IN),
        default="page",
        help="of a page (7 inches) or of one of its two columns (3.4); default: page",
    )
    add_source(parser)
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code. Several experiments get a subdirectory each."""
    arguments = _arguments(argv)
    # A table that goes to a file is not cut to the width of a terminal that is not there.
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        if arguments.out.exists() and not arguments.out.is_dir():
            raise InputError(f"--out {arguments.out} is a file: name a directory")
        with without_collection():
            runs = read_source(arguments, arguments.experiment, METRICS)
        names, out = runs.experiments(), arguments.out
        folders = {name: out if len(names) == 1 else inside(out, name) for name in names}
        outputs = Outputs(COMMAND, source_files(arguments), arguments.overwrite)
        outputs.check([file for folder in folders.values() for file in study_files(folder)])
        for name, folder in folders.items():
            study = runs.select(runs.table["experiment"] == name)
            draw_study(
                study, name, folder, console, outputs, arguments.baseline_nodes, arguments.width
            )
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
