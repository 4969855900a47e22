"""How far a point is, read from its run directory and what the batch system says of its job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.launch.slurm import WAITING, JobState, job_ids
from experiments.reporting import run_files

FRESH_S = 60.0
"""A run without a job counts as running while its progress is no older than this."""


@dataclass(frozen=True)
class PointState:
    """One line of a sweep's status.

    Attributes:
        state: ``finished``, ``diverged``, ``running``, ``queued``, ``failed``, ``stopped`` or
            ``not submitted``.
        job: id of its newest job, if any.
        progress: share of the budget done, 0 to 1; None before the first step.
        reason: why it waits or failed.
    """

    state: str
    job: str = ""
    progress: float | None = None
    reason: str = ""


def point_state(run_dir: Path, jobs: Mapping[str, JobState]) -> PointState:
    """State of the run in ``run_dir``, given the states of jobs by id."""
    result = run_files.read_json(run_dir / run_files.RESULT)
    job = _job_of(run_dir, jobs)
    if result is not None:
        return PointState(result["outcome"], job, 1.0, result.get("message", ""))
    share = progress(run_files.read_json(run_dir / run_files.PROGRESS))
    queued = jobs.get(job)
    if queued is not None and queued.active:
        state = "queued" if queued.state in WAITING else "running"
        return PointState(state, job, share, queued.reason)
    failure = run_files.read_json(run_dir / run_files.FAILURE)
    if failure is not None:
        return PointState("failed", job, share, failure["message"])
    if not job and _is_fresh(run_dir / run_files.PROGRESS):
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


def progress(values: Mapping[str, Any] | None) -> float | None:
    """Share of a budget that a progress file reports done."""
    if values is None:
        return None
    if values["budget_s"] is not None:
        return min(1.0, float(values["elapsed_s"] / values["budget_s"]))
    return float(values["step"] / values["budget_steps"])


def _is_fresh(path: Path) -> bool:
    return path.is_file() and time.time() - path.stat().st_mtime < FRESH_S
