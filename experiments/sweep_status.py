"""Show how far the points of a sweep are; changes nothing.

    python -m experiments.sweep_status -m experiment=lr_rules
    python -m experiments.sweep_status -m experiment=weak_scaling size=paper site=slurm

Takes the arguments of the `experiments.train` command that started it. Exit codes: 0 all points are
finished, 1 one has failed or is damaged, 75 some are still to come, 2 bad input.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from omegaconf import DictConfig

from experiments.config.hydra_app import run_app, to_config
from experiments.config.naming import named_for_sweep, run_directory, run_name
from experiments.config.presets import forgotten_multirun
from experiments.config.schema import Config
from experiments.launch import slurm
from experiments.launch.slurm import job_ids
from experiments.reporting.progress import duration
from experiments.reporting.terminal import Terminal
from experiments.sweep.pace import work_of
from experiments.sweep.status import DAMAGED, locked_inodes, point_state, sweep_left_s
from ffn_core.command import command
from ffn_core.errors import InputError
from ffn_core.exit_codes import EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED

FINISHED = ("finished", "diverged")


@command
def main() -> int:
    """Run the app; returns the exit code."""
    terminal, configs = Terminal(), dict[Path, Config]()
    if line := forgotten_multirun(sys.argv[1:]):
        terminal.warn(line)

    def task(composed: DictConfig) -> None:
        config = to_config(composed)
        configs.setdefault(run_directory(config), config)

    code = run_app(task, docstring=__doc__, collects=True)
    if code or not configs:
        return code
    try:
        jobs = [job_id for run_dir in configs for job_id in job_ids(run_dir)]
        queue = slurm.states(jobs) if jobs else {}
        names = [run_name(config) for config in named_for_sweep(configs).values()]
    except InputError as error:
        terminal.error(str(error))
        return EXIT_INPUT
    locked = locked_inodes()
    states = [
        point_state(run_dir, queue, config.batch.system is not None, config.score.name, locked)
        for run_dir, config in configs.items()
    ]
    counts = Counter(state.state for state in states)
    title = f"{len(states)} point{'s' if len(states) != 1 else ''}: "
    title += ", ".join(f"{n} {state}" for state, n in counts.items())
    left_s = sweep_left_s(states, work_of(list(configs.values())))
    if left_s is not None:
        title += f"; about {duration(left_s)} left at the pace of those that run"
    columns, rows = ["point", "state", "done", "score", "left", "reason"], []
    for name, state in zip(names, states, strict=True):
        rows.append([name, *state.cells])
    if jobs:
        columns.insert(2, "job")
        for row, state in zip(rows, states, strict=True):
            row.insert(2, state.job)
    terminal.table(title, columns, rows)
    for name, state in zip(names, states, strict=True):
        if state.state == DAMAGED:
            terminal.error(f"{name}: {state.reason}")
    if counts["failed"] or counts[DAMAGED]:
        return EXIT_FAILED
    return 0 if all(state in FINISHED for state in counts) else EXIT_STOPPED


if __name__ == "__main__":
    sys.exit(main())
