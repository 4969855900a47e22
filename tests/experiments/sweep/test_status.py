"""How far a point is, from the files a run and its job leave."""

import fcntl
import os
import re
import time

import pytest

from experiments.launch.slurm import FOLDER, JOB, JobState, add_job
from experiments.reporting import run_files
from experiments.reporting.records import Record, append
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import Outcome
from experiments.sweep.slurm_job import exit_code, hosts_of, worth_repeating
from experiments.sweep.status import PointState, locked_inodes, point_state, sweep_left_s


@pytest.fixture
def run_dir(tmp_path):
    return tmp_path


def submitted(run_dir, *job_ids):
    (run_dir / FOLDER).mkdir(exist_ok=True)
    run_files.write_json(run_dir / FOLDER / JOB, {"job_ids": list(job_ids)})


def at_step(run_dir, step, age_s=0.0):
    values = {"step": step, "elapsed_s": 2.0, "budget_steps": 8, "budget_s": None}
    run_files.write_json(run_dir / run_files.PROGRESS, values)
    then = time.time() - age_s
    os.utime(run_dir / run_files.PROGRESS, (then, then))


def test_nothing_there(run_dir):
    assert point_state(run_dir / "missing", {}) == PointState("not started")
    assert point_state(run_dir / "missing", {}, by_jobs=True) == PointState("not submitted")


def test_queued_says_why_it_waits(run_dir):
    submitted(run_dir, "3", "7")
    states = {"7": JobState("PENDING", "Resources")}
    assert point_state(run_dir, states) == PointState("queued", "7", None, "Resources")


def chain(run_dir, *job_ids, first=0):
    """Jobs of stages from the index ``first`` on."""
    jobs = {}
    for stage, job_id in enumerate(job_ids, first):
        add_job(run_dir, job_id, ["sbatch"], stage, jobs)
        jobs[stage] = job_id


def test_of_jobs_that_wait_for_each_other_the_first_counts(run_dir):
    chain(run_dir, "6", "7", "8")
    states = {"6": JobState("COMPLETED"), "7": JobState("RUNNING"), "8": JobState("PENDING")}
    assert point_state(run_dir, states) == PointState("running", "7", reason="stage 2 of 3")
    states["7"] = JobState("COMPLETED")
    states["8"] = JobState("PENDING", "Resources")
    waits = PointState("queued", "8", reason="stage 3 of 3: Resources")
    assert point_state(run_dir, states) == waits


def test_of_a_chain_that_broke_the_job_that_ended_badly_counts(run_dir):
    """Slurm cancels those that waited for it, which says nothing."""
    chain(run_dir, "6", "7", "8")
    broken = JobState("CANCELLED", "DependencyNeverSatisfied")
    states = {"6": JobState("COMPLETED"), "7": JobState("FAILED", "NonZeroExitCode"), "8": broken}
    failed = PointState("failed", "7", reason="stage 2 of 3: failed (NonZeroExitCode)")
    assert point_state(run_dir, states) == failed
    states["7"] = JobState("CANCELLED")
    assert point_state(run_dir, states) == PointState(
        "stopped", "7", reason="stage 2 of 3: cancelled"
    )
    assert point_state(run_dir, {}).job == "8"  # Slurm has forgotten them


def test_jobs_of_an_earlier_submission_do_not_count(run_dir):
    chain(run_dir, "5", "6", "7")
    chain(run_dir, "8", "9", first=1)
    states = {"6": JobState("FAILED"), "7": JobState("CANCELLED"), "8": JobState("PENDING")}
    assert point_state(run_dir, states) == PointState("queued", "8", reason="stage 2 of 3")


def test_running_says_how_far(run_dir):
    submitted(run_dir, "7")
    at_step(run_dir, 2)
    states = {"7": JobState("RUNNING")}
    assert point_state(run_dir, states) == PointState("running", "7", 0.25, left_s=6.0)


def test_a_result_is_final_whatever_the_queue_says(run_dir):
    submitted(run_dir, "7")
    run_files.write_json(run_dir / run_files.RESULT, {"outcome": "finished"})
    states = {"7": JobState("COMPLETING")}
    assert point_state(run_dir, states) == PointState("finished", "7", 1.0)


def test_a_failure_of_an_earlier_attempt_does_not_count_while_the_job_goes_on(run_dir):
    submitted(run_dir, "7")
    run_files.write_json(run_dir / run_files.FAILURE, {"message": "a rank was killed"})
    assert point_state(run_dir, {"7": JobState("PENDING", "BeginTime")}).state == "queued"
    assert point_state(run_dir, {}) == PointState("failed", "7", None, "a rank was killed")


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (JobState("CANCELLED"), ("stopped", "cancelled")),
        (JobState("TIMEOUT", "TimeLimit"), ("failed", "timeout (TimeLimit)")),
        (JobState("OUT_OF_MEMORY"), ("failed", "out of memory")),
        (None, ("stopped", "its job has ended; submit it again")),
    ],
)
def test_a_job_that_ended_without_a_word(run_dir, job, expected):
    submitted(run_dir, "7")
    found = point_state(run_dir, {} if job is None else {"7": job})
    assert (found.state, found.reason) == expected


def test_runs_without_a_job(run_dir):
    at_step(run_dir, 4)
    assert point_state(run_dir, {}) == PointState("running", "", 0.5, left_s=2.0)
    at_step(run_dir, 4, age_s=3600)
    again = "repeat the training command to continue"
    assert point_state(run_dir, {}) == PointState("stopped", "", 0.5, again)


def test_a_directory_that_a_command_works_on(run_dir):
    here = {run_dir.stat().st_ino}
    assert point_state(run_dir, {}, locked=here).state == "starting"
    at_step(run_dir, 4, age_s=3600)
    assert point_state(run_dir, {}, locked=here).state == "running"
    held = os.open(run_dir, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    found = locked_inodes()
    os.close(held)
    assert here <= found
    assert not here & locked_inodes()


def test_the_newest_score_and_then_the_final_one(run_dir):
    at_step(run_dir, 4)
    for step, value in ((2, 0.5), (4, 0.75)):
        append(run_dir / run_files.METRICS, Record(step, step, 1.0, 0.0, {"a/f1": value}))
    found = point_state(run_dir, {}, score="a/f1")
    assert found.cells == ["running", "50%", "0.750", "0:00:02", ""]
    score = {"name": "a/f1", "score/final": 0.625}
    run_files.write_json(run_dir / run_files.RESULT, {"outcome": "finished", "score": score})
    assert point_state(run_dir, {}).cells == ["finished", "100%", "0.625", "", ""]


LONG = "a rank ended with: ImportError: Extension horovod.tensorflow has not been built: no file"


def test_what_a_sweep_has_left_follows_from_the_points_that_run():
    finished = PointState("finished", progress=1.0)
    # 50 of 100 in 10 s and 80 of 400 in 40 s: 5 + 2 a second for the 50 + 80 + 70 that are left.
    running = [PointState("running", progress=0.5, left_s=10.0)]
    running += [PointState("running", progress=0.8, left_s=40.0)]
    waiting = PointState("not started")
    states, work = [finished, *running, waiting], [10.0, 100.0, 400.0, 70.0]
    assert sweep_left_s(states, work) == pytest.approx(200 / 7)
    assert sweep_left_s([finished, waiting], [10.0, 70.0]) is None
    assert sweep_left_s([finished], [10.0]) is None


@pytest.mark.parametrize("width", [80, 160])
def test_a_table_loses_nothing_whatever_the_width(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    state = PointState("failed", "1234", 0.5, LONG, 0.75, 3723.0)
    columns = ["point", "state", "done", "score", "left", "reason"]
    name = "n=64 linear warm adam lr=0.0028 s12"
    Terminal().table("1 point: 1 failed", columns, [[name, *state.cells]])
    printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert max(map(len, printed.splitlines())) <= width
    for word in (*columns, "failed", "50%", "0.750", "1:02:03"):
        assert word in printed
    letters = "".join(re.findall(r"[^\s─]", printed))
    assert sorted(letters) == sorted(
        "".join(f"1 point: 1 failed{''.join(columns)}{name}{''.join(state.cells)}".split())
    )


@pytest.mark.parametrize(
    ("outcome", "failure", "restarts", "retries", "expected"),
    [
        ("stopped", None, 9, 0, True),
        ("finished", None, 0, 9, False),
        ("input", None, 0, 9, False),
        ("failed", {"message": "a rank was killed"}, 3, 0, True),
        ("failed", {"message": "silent", "exit_code": 1, "traceback": ""}, 3, 0, True),
        ("failed", {"message": "bug", "exit_code": 1, "traceback": "T"}, 0, 0, False),
        ("failed", {"message": "bug", "exit_code": 1, "traceback": "T"}, 0, 1, True),
        ("failed", {"message": "bug", "exit_code": 1, "traceback": "T"}, 1, 1, False),
    ],
)
def test_what_goes_back_into_the_queue(run_dir, outcome, failure, restarts, retries, expected):
    if failure:
        run_files.write_json(run_dir / run_files.FAILURE, failure)
    assert worth_repeating(Outcome("", run_dir, outcome), restarts, retries) is expected


@pytest.mark.parametrize(
    ("outcome", "staged", "alone"),
    [
        ("finished", 0, 0),
        ("stage done", 0, 0),
        ("skipped", 0, 0),
        ("diverged", 3, 0),  # no node is to wait for a stage that has nothing to train
        ("failed", 1, 1),
        ("input", 2, 2),
        ("stopped", 75, 75),
    ],
)
def test_slurm_starts_the_next_stage_only_if_there_is_something_to_train(
    run_dir, outcome, staged, alone
):
    ended = Outcome("a run", run_dir, outcome)
    assert (exit_code(ended, staged=True), exit_code(ended, staged=False)) == (staged, alone)


def test_hosts_of_an_allocation():
    assert hosts_of(["n1", "n2"], 2) == "n1:2,n2:2"
