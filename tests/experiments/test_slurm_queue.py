"""What is said where Slurm is not, or does not take a job."""

import pytest

from experiments import slurm_queue
from experiments.slurm_queue import JobState
from ffn_core.errors import InputError


def test_no_slurm_here(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="needs sbatch on the PATH"):
        slurm_queue.submit(["sbatch", "job.sh"])
    with pytest.raises(InputError, match="squeue is not on the PATH"):
        slurm_queue.states(["1"])


def test_what_slurm_refuses_is_said_in_one_line():
    command = ["sh", "-c", "echo 'sbatch: error: Invalid account' >&2; echo more >&2; exit 1"]
    with pytest.raises(InputError) as caught:
        slurm_queue.submit(command)
    assert "sbatch: error: Invalid account more; see the batch section" in str(caught.value)


def test_the_id_is_told_apart_from_the_cluster():
    assert slurm_queue.submit(["echo", "12;cluster"]) == "12"


@pytest.mark.parametrize(
    ("state", "active"),
    [("PENDING", True), ("RUNNING", True), ("COMPLETING", True), ("NODE_FAIL", False)],
)
def test_jobs_that_go_on_by_themselves(state, active):
    assert JobState(state).active is active
