"""Train for hours and see whether it leaks.

    python -m experiments.soak
    python -m experiments.soak --minutes 10 --out soak10

Trains the tiny network on synthetic data on two ranks, with validation, records and checkpoints at
a quick pace, and watches memory, open descriptors and threads of every rank. ``samples.csv`` and
``verdict.json`` say what was seen; the exit code is 0 for PASS, 1 for FAIL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.benchmarks.leaks import judge, soak_config, watch
from experiments.launch.rank_numbers import require_no_launcher
from experiments.reporting import run_files
from experiments.reporting.provenance import provenance
from experiments.reporting.terminal import Terminal
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.exit_codes import EXIT_FAILED, EXIT_INPUT
from ffn_core.files.outputs import new_folder
from ffn_core.limits.arguments import CommandParser, add_real, add_whole
from ffn_core.limits.ranges import MOST_SECONDS, MOST_THREADS, Range


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Soak and judge; returns the exit code."""
    parser = CommandParser("experiments.soak", __doc__)
    times = Range(at_least=0.01, at_most=MOST_SECONDS)
    add_real(parser, "--minutes", times, "of training", default=120.0)
    add_whole(parser, "--ranks", Range(at_least=1, at_most=MOST_THREADS), default=2)
    add_real(parser, "--every-s", times, "seconds between two looks", default=15.0)
    parser.add_argument("--out", type=Path, default=Path("soak"), help="a new folder")
    options = parser.parse_args(arguments)
    terminal, run_dir = Terminal(), (options.out / "run").absolute()
    try:
        require_no_launcher(os.environ)
        new_folder(options.out)
        config = soak_config(options.out.absolute(), options.ranks)
        samples = watch(config, run_dir, options.minutes, options.every_s)
        verdicts = [judge(samples, rank) for rank in range(options.ranks)]
    except (InputError, OSError) as error:
        terminal.error(in_one_line(error))
        return EXIT_INPUT
    for verdict in verdicts:
        terminal.say(str(verdict))
    passed = all(verdict.passed for verdict in verdicts)
    values: dict[str, Any] = {"passed": passed, "minutes": options.minutes}
    values["ranks"] = [asdict(verdict) for verdict in verdicts]
    values["provenance"] = provenance()
    run_files.write_json(options.out / "verdict.json", values)
    terminal.say(f"soak: {'PASS' if passed else 'FAIL'}; samples: {options.out / 'samples.csv'}")
    return 0 if passed else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
