"""``python -m experiments.train [overrides]``: one training run, or a sweep with ``-m``.

Exit codes: 0 all is done, 1 a point failed, 2 bad input, 130 interrupted (repeat the command to
continue). A sweep continues past points that fail, and repeating it runs only what is not finished.
"""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from experiments.config.hydra_app import (
    in_multirun,
    preset_name,
    preset_question,
    run_app,
    to_config,
)
from experiments.reporting.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from experiments.reporting.terminal import Terminal
from experiments.sweep.sweep import Sweep


def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    arguments = sys.argv[1:]
    sweep = Sweep(arguments, terminal, preset_question(arguments), preset_name(arguments))

    def task(composed: DictConfig) -> None:
        sweep.add(to_config(composed), in_multirun())

    code = run_app(task, then=sweep.run, collects=True)
    sweep.close(interrupted=code == EXIT_INTERRUPTED)
    return code or (EXIT_FAILED if sweep.failed else 0)


if __name__ == "__main__":
    sys.exit(main())
