"""A dry run: the points of a sweep, what they cost, and exactly what would be started for them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from experiments.config.naming import point_name, run_directory
from experiments.config.schema import Config
from experiments.cost import CostModel, Estimate
from experiments.launch.launchers import as_typed
from experiments.launch.slurm import job
from experiments.reporting import run_files
from experiments.reporting.redaction import redacted_text
from experiments.reporting.terminal import Screen, duration


class SweepPlan:
    """The points of one command, none of which is run."""

    def __init__(self, runs_dir: Path) -> None:
        self._costs = CostModel(runs_dir)
        self._planned: list[tuple[Config, Estimate]] = []

    def add(self, config: Config) -> None:
        """Note a point.

        Raises:
            InputError: its launcher is unknown, or needs more of the config.
        """
        what_would_run(config)
        self._planned.append((config, self._costs.estimate(config)))

    def show(self, screen: Screen) -> None:
        """Print a table of the points, and the command of each that is not finished."""
        rows, total_s = [], 0.0
        for config, estimate in self._planned:
            state = _state(run_directory(config))
            if state != "finished":
                total_s += estimate.seconds
            row = [point_name(config), state, str(config.budget), duration(estimate.seconds)]
            rows.append([*row, estimate.basis])
        title = f"{len(rows)} points, training time left about {duration(total_s)}"
        screen.table(title, ["point", "state", "budget", "training", "estimated from"], rows)
        for config, _ in self._planned:
            if _state(run_directory(config)) != "finished":
                print(f"\n{point_name(config)}")
                print("\n".join(f"  {redacted_text(line)}" for line in what_would_run(config)))


def what_would_run(config: Config) -> list[str]:
    """Lines that say what starts the ranks of a point; for a job also how it gets there."""
    run_dir = run_directory(config)
    start = as_typed(config, run_dir, as_root=os.geteuid() == 0)
    if config.batch.system is None:
        return [start]
    made = job(config, point_name(config), run_dir, Path.cwd(), parent=None)
    return [
        shlex.join(made.command),
        "which runs",
        *(f"  {line}" for line in made.script.splitlines()),
        "which starts",
        f"  {start}",
    ]


def _state(run_dir: Path) -> str:
    if (run_dir / run_files.RESULT).is_file():
        return "finished"
    return "to resume" if (run_dir / run_files.CHECKPOINTS).is_dir() else "to run"
