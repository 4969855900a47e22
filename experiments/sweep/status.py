"""How far a point is, read from its run directory and the state of its job."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.launch.slurm import WAITING, JobState, newest_jobs
from experiments.reporting.progress import RunProgress, duration, share_done
from experiments.reporting.run_files import METRICS, RunDirectory
from ffn_core.errors import InputError
from ffn_core.metric_names import SCORE_FINAL

DAMAGED = "damaged"
ENDED = ("finished", "diverged", "failed", DAMAGED)

FRESH_S = 60.0
"""A run without a job counts as running while its progress is no older than this."""


@dataclass(frozen=True)
class PointState:
    """One line of a sweep's status.

    Attributes:
        state: ``finished``, ``diverged``, ``running``, ``starting``, ``queued``, ``failed``,
            ``stopped``, ``not started``, ``not submitted``, or `DAMAGED` where a file of the run
            is.
        job: id of its newest job, if any.
        progress: share of the budget done, 0 to 1; None before the first step.
        reason: why it waits or failed, or what to do about the damage.
        score: final score of one that has ended, newest of another; None before there is one.
        left_s: seconds of training left at the pace so far; None while that is not known.
    """

    state: str
    job: str = ""
    progress: float | None = None
    reason: str = ""
    score: float | None = None
    left_s: float | None = None

    @property
    def cells(self) -> list[str]:
        """State, share done, score, time left and reason as a table shows them."""
        done = "" if self.progress is None else f"{self.progress:.0%}"
        score = "" if self.score is None else f"{self.score:.3f}"
        left = "" if self.left_s is None else duration(self.left_s)
        reason = "see below" if self.state == DAMAGED else " ".join(self.reason.split())
        return [self.state, done, score, left, reason]


def sweep_left_s(states: Sequence[PointState], work: Sequence[float]) -> float | None:
    """Seconds of training that a sweep has left, at the pace of the points that run now.

    Args:
        states: of its points.
        work: how much each has to do in all, relative to the others, as of `pace.work_of`.

    Returns:
        None where no running point has a pace yet, or nothing is left.
    """
    left, pace = 0.0, 0.0
    for state, whole in zip(states, work, strict=True):
        if state.state in ENDED:
            continue
        todo = whole * (1 - (state.progress or 0.0))
        left += todo
        if state.state == "running" and state.left_s:
            pace += todo / state.left_s
    return left / pace if left > 0 and pace > 0 else None


def locked_inodes(locks: Path = Path("/proc/locks")) -> frozenset[int]:
    """Inodes that processes of this host have locked by ``flock``; reading them changes nothing."""
    lines = locks.read_text().splitlines() if locks.is_file() else []
    fields = [line.split() for line in lines if " FLOCK " in line]
    return frozenset(int(one[5].rpartition(":")[2]) for one in fields if len(one) > 5)


def point_state(
    run_dir: Path,
    jobs: Mapping[str, JobState],
    by_jobs: bool = False,
    score: str = "",
    locked: Collection[int] = frozenset(),
) -> PointState:
    """State of the run in ``run_dir``.

    Args:
        run_dir: its directory, which may not be there yet.
        jobs: states of jobs by id.
        by_jobs: whether points are submitted as jobs.
        score: metric that points are judged by.
        locked: as of `locked_inodes`: a command locks the directory that it works on.
    """
    try:
        found = _point_state(run_dir, jobs, by_jobs, locked)
        if found.state in (DAMAGED, "not started", "not submitted"):
            return found
        if found.job in jobs and not RunDirectory(run_dir).finished:
            stage = _stage_of(run_dir, found.job)
            found = replace(found, reason=": ".join(filter(None, (stage, found.reason))))
        return replace(found, score=_score(RunDirectory(run_dir), score))
    except InputError as error:
        return PointState(DAMAGED, reason=str(error))


def _score(run: RunDirectory, name: str) -> float | None:
    """The final score of a run that has ended, else its newest."""
    final = (run.result().get("score") or {}).get(SCORE_FINAL)
    if final is not None:
        return float(final)
    records = run.records() if (run.path / METRICS).is_file() else []
    found = [record.metrics[name] for record in records if name in record.metrics]
    return found[-1] if found else None


def _point_state(
    run_dir: Path, jobs: Mapping[str, JobState], by_jobs: bool, locked: Collection[int]
) -> PointState:
    run = RunDirectory(run_dir)
    job = _job_of(run_dir, jobs)
    if result := run.result():
        return PointState(result["outcome"], job, 1.0, result.get("message", ""))
    progress = run.progress()
    share, left_s = share_done(progress), RunProgress("").after(progress, []).left_s
    if run_dir.is_dir() and run_dir.stat().st_ino in locked:
        return PointState("starting" if share is None else "running", job, share, left_s=left_s)
    queued = jobs.get(job)
    if queued is not None and queued.active:
        state = "queued" if queued.state in WAITING else "running"
        return PointState(state, job, share, queued.reason, left_s=left_s)
    if failure := run.failure():
        return PointState("failed", job, share, failure["message"])
    if not job and run.progress_age_s() < FRESH_S:
        return PointState("running", job, share, left_s=left_s)
    if queued is not None and queued.state != "COMPLETED":
        kind = "stopped" if queued.state == "CANCELLED" else "failed"
        said = queued.state.lower().replace("_", " ")
        return PointState(kind, job, share, f"{said} ({queued.reason})" if queued.reason else said)
    if job:
        return PointState("stopped", job, share, "its job has ended; submit it again")
    if share is None:
        return PointState("not submitted" if by_jobs else "not started")
    return PointState("stopped", job, share, "repeat the training command to continue")


def _stage_of(run_dir: Path, job_id: str) -> str:
    """``stage 2 of 3`` for a job of one of several stages, else nothing."""
    stage_of = {one: stage for stage, one in newest_jobs(run_dir).items()}
    stages = max(stage_of.values(), default=0) + 1
    return f"stage {stage_of[job_id] + 1} of {stages}" if stages > 1 else ""


def _job_of(run_dir: Path, jobs: Mapping[str, JobState]) -> str:
    """The job that counts, of a run that is one job or one after the other for its stages.

    Of those in the queue the first, as the others wait for it. If there is none, the first that did
    not end well, as the others were taken out of the queue because of it; else the newest.
    """
    known = list(newest_jobs(run_dir).values())
    states = {one: jobs[one] for one in known if one in jobs}
    queued = [one for one, state in states.items() if state.active]
    ended_badly = [one for one, state in states.items() if state.state != "COMPLETED"]
    return (queued[:1] or ended_badly[:1] or known[-1:] or [""])[0]
