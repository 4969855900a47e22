"""``python -m experiments.train [overrides]``: one training run, or a sweep with ``-m``.

Exit codes: 0 all is done, 1 a point failed, 2 bad input, 130 interrupted (repeat the command to go
on). A sweep goes on past points that fail, and repeating it runs only what is not finished.
"""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from experiments.conclusion import Outcome
from experiments.exit_codes import EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED
from experiments.hydra_compose import in_multirun, run_app, to_config
from experiments.point import run_point
from experiments.recorder import absolute_uri
from experiments.screen import Screen
from experiments.sweep import Sweep
from ffn_core.errors import InputError


def main() -> int:
    """Run the app; returns the exit code."""
    screen = Screen()
    sweep = Sweep(sys.argv[1:], screen)
    outcomes: list[Outcome] = []

    def task(composed: DictConfig) -> None:
        config = to_config(composed)
        parent = sweep.parent_of(config) if in_multirun() else None
        outcome = run_point(config, screen, parent)
        outcomes.append(outcome)
        if outcome.outcome == "input" and not in_multirun():
            raise InputError(outcome.message)
        line = f"{outcome.name}: {outcome.outcome}"
        screen.say(f"{line} ({outcome.message})" if outcome.message else line)
        sweep.uri = absolute_uri(config.tracking.uri)

    code = run_app(task)
    sweep.close(outcomes, interrupted=code == EXIT_INTERRUPTED)
    if outcomes and code != EXIT_INPUT:
        screen.say(f"runs: {outcomes[-1].run_dir.parent}")
        screen.say(f"compare them: mlflow ui --host 127.0.0.1 --backend-store-uri {sweep.uri}")
    failed = any(o.outcome in ("failed", "input") for o in outcomes)
    return code or (EXIT_FAILED if failed else 0)


if __name__ == "__main__":
    sys.exit(main())
