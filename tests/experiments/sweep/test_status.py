"""How far a point is, from the files a run and its job leave."""

import os
import time

import pytest

from experiments.launch.slurm import FOLDER, JOB, JobState
from experiments.reporting import run_files
from experiments.sweep.outcome import Outcome
from experiments.sweep.slurm_job import hosts_of, worth_repeating
from experiments.sweep.status import PointState, point_state


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
    assert point_state(run_dir / "missing", {}) == PointState("not submitted")


def test_queued_says_why_it_waits(run_dir):
    submitted(run_dir, "3", "7")
    states = {"7": JobState("PENDING", "Resources")}
    assert point_state(run_dir, states) == PointState("queued", "7", None, "Resources")


def test_of_jobs_that_wait_for_each_other_the_first_counts(run_dir):
    submitted(run_dir, "3", "7", "8")
    states = {"3": JobState("FAILED"), "7": JobState("RUNNING"), "8": JobState("PENDING")}
    assert point_state(run_dir, states) == PointState("running", "7")
    del states["7"]
    assert point_state(run_dir, states).job == "8"


def test_running_says_how_far(run_dir):
    submitted(run_dir, "7")
    at_step(run_dir, 2)
    states = {"7": JobState("RUNNING")}
    assert point_state(run_dir, states) == PointState("running", "7", 0.25)


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
    assert point_state(run_dir, {}) == PointState("running", "", 0.5)
    at_step(run_dir, 4, age_s=3600)
    assert point_state(run_dir, {}) == PointState("stopped", "", 0.5)


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


def test_hosts_of_an_allocation():
    assert hosts_of(["n1", "n2"], 2) == "n1:2,n2:2"
