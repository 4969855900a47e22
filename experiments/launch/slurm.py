"""Slurm: job scripts, submitting, asking for states, putting a job back into the queue."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.config.schema import Config
from experiments.launch.launchers import gpu_options, placement
from experiments.reporting import run_files
from experiments.reporting.run_files import LOGS
from ffn_core.child_process import python_module
from ffn_core.devices.host import room_for_ranks
from ffn_core.errors import InputError

WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
RUNNING = {"RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT", "COMPLETING"}
"""A job that completes may be on its way back into the queue."""


@dataclass(frozen=True)
class JobState:
    """What Slurm says of a job: ``state`` in capitals, and why it waits or ended."""

    state: str
    reason: str = ""

    @property
    def active(self) -> bool:
        """Whether the job will run or end by itself."""
        return self.state in WAITING | RUNNING


def submit(command: Sequence[str]) -> str:
    """Submit a job; returns its id.

    Raises:
        InputError: Slurm does not take it, with what it says.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InputError(
            "batch.system=slurm needs sbatch on the PATH; run this on a login node of the cluster"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise InputError(f"Slurm refused the job: {said}; see the batch section of the config")
    return done.stdout.strip().partition(";")[0]


def states(job_ids: Sequence[str]) -> dict[str, JobState]:
    """States of jobs by id, from the queue and, for those no longer in it, from accounting.

    Slurm's controller remembers a job for some minutes after its end. One that neither it nor
    accounting knows is left out: it ended some time ago.

    Raises:
        InputError: Slurm does not answer.
    """
    found: dict[str, JobState] = {}
    squeue = ("squeue", f"--user={os.getuid()}", "--states=all", "--noheader")
    for job_id, state, reason in _rows(*squeue, "--format=%i|%T|%r"):
        found[job_id] = JobState(state, "" if reason == "None" else reason)
    missing = [job_id for job_id in job_ids if job_id not in found]
    if missing:
        sacct = ("sacct", "--allocations", "--noheader", "--parsable2")
        what = ("--format=JobID,State,Reason", f"--jobs={','.join(missing)}")
        for job_id, state, reason in _rows(*sacct, *what, optional=True):
            # "CANCELLED by 1000"
            found[job_id] = JobState(state.split()[0], "" if reason == "None" else reason)
    return {job_id: found[job_id] for job_id in job_ids if job_id in found}


def requeue(job_id: str) -> bool:
    """Put a running job back into the queue, which ends this instance; False if it is on its way.

    A job that was canceled, or that Slurm puts back by itself, is left alone.
    """
    state = states([job_id]).get(job_id)
    if state is None or state.state != "RUNNING":
        return False
    done = subprocess.run(["scontrol", "requeue", job_id], check=False)
    return done.returncode == 0


def _rows(*command: str, optional: bool = False) -> list[tuple[str, str, str]]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InputError(f"{command[0]} is not on the PATH; is this a Slurm machine?") from None
    if done.returncode and not optional:
        raise InputError(f"{command[0]} failed: {' '.join(done.stderr.split())}")
    rows = (line.split("|") for line in done.stdout.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]


FOLDER = "job"
JOB = "job.json"


def job_ids(run_dir: Path) -> list[str]:
    """Jobs that a run was submitted as, the newest last."""
    return list(_known_jobs(run_dir).get("job_ids", []))


def newest_jobs(run_dir: Path) -> dict[int, str]:
    """The newest job of a run by the stage it is for, in their order; 0 where there are no stages.

    Those of stages that were done when the run was last submitted are left out.
    """
    known = _known_jobs(run_dir)
    if "by_stage" not in known:  # from before it was kept
        return dict(enumerate(known.get("job_ids", [])[-1:]))
    return {int(stage): str(job_id) for stage, job_id in known["by_stage"].items()}


def add_job(
    run_dir: Path,
    job_id: str,
    command: Sequence[str],
    stage: int = 0,
    before: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Note that a run was submitted, once more or for the first time.

    Args:
        run_dir: its directory.
        job_id: its new job.
        command: that submitted it.
        stage: that the job is for.
        before: jobs that still count, by stage.
    """
    by_stage = {str(one): known for one, known in (*before.items(), (stage, job_id))}
    values = {
        "job_ids": [*job_ids(run_dir), job_id],
        "by_stage": by_stage,
        "command": list(command),
        "unix_s": time.time(),
    }
    run_files.write_json(run_dir / FOLDER / JOB, values)


def _known_jobs(run_dir: Path) -> dict[str, Any]:
    remedy = "remove it: jobs of this run that are in the queue are then no longer known here"
    return run_files.read_json(run_dir / FOLDER / JOB, remedy, {"job_ids": list}) or {}


@dataclass(frozen=True)
class Job:
    """A point as a job.

    Attributes:
        command: arguments of sbatch, the script's path last.
        script: text of the script.
        script_name: its name in the run directory's ``job`` folder.
    """

    command: list[str]
    script: str
    script_name: str


def jobs(
    config: Config, name: str, run_dir: Path, working_dir: Path, parent: str | None
) -> list[Job]:
    """The job of one point, or one for each of its stages; arguments as of `job`.

    Each after the first is to be submitted by `after`.
    """
    return [job(each, name, run_dir, working_dir, parent) for each in config.each_stage()]


def after(command: Sequence[str], job_id: str) -> list[str]:
    """The sbatch ``command`` of a job that waits until ``job_id`` has ended well.

    Slurm takes it out of the queue if that one does not.
    """
    dependency = [f"--dependency=afterok:{job_id}", "--kill-on-invalid-dep=yes"]
    return [*command[:-1], *dependency, command[-1]]


def job(config: Config, name: str, run_dir: Path, working_dir: Path, parent: str | None) -> Job:
    """The job of one point.

    Args:
        config: the run; in one of its stages the job is that of this stage alone.
        name: the point's name, shown in the queue.
        run_dir: its directory.
        working_dir: where the job runs: relative paths of the config count from there.
        parent: MLflow run of the sweep, if it is part of one.

    Raises:
        InputError: the config does not say how many processors a rank needs.
    """
    batch, placed = config.batch, placement(config.on(room_for_ranks(config.device)))
    optional = {
        "account": batch.account,
        "partition": batch.partition,
        "qos": batch.qos,
        "constraint": batch.constraint,
    }
    script_name, label = "job.sh", name
    if config.stage is not None:
        script_name = f"job-stage{config.stage + 1}.sh"
        label = f"{name} stage {config.stage + 1}/{len(config.stages)}"
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={label}",
        f"--nodes={placed.nodes}",
        f"--ntasks={placed.ranks}",
        f"--ntasks-per-node={placed.ranks_on_a_node}",
        f"--cpus-per-task={placed.cpus_per_rank}",
        *gpu_options(config.launcher),
        f"--time={batch.time_limit}",
        f"--chdir={working_dir}",
        # sbatch replaces %j by the job's id, and %% by %.
        f"--output={str(run_dir / LOGS).replace('%', '%%')}/slurm-%j.out",
        "--open-mode=append",  # a requeued job adds to its log
        f"--signal=B:TERM@{batch.warning_s}",
        "--requeue" if batch.requeues else "--no-requeue",
        *(f"--{key}={value}" for key, value in optional.items() if value is not None),
        *batch.options,
        str(run_dir / FOLDER / script_name),
    ]
    program = python_module("experiments.sweep.slurm_job", str(run_dir))
    if parent is not None:
        program += ["--parent", parent]
    if not config.cluster.ranks:  # as many as the allocation was made for
        program += ["--ranks", str(placed.ranks)]
    if config.stage is not None:
        program += ["--stage", str(config.stage)]
    return Job(command, _script(batch.setup, program), script_name)


def _script(setup: list[str], program: list[str]) -> str:
    # exec: the warning signal goes to the script's own process, which must be ours to act on it.
    return "\n".join(["#!/bin/bash", "set -e", *setup, f"exec {shlex.join(program)}", ""])
