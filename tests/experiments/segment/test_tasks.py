import itertools

import pytest

from experiments.segment.flooding import Task, task_of
from ffn_core.errors import InputError


def array(number: int, first: int, last: int, count: int) -> dict[str, str]:
    values = {"ID": number, "MIN": first, "MAX": last, "COUNT": count}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


def step(rank: int, size: int) -> dict[str, str]:
    return {"SLURM_PROCID": str(rank), "SLURM_STEP_NUM_TASKS": str(size)}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_shares_are_everything_once(count):
    items = list(range(11))
    shares = [Task(number, count).share(items) for number in range(count)]
    assert sorted(itertools.chain(*shares)) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("environment", "task"),
    [
        ({}, Task(0, 1)),
        (step(3, 4), Task(3, 4)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, Task(0, 1)),  # a batch script is no step
        ({"HOROVOD_RANK": "1", "HOROVOD_SIZE": "2"} | step(0, 1), Task(1, 2)),
        ({"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "6"} | step(0, 2), Task(5, 6)),
        ({"PMI_RANK": "1", "PMI_SIZE": "3"}, Task(1, 3)),
        ({"FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "3"}, Task(1, 3)),
        (array(3, 1, 4, 4), Task(2, 4)),
        (array(30, 10, 30, 3), Task(2, 3)),
        (array(7, 7, 7, 1), Task(0, 1)),
        (array(1, 0, 2, 3) | step(1, 2), Task(3, 6)),
    ],
)
def test_the_environment_numbers_the_tasks(environment, task):
    assert task_of(environment) == task


def test_what_was_asked_for_is_checked():
    assert task_of({}, expected=1) == Task(0, 1)
    assert task_of(step(1, 2) | array(1, 0, 2, 3), expected=2) == Task(1, 2)
    assert task_of({"ALPS_APP_PE": "2"}, expected=4) == Task(2, 4)
    with pytest.raises(InputError, match="does not number its tasks"):
        task_of({}, expected=2)
    with pytest.raises(InputError, match="started 4 tasks for processes=2"):
        task_of(step(1, 4), expected=2)


@pytest.mark.parametrize("environment", [array(5, 0, 7, 3), array(1, 0, 4, 3)])
def test_a_job_array_with_gaps_would_leave_work_undone(environment):
    with pytest.raises(InputError, match="has gaps"):
        task_of(environment)


def test_tasks_are_numbered_from_0():
    with pytest.raises(InputError, match="task 2 of 2"):
        Task(2, 2)
