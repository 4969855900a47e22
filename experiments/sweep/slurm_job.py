"""``python -m experiments.sweep.slurm_job RUN_DIR [--parent ID]``: what a job of a sweep runs.

It stands on the first node of its allocation and carries the point out as a sweep elsewhere would:
prepare, launch ranks, sync to MLflow. When Slurm warns it (preemption, time limit) it saves a
checkpoint and goes back into the queue; when ranks vanish with their node, likewise.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from experiments.config.cluster import BatchConfig
from experiments.config.config_file import load_config, write_config
from experiments.config.schema import Config
from experiments.launch import slurm
from experiments.launch.launchers import launcher_of
from experiments.launch.slurm import FOLDER
from experiments.reporting.run_files import RunDirectory
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import STAGE_DONE, Outcome
from experiments.sweep.scheduler import run_point
from ffn_core.errors import InputError
from ffn_core.exit_codes import (
    EXIT_DIVERGED,
    EXIT_FAILED,
    EXIT_INPUT,
    EXIT_STOPPED,
)
from ffn_core.limits.arguments import CommandParser, add_whole
from ffn_core.limits.ranges import MOST_NODES, Range


def main(arguments: list[str]) -> int:
    """Carry out the point of this job; returns the exit code."""
    parser = CommandParser("experiments.sweep.slurm_job", __doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--parent", default="", help="MLflow run of the sweep")
    ranks, stages = Range(at_least=1, at_most=MOST_NODES), Range(at_least=0, at_most=10**6)
    add_whole(parser, "--ranks", ranks, "where the config leaves them to the machine")
    add_whole(parser, "--stage", stages, "the only one to be carried out, from 0")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        config = load_config(given.run_dir / FOLDER)
        limit, retries = config.batch.requeues, config.sweep.retries
        here = inside_job(config)
        outcome = run_point(here, Terminal(), given.parent, given.ranks, given.stage)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except KeyboardInterrupt:
        outcome = Outcome("", given.run_dir, "stopped")
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", 0))
    if restarts < limit and worth_repeating(outcome, restarts, retries):
        print(f"{outcome.outcome}: back into the queue (restart {restarts + 1} of {limit})")
        sys.stdout.flush()
        slurm.requeue(os.environ["SLURM_JOB_ID"])
    elif outcome.outcome not in ("stopped", STAGE_DONE):  # or Slurm starts the run again by itself
        # Its secrets have served; submitting the point again writes them again.
        write_config(given.run_dir / FOLDER, config)
    _leave_reason(outcome)
    return exit_code(outcome, given.stage is not None)


def worth_repeating(outcome: Outcome, restarts: int, retries: int) -> bool:
    """Whether another attempt may end better than this one, after ``restarts`` of them.

    A run that was stopped continues where it was. Where ranks vanished or fell silent, no rank left
    a traceback of its own, and a node is probably lost. Any other failure is repeated as often as
    the sweep's ``retries``.
    """
    if outcome.outcome != "failed":
        return outcome.outcome == "stopped"
    failure = RunDirectory(outcome.run_dir).failure()
    own_fault = "exit_code" in failure and bool(failure.get("traceback"))
    return not own_fault or restarts < retries


def hosts_of(names: list[str], ranks_per_node: int) -> str:
    """Hosts as in ``launcher.hosts``: ``n1:2,n2:2``."""
    return ",".join(f"{name}:{ranks_per_node}" for name in names)


def inside_job(config: Config) -> Config:
    """The config as of inside the job: nothing more to submit, and hosts for those who ask."""
    launcher = config.launcher
    if launcher_of(launcher).takes_hosts and launcher.hosts is None:
        listed = ["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]]
        names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        if len(names) > 1:
            launcher = replace(launcher, hosts=hosts_of(names, launcher.ranks_per_node))
    return replace(config, batch=BatchConfig(), launcher=launcher)


def exit_code(outcome: Outcome, staged: bool) -> int:
    """Exit code of the job; of one of several stages, only 0 lets Slurm start the next.

    A run that diverged has come to its end, which is no failure of its job, but for later stages.
    """
    diverged = EXIT_DIVERGED if staged else 0
    codes = {"input": EXIT_INPUT, "failed": EXIT_FAILED, "stopped": EXIT_STOPPED}
    return {**codes, "diverged": diverged}.get(outcome.outcome, 0)


def _leave_reason(outcome: Outcome) -> None:
    """Print the outcome, and leave the reason of bad input behind, as ranks do theirs."""
    print(f"{outcome.outcome} {outcome.message}".strip())
    if outcome.outcome == "input":
        run = RunDirectory(outcome.run_dir)
        if not run.failure():
            run.write_failure({"exit_code": EXIT_INPUT, "message": outcome.message})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
