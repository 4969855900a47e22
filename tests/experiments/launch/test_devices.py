"""What is said of devices before ranks start. This machine's own are left out: they differ."""

import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.devices import check_side_by_side, is_here, warnings_of_devices
from experiments.launch.rank_numbers import local_rank_of
from ffn_core.errors import InputError


def config(**sections: object) -> Config:
    model = {"name": "m", "fov_zyx": [7] * 3, "deltas_zyx": [2] * 3, "depth": 1, "features": 1}
    values: dict[str, object] = {
        "data": {"name": "dummy", "kind": "dummy"},
        "model": model,
        "budget": {"steps": 1},
        "cluster": {"nodes": 8, "ranks": 8, "threads_per_rank": 1},
    }
    return from_dict(Config, values | sections)


def test_a_device_is_one_of_three():
    with pytest.raises(InputError, match="device='cuda' is unknown"):
        config(device="cuda")


@pytest.mark.parametrize(
    ("launcher", "here"),
    [
        ({"name": "gloo"}, True),
        ({"name": "gloo", "hosts": "n1:1"}, False),
        ({"name": "pbs"}, False),
    ],
)
def test_only_launchers_without_hosts_start_ranks_here(launcher, here):
    assert is_here(config(launcher=launcher)) == here


def test_ranks_that_a_launcher_puts_on_one_gpu_are_warned_of():
    crowded = {"name": "pbs", "ranks_per_node": 8, "gpus_per_node": 4}
    (line,) = warnings_of_devices(config(device="gpu", launcher=crowded))
    assert line.startswith("8 ranks of a host share 4 GPUs")
    fitting = crowded | {"ranks_per_node": 4}
    assert warnings_of_devices(config(device="gpu", launcher=fitting)) == []


def test_points_side_by_side_on_a_cpu_pass():
    check_side_by_side(config(device="cpu", sweep={"parallel": 2}))


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({"HOROVOD_LOCAL_RANK": "3", "SLURM_LOCALID": "0"}, 3),
        ({"OMPI_COMM_WORLD_LOCAL_RANK": "2"}, 2),
        ({"SLURM_LOCALID": "1"}, 1),
        ({"PALS_LOCAL_RANKID": "1"}, 1),
        ({"FLUX_TASK_LOCAL_ID": "1"}, 1),
        ({}, 5),
    ],
)
def test_a_process_knows_its_number_on_its_host(environment, number):
    assert local_rank_of(environment, rank=5) == number
