"""``python -m experiments.tune [overrides]``: ranks, threads, micro-batch, precision for a machine.

Options are those of `experiments.throughput.tuning` under ``tune.`` and those of a training run,
defaults in ``conf/tune.yaml``. Exit codes are those of `experiments.reporting.exit_codes`.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_section_app
from experiments.reporting.exit_codes import EXIT_FAILED
from experiments.reporting.terminal import Terminal
from experiments.throughput.tuning import (
    TuneConfig,
    TuneError,
    tune,
)


def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    try:
        return run_section_app(
            "tune", TuneConfig, lambda section, config: tune(section, config, terminal)
        )
    except TuneError as error:
        terminal.error(str(error))
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
