"""What is said where Slurm is not, or does not take a job."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.config.cluster import BatchConfig, ClusterConfig, LauncherConfig
from experiments.config.parsing import from_dict
from experiments.config.schema import BudgetConfig, Config, DataConfig, ModelConfig
from experiments.config.stages import StageConfig
from experiments.launch import slurm
from experiments.launch.slurm import JobState, after, job, jobs
from ffn_core.errors import InputError


def test_no_slurm_here(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="needs sbatch on the PATH"):
        slurm.submit(["sbatch", "job.sh"])
    with pytest.raises(InputError, match="squeue is not on the PATH"):
        slurm.states(["1"])


def test_what_slurm_refuses_is_said_in_one_line():
    command = ["sh", "-c", "echo 'sbatch: error: Invalid account' >&2; echo more >&2; exit 1"]
    with pytest.raises(InputError) as caught:
        slurm.submit(command)
    assert "sbatch: error: Invalid account more; see the batch section" in str(caught.value)


def test_the_id_is_separated_from_the_cluster():
    assert slurm.submit(["echo", "12;cluster"]) == "12"


SQUEUE = """#!/bin/sh
echo '8|RUNNING|None'
case "$*" in *--states=all*) echo '7|FAILED|NonZeroExitCode' ;; esac
"""


def test_jobs_that_have_just_ended_are_known_without_accounting(tmp_path, monkeypatch):
    for name, text in (("squeue", SQUEUE), ("sacct", "#!/bin/sh\nexit 1\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    expected = {"7": JobState("FAILED", "NonZeroExitCode"), "8": JobState("RUNNING")}
    assert slurm.states(["6", "7", "8"]) == expected


@pytest.mark.parametrize(
    ("state", "active"),
    [("PENDING", True), ("RUNNING", True), ("COMPLETING", True), ("NODE_FAIL", False)],
)
def test_jobs_that_go_on_by_themselves(state, active):
    assert JobState(state).active is active


RUN_DIR = Path("/scratch/100%/it's; $HOME/n4")


POINT = Config(
    data=DataConfig(name="dummy", kind="dummy"),
    model=ModelConfig("tiny", [7, 7, 7], [2, 2, 2], 2, 4),
    budget=BudgetConfig(steps=1),
    cluster=ClusterConfig(nodes=4, ranks=4, threads_per_rank=8),
    launcher=LauncherConfig(name="srun", ranks_per_node=2),
)


def made(parent=None, **batch):
    config = dataclasses.replace(POINT, batch=BatchConfig(system="slurm", **batch))
    return job(config, "n=4 $(id)", RUN_DIR, Path("/home/me"), parent)


def test_known_arguments():
    batch = {"account": "me", "qos": "low", "options": ["--exclusive"], "warning_s": 60}
    assert made(time_limit="2-00:00:00", **batch).command == [
        "sbatch",
        "--parsable",
        "--job-name=n=4 $(id)",
        "--nodes=2",
        "--ntasks=4",
        "--ntasks-per-node=2",
        "--cpus-per-task=8",
        "--time=2-00:00:00",
        "--chdir=/home/me",
        "--output=/scratch/100%%/it's; $HOME/n4/logs/slurm-%j.out",
        "--open-mode=append",
        "--signal=B:TERM@60",
        "--requeue",
        "--account=me",
        "--qos=low",
        "--exclusive",
        "/scratch/100%/it's; $HOME/n4/job/job.sh",
    ]


def test_a_job_that_is_never_repeated():
    assert "--no-requeue" in made(requeues=0).command


def test_bash_starts_exactly_the_words_meant(tmp_path):
    """The script is really run, with a program in Python's place that prints its arguments."""
    script = made(parent="a b", setup=["export PATH=/nowhere", "A='one two'"]).script
    printer = tmp_path / "printer"
    printer.write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    printer.chmod(0o755)
    ran = subprocess.run(
        ["/bin/bash", "-c", script.replace(sys.executable, str(printer))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "<-m>",
        "<experiments.sweep.slurm_job>",
        f"<{RUN_DIR}>",
        "<--parent>",
        "<a b>",
    ]


def test_a_job_starts_as_many_ranks_as_its_allocation_was_made_for(monkeypatch):
    """The machine that submits it may have other cores than those that run it."""
    monkeypatch.setattr(slurm, "room_for_ranks", lambda _device: 3)
    automatic = dataclasses.replace(POINT.with_ranks(0), batch=BatchConfig(system="slurm"))
    made = job(automatic, "n=4", RUN_DIR, Path("/home/me"), None)
    assert "--ntasks=2" in made.command
    assert made.script.endswith(" --ranks 2\n")


STAGED = dataclasses.replace(
    POINT,
    budget=BudgetConfig(),
    stages=[StageConfig(4, 400), StageConfig(16, 800, ranks=16)],
    batch=BatchConfig(system="slurm"),
)


def test_each_stage_is_a_job_of_its_own_size():
    first, second = jobs(STAGED, "grown", RUN_DIR, Path("/home/me"), "parent")
    for made, nodes, ranks in ((first, 2, 4), (second, 8, 16)):
        assert f"--nodes={nodes}" in made.command
        assert f"--ntasks={ranks}" in made.command
    assert [made.command[2] for made in (first, second)] == [
        "--job-name=grown stage 1/2",
        "--job-name=grown stage 2/2",
    ]
    assert second.command[-1] == str(RUN_DIR / "job" / "job-stage2.sh")
    assert second.script_name == "job-stage2.sh"
    assert first.script.endswith(" --parent parent --stage 0\n")
    assert second.script.endswith(" --parent parent --stage 1\n")
    assert jobs(
        dataclasses.replace(POINT, batch=STAGED.batch), "one", RUN_DIR, Path("/"), None
    ) == [job(dataclasses.replace(POINT, batch=STAGED.batch), "one", RUN_DIR, Path("/"), None)]


def test_a_job_that_waits_for_the_one_before():
    """Options stand before the script, behind which sbatch takes them for the script's own."""
    assert after(["sbatch", "--nodes=8", "job.sh"], "41") == [
        "sbatch",
        "--nodes=8",
        "--dependency=afterok:41",
        "--kill-on-invalid-dep=yes",
        "job.sh",
    ]


def test_set_up_that_fails_ends_the_job():
    script = made(setup=["false", "echo went on"]).script
    ran = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout == ""


@pytest.mark.parametrize("limit", ["30", "0:30:00", "12:00", "1-12", "1-12:30", "2-00:00:00"])
def test_time_limits_that_slurm_knows(limit):
    assert BatchConfig(time_limit=limit).time_limit == limit


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"time_limit": "1h"}, "batch.time_limit='1h'"),
        ({"time_limit": "1:00:00 --uid=0"}, "batch.time_limit"),
        ({"system": "lsf"}, "batch.system='lsf'"),
        ({"requeues": -1}, "batch.requeues=-1"),
        ({"warning_s": 0}, "batch.warning_s=0"),
    ],
)
def test_what_cannot_work_is_named(values, named):
    with pytest.raises(InputError) as caught:
        from_dict(BatchConfig, values, "batch.")
    assert named in str(caught.value)
