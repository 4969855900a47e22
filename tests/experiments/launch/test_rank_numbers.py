import pytest

from experiments.launch.rank_numbers import rank_of, ranks_here, require_no_launcher
from ffn_core.errors import InputError


def test_a_process_that_no_launcher_started():
    assert rank_of({}) == 0
    assert ranks_here({}, 3) == 3


@pytest.mark.parametrize(
    "environment",
    [
        {"HOROVOD_RANK": "0", "HOROVOD_SIZE": "2"},
        {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"},
        {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"},
        {"PMI_RANK": "0", "PMI_SIZE": "2"},
        {"PALS_RANKID": "1"},
    ],
)
def test_a_command_that_a_launcher_started_several_times_says_so(environment):
    (rank, *_) = environment
    with pytest.raises(InputError, match=f"{rank} is set.*start it by itself"):
        require_no_launcher(environment)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_JOB_ID": "1"},  # a batch script
        {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "PMIX_RANK": "0"},  # srun --pty bash
        {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"},
    ],
)
def test_a_command_started_once_starts_its_ranks(environment):
    require_no_launcher(environment)
