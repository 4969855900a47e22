"""``python -m experiments.sweep_status [-m] [overrides]``: how far the points of a sweep are.

Takes the arguments of the `experiments.train` command that started it, and changes nothing. Exit
codes: 0 all points are finished, 1 one has failed or is damaged, 75 some are still to come, 2 bad
input.
"""

from __future__ import annotations

import sys
from collections import Counter

from omegaconf import DictConfig

from experiments.config.hydra_app import run_app, to_config
from experiments.config.naming import point_name, run_directory
from experiments.config.schema import Config
from experiments.launch import slurm
from experiments.launch.slurm import job_ids
from experiments.reporting.exit_codes import EXIT_FAILED, EXIT_INPUT, EXIT_STOPPED
from experiments.reporting.terminal import Terminal
from experiments.sweep.status import DAMAGED, PointState, point_state
from ffn_core.errors import InputError

FINISHED = ("finished", "diverged")


def main() -> int:
    """Run the app; returns the exit code."""
    configs: list[Config] = []

    def task(composed: DictConfig) -> None:
        configs.append(to_config(composed))

    code = run_app(task, collects=True)
    if code:
        return code
    points = [(point_name(c), run_directory(c)) for c in configs]
    try:
        jobs = [job_id for _, run_dir in points for job_id in job_ids(run_dir)]
        queue = slurm.states(jobs) if jobs else {}
    except InputError as error:
        Terminal().error(str(error))
        return EXIT_INPUT
    found = [(name, point_state(run_dir, queue)) for name, run_dir in points]
    counts = Counter(state.state for _, state in found)
    title = f"{len(found)} points: " + ", ".join(f"{n} {state}" for state, n in counts.items())
    rows = [_row(name, state) for name, state in found]
    terminal = Terminal()
    terminal.table(title, ["point", "state", "job", "done", "reason"], rows)
    for name, state in found:
        if state.state == DAMAGED:
            terminal.error(f"{name}: {state.reason}")
    if counts["failed"] or counts[DAMAGED]:
        return EXIT_FAILED
    return 0 if all(state in FINISHED for state in counts) else EXIT_STOPPED


def _row(name: str, state: PointState) -> list[str]:
    done = "" if state.progress is None else f"{state.progress:.0%}"
    reason = "see below" if state.state == DAMAGED else " ".join(state.reason.split())
    return [name, state.state, state.job, done, reason]


if __name__ == "__main__":
    sys.exit(main())
