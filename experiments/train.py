"""Train one network, or sweep over options with ``-m``.

    python -m experiments.train experiment=demo
    python -m experiments.train -m experiment=lr_rules cluster.nodes=8,64

A sweep continues past points that fail, and repeating a command runs only what is not finished.
Exit codes: 0 all is done, 1 a point failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from experiments.config.hydra_app import in_multirun, run_app, to_config
from experiments.config.presets import forgotten_multirun, preset_name, preset_question
from experiments.reporting.terminal import Terminal
from experiments.sweep.sweep import Sweep
from ffn_core.command import command
from ffn_core.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED


@command
def main() -> int:
    """Run the app; returns the exit code."""
    terminal = Terminal()
    arguments = sys.argv[1:]
    sweep = Sweep(arguments, terminal, preset_question(arguments), preset_name(arguments))

    if line := forgotten_multirun(arguments):
        terminal.warn(line)

    def task(composed: DictConfig) -> None:
        sweep.add(to_config(composed), in_multirun())

    code = run_app(task, then=sweep.run, docstring=__doc__, collects=True)
    sweep.close(interrupted=code == EXIT_INTERRUPTED)
    return code or (EXIT_FAILED if sweep.failed else 0)


if __name__ == "__main__":
    sys.exit(main())
