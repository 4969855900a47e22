"""``python -m experiments.throughput [overrides]``: how fast, and how far does this machine scale?

Options are those of `experiments.throughput.plan` under ``throughput.`` and those of a training
run, defaults in ``conf/throughput.yaml``. Exit codes are those of
`experiments.reporting.exit_codes`.
"""

from __future__ import annotations

import sys

from experiments.config.hydra_app import run_section_app
from experiments.reporting.exit_codes import EXIT_FAILED
from experiments.reporting.terminal import Terminal
from experiments.throughput.measurement import MeasurementSeries
from experiments.throughput.plan import (
    ThroughputConfig,
)
from experiments.throughput.processes import MeasurementError


def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    try:
        return run_section_app(
            "throughput",
            ThroughputConfig,
            lambda section, config: MeasurementSeries(section, config, terminal).carry_out(),
        )
    except MeasurementError as error:
        terminal.error(str(error))
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
