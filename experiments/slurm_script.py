"""What Slurm is told of a point: the arguments of sbatch and the script of the job. Pure.

Each point is a job of its own, with its own node count, whose script starts
`experiments.slurm_job`; that starts the ranks with the run's launcher. Hydra's submitit launcher is
not used: its jobs run the application once on *every* task of an allocation, each of which would
compose the config and open the MLflow run, where a multi-node run needs one parent and N ranks.

Options go to sbatch as arguments, which no shell reads; the script holds the site's own set-up
lines and one command quoted word by word.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from experiments.config.schema import Config
from experiments.job_record import FOLDER, SCRIPT
from experiments.launchers import placement
from experiments.reporting.run_files import LOGS


@dataclass(frozen=True)
class Job:
    """A point as a job.

    Attributes:
        command: arguments of sbatch, the script's path last.
        script: text of the script.
    """

    command: list[str]
    script: str


def job(config: Config, name: str, run_dir: Path, working_dir: Path, parent: str | None) -> Job:
    """The job of one point.

    Args:
        config: the run.
        name: the point's name, shown in the queue.
        run_dir: its directory.
        working_dir: where the job runs: relative paths of the config count from there.
        parent: MLflow run of the sweep, if it is part of one.

    Raises:
        InputError: the config does not say how many processors a rank needs.
    """
    batch, placed = config.batch, placement(config)
    optional = {
        "account": batch.account,
        "partition": batch.partition,
        "qos": batch.qos,
        "constraint": batch.constraint,
    }
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        f"--nodes={placed.nodes}",
        f"--ntasks={placed.ranks}",
        f"--ntasks-per-node={placed.ranks_on_a_node}",
        f"--cpus-per-task={placed.cpus_per_rank}",
        f"--time={batch.time_limit}",
        f"--chdir={working_dir}",
        # sbatch replaces %j by the job's id, and %% by %.
        f"--output={str(run_dir / LOGS).replace('%', '%%')}/slurm-%j.out",
        "--open-mode=append",  # a requeued job goes on in its log
        f"--signal=B:TERM@{batch.warning_s}",
        "--requeue" if batch.requeues else "--no-requeue",
        *(f"--{key}={value}" for key, value in optional.items() if value is not None),
        *batch.options,
        str(run_dir / FOLDER / SCRIPT),
    ]
    return Job(command, _script(batch.setup, run_dir, parent))


def _script(setup: list[str], run_dir: Path, parent: str | None) -> str:
    program = [sys.executable, "-m", "experiments.slurm_job", str(run_dir)]
    if parent is not None:
        program += ["--parent", parent]
    # exec: the warning signal goes to the script's own process, which must be ours to act on it.
    return "\n".join(["#!/bin/bash", "set -e", *setup, f"exec {shlex.join(program)}", ""])
