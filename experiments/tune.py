"""Find the ranks, threads, micro-batch and precision that suit this machine.

    python -m experiments.tune
    python -m experiments.tune model=paper tune.ranks=[1,2,4]

Options are those under ``tune.`` and those of a training run, defaults in ``conf/tune.yaml``. Exit
codes: 0 done, 1 a process failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_section_app
from experiments.reporting.terminal import Terminal
from experiments.throughput.tuning import (
    TuneConfig,
    TuneError,
    tune,
)
from ffn_core.command import command
from ffn_core.exit_codes import EXIT_FAILED


@command
def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    try:
        return run_section_app(
            "tune", TuneConfig, lambda section, config: tune(section, config, terminal), __doc__
        )
    except TuneError as error:
        terminal.error(str(error))
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
