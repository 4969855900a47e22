"""What is handed to Slurm, by a program in sbatch's place that notes its arguments."""

import json
import sys

import numpy as np
import pytest

from experiments.config.config_file import load_config
from experiments.config.naming import run_directory
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.slurm import FOLDER, job_ids, newest_jobs
from experiments.reporting import run_files
from experiments.sweep.slurm_submit import left_to_submit, submit_point
from ffn_core.training import checkpoint as checkpoints

SBATCH = """#!{python}
import json, pathlib, sys
noted = pathlib.Path({noted!r})
calls = json.loads(noted.read_text()) if noted.exists() else []
noted.write_text(json.dumps([*calls, sys.argv[1:]]))
print(100 + len(calls))
"""


def queue(tmp_path, *lines):
    """Have squeue list jobs: ``100|RUNNING|None``."""
    program = tmp_path / "bin" / "squeue"
    program.write_text("\n".join(["#!/bin/sh", *(f"echo '{line}'" for line in lines), ""]))
    program.chmod(0o755)


@pytest.fixture
def submitted(tmp_path, monkeypatch):
    """Arguments of every call of sbatch so far; job ids count from 100."""
    noted = tmp_path / "calls.json"
    program = tmp_path / "bin" / "sbatch"
    program.parent.mkdir()
    program.write_text(SBATCH.format(python=sys.executable, noted=str(noted)))
    program.chmod(0o755)
    queue(tmp_path)
    (program.with_name("sacct")).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return lambda: json.loads(noted.read_text())


@pytest.fixture
def staged(tmp_path):
    return from_dict(
        Config,
        {
            "data": {"name": "none", "kind": "dummy"},
            "model": {
                "name": "smallest",
                "fov_zyx": [3, 3, 3],
                "deltas_zyx": [1, 1, 1],
                "depth": 1,
                "features": 1,
            },
            "budget": {},
            "validation": {"canvases": 0},
            "cluster": {"threads_per_rank": 2},
            "launcher": {"name": "srun"},
            "batch": {"system": "slurm"},
            "stages": [
                {"nodes": 4, "fovs": 40, "ranks": 4},
                {"nodes": 8, "fovs": 40, "ranks": 8},
                {"nodes": 16, "fovs": 160, "ranks": 16},
            ],
            "runs_dir": str(tmp_path / "runs"),
        },
    )


def option(call, name):
    return next((a.partition("=")[2] for a in call if a.startswith(f"--{name}=")), None)


def test_stages_wait_for_each_other(staged, submitted):
    outcome = submit_point(staged, None)
    assert (outcome.outcome, outcome.message) == ("submitted", "jobs 100, 101, 102")
    calls = submitted()
    assert [option(call, "nodes") for call in calls] == ["4", "8", "16"]
    assert [option(call, "dependency") for call in calls] == [None, "afterok:100", "afterok:101"]
    run_dir = run_directory(staged)
    assert job_ids(run_dir) == ["100", "101", "102"]
    for number, call in enumerate(calls):
        script = (run_dir / FOLDER / f"job-stage{number + 1}.sh").read_text()
        assert call[-1] == str(run_dir / FOLDER / f"job-stage{number + 1}.sh")
        assert script.endswith(f" --stage {number}\n")
    kept = load_config(run_dir / FOLDER)
    assert (kept.stages, kept.stage) == (staged.stages, None)


def trained(run_dir, fovs):
    done = checkpoints.Checkpoint(10, {"step": 10, "fovs": fovs}, [np.zeros(1)], {})
    checkpoints.save(run_dir / run_files.CHECKPOINTS, done, None, 0, lambda item: [item], 1)


def test_stages_that_are_done_are_not_submitted_again(staged, submitted):
    run_dir = run_directory(staged)
    trained(run_dir, 40)
    assert submit_point(staged, None).message == "jobs 100, 101"
    assert [option(call, "nodes") for call in submitted()] == ["8", "16"]
    assert [option(call, "dependency") for call in submitted()] == [None, "afterok:100"]
    assert newest_jobs(run_dir) == {1: "100", 2: "101"}


def test_a_chain_in_the_queue_is_left_alone(staged, submitted, tmp_path):
    submit_point(staged, None)
    queue(tmp_path, "100|COMPLETED|None", "101|RUNNING|None", "102|PENDING|Dependency")
    trained(run_directory(staged), 40)
    outcome = submit_point(staged, None)
    assert (outcome.outcome, outcome.message) == ("submitted", "job 101 is RUNNING")
    assert len(submitted()) == 3


def test_the_end_of_a_chain_that_was_canceled_is_submitted_behind_what_runs(
    staged, submitted, tmp_path
):
    submit_point(staged, None)
    queue(tmp_path, "100|RUNNING|None", "101|PENDING|Dependency", "102|CANCELLED|None")
    assert submit_point(staged, None).message == "job 103, after job 101"
    (last,) = submitted()[3:]
    assert (option(last, "nodes"), option(last, "dependency")) == ("16", "afterok:101")
    assert newest_jobs(run_directory(staged)) == {0: "100", 1: "101", 2: "103"}


@pytest.mark.parametrize(
    ("first", "active", "expected"),
    [
        (0, [], ([], [0, 1, 2])),
        (0, [0, 1, 2], ([0, 1, 2], [])),
        (1, [1, 2], ([1, 2], [])),
        (0, [0, 1], ([0, 1], [2])),  # the last was canceled, or never taken by Slurm
        (1, [2], ([], [1, 2])),  # which waits for one that has failed: Slurm will remove it
        (1, [0], ([0], [1, 2])),  # the first has saved its last checkpoint and is about to end
        (1, [0, 1, 2], ([0, 1, 2], [])),
    ],
)
def test_which_jobs_of_a_chain_are_missing(first, active, expected):
    assert left_to_submit(3, first, active) == expected


def test_of_a_run_without_stages_the_job_is_there_or_not():
    assert left_to_submit(1, 0, []) == ([], [0])
    assert left_to_submit(1, 0, [0]) == ([0], [])
