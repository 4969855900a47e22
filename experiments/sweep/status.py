"""How far a point is, read from its run directory and the state of its job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.launch.slurm import WAITING, JobState, job_ids
from experiments.reporting.run_files import RunDirectory
from ffn_core.errors import InputError

DAMAGED = "damaged"

FRESH_S = 60.0
"""A run without a job counts as running while its progress is no older than this."""


@dataclass(frozen=True)
class PointState:
    """One line of a sweep's status.

    Attributes:
        state: ``finished``, ``diverged``, ``running``, ``queued``, ``failed``, ``stopped``,
            ``not submitted``, or `DAMAGED` where a file of the run is.
        job: id of its newest job, if any.
        progress: share of the budget done, 0 to 1; None before the first step.
        reason: why it waits or failed, or what to do about the damage.
    """

    state: str
    job: str = ""
    progress: float | None = None
    reason: str = ""


def point_state(run_dir: Path, jobs: Mapping[str, JobState]) -> PointState:
    """State of the run in ``run_dir``, given the states of jobs by id."""
    try:
        return _point_state(run_dir, jobs)
    except InputError as error:
        return PointState(DAMAGED, reason=str(error))


def _point_state(run_dir: Path, jobs: Mapping[str, JobState]) -> PointState:
    run = RunDirectory(run_dir)
    job = _job_of(run_dir, jobs)
    if result := run.result():
        return PointState(result["outcome"], job, 1.0, result.get("message", ""))
    share = progress(run.progress())
    queued = jobs.get(job)
    if queued is not None and queued.active:
        state = "queued" if queued.state in WAITING else "running"
        return PointState(state, job, share, queued.reason)
    if failure := run.failure():
        return PointState("failed", job, share, failure["message"])
    if not job and run.progress_age_s() < FRESH_S:
        return PointState("running", job, share)
    if queued is not None and queued.state != "COMPLETED":
        kind = "stopped" if queued.state == "CANCELLED" else "failed"
        said = queued.state.lower().replace("_", " ")
        return PointState(kind, job, share, f"{said} ({queued.reason})" if queued.reason else said)
    if job:
        return PointState("stopped", job, share, "its job has ended; submit it again")
    return PointState("not submitted" if share is None else "stopped", job, share)


def _job_of(run_dir: Path, jobs: Mapping[str, JobState]) -> str:
    """The job that counts: of those in the queue the first, as the others wait; else the newest."""
    known = job_ids(run_dir)
    queued = [one for one in known if one in jobs and jobs[one].active]
    return (queued[:1] or known[-1:] or [""])[0]


def progress(values: Mapping[str, Any]) -> float | None:
    """Share of a budget that a progress file reports done; None for an empty one."""
    if not values:
        return None
    if values["budget_s"] is not None:
        return min(1.0, float(values["elapsed_s"] / values["budget_s"]))
    return float(values["step"] / values["budget_steps"])
