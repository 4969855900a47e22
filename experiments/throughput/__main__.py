"""Measure how fast this machine trains, and how far it scales.

    python -m experiments.throughput
    python -m experiments.throughput model=paper throughput.steps=20

Options are those under ``throughput.`` and those of a training run, defaults in
``conf/throughput.yaml``. Exit codes: 0 done, 1 a process failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_section_app
from experiments.reporting.terminal import Terminal
from experiments.throughput.measurement import MeasurementSeries
from experiments.throughput.plan import (
    ThroughputConfig,
)
from experiments.throughput.processes import MeasurementError
from ffn_core.command import command
from ffn_core.exit_codes import EXIT_FAILED


@command
def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    try:
        return run_section_app(
            "throughput",
            ThroughputConfig,
            lambda section, config: MeasurementSeries(section, config, terminal).carry_out(),
            __doc__,
        )
    except MeasurementError as error:
        terminal.error(str(error))
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
