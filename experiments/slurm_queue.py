"""Talking to Slurm: submitting, asking for states, putting a job back into the queue."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

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
        """Whether the job will go on without anybody's doing."""
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

    A job that neither knows is left out: it ended some time ago.

    Raises:
        InputError: Slurm does not answer.
    """
    found: dict[str, JobState] = {}
    mine = f"--user={os.getuid()}"
    for job_id, state, reason in _rows("squeue", mine, "--noheader", "--format=%i|%T|%r"):
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

    A job that was cancelled, or that Slurm puts back by itself, is left alone.
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
