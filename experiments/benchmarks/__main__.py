"""Measure the performance ratios of this project here.

    python -m experiments.benchmarks
    python -m experiments.benchmarks --only points --quick

Prints a table, and writes it with versions and host into a folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from experiments.benchmarks.commands import emulation, prepare, startup
from experiments.benchmarks.defaults import choices
from experiments.benchmarks.networks import PAPER, TINY, network
from experiments.benchmarks.points import points
from experiments.benchmarks.precision import precision
from experiments.benchmarks.ratio import COLUMNS, Ratio, markdown, row
from experiments.benchmarks.runner import Bench
from experiments.reporting import run_files
from experiments.reporting.provenance import provenance
from experiments.reporting.terminal import Terminal
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.exit_codes import EXIT_INPUT
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.limits.arguments import CommandParser, add_whole
from ffn_core.limits.ranges import Range

PARTS: dict[str, Callable[[Bench], list[Ratio]]] = {
    "paper": lambda bench: network(bench, PAPER),
    "tiny": lambda bench: network(bench, TINY),
    "precision": precision,
    "emulation": emulation,
    "points": points,
    "choices": choices,
    "prepare": prepare,
    "startup": startup,
}
"""By name, in the order in which they are run."""

JSON, MARKDOWN = "benchmark.json", "benchmark.md"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, show and write; returns the exit code."""
    terminal = Terminal()
    arguments = _parser().parse_args(argv)
    outputs = Outputs("experiments.benchmarks", (), arguments.overwrite, terminal.say)
    try:
        outputs.check([arguments.out / JSON, arguments.out / MARKDOWN])
        folder = Path(tempfile.mkdtemp(prefix="ffn-benchmark-"))
        bench = Bench(folder, arguments.repeats, arguments.quick)
        chosen = arguments.only or list(PARTS)
        facts = _facts(arguments)
        ratios: list[Ratio] = []
        for number, name in enumerate(chosen, start=1):
            terminal.say(f"[{number}/{len(chosen)}] {name}")
            ratios += PARTS[name](bench)
            _write(outputs, arguments.out, ratios, facts)
    except (InputError, OSError) as error:
        terminal.error(in_one_line(error))
        return EXIT_INPUT
    terminal.table("performance", COLUMNS, [row(one) for one in ratios])
    terminal.say(f"written to {arguments.out}")
    shutil.rmtree(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("experiments.benchmarks", __doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmark"), metavar="DIR", help="default: %(default)s"
    )
    add_overwrite(parser)
    repeats = Range(at_least=1, at_most=1000)
    add_whole(parser, "--repeats", repeats, "default: %(default)s", default=5, metavar="N")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(PARTS),
        metavar="PART",
        help="some of: %(choices)s",
    )
    parser.add_argument(
        "--quick", action="store_true", help="go through everything quickly; no number means much"
    )
    return parser


def _facts(arguments: argparse.Namespace) -> dict[str, str]:
    run = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "repeats": str(arguments.repeats)
        + (" (quick: not for quoting)" if arguments.quick else ""),
    }
    return run | {k: v for k, v in provenance().items() if k != "host.name"}


def _write(outputs: Outputs, folder: Path, ratios: list[Ratio], facts: dict[str, str]) -> None:
    values = {"about": facts, "claims": [dataclasses.asdict(c) | {"met": c.met} for c in ratios]}
    with outputs.place(folder / JSON) as path:
        run_files.write_json(path, values)
    with outputs.place(folder / MARKDOWN) as path:
        path.write_text(markdown(ratios, facts))


if __name__ == "__main__":
    sys.exit(main())
