"""GPUs of a host, as the driver lists them and CUDA_VISIBLE_DEVICES restricts them."""

import pytest

from ffn_core.devices.host import cpu_model, gpu_models, on_gpu, usable_gpus, visible_gpus
from ffn_core.devices.installed import TensorFlowBuild

FOR_GPUS = TensorFlowBuild("2.18.1", "gpu")
FOR_CPUS = TensorFlowBuild("2.18.1", "cpu")


@pytest.fixture
def driver(tmp_path):
    """A host with four GPUs."""
    for number, model in enumerate(["A100", "A100", "A100", "L4"]):
        gpu = tmp_path / f"0000:0{number}:00.0"
        gpu.mkdir()
        (gpu / "information").write_text(f"Model: \t\t NVIDIA {model}\nIRQ:   \t\t 42\n")
    return tmp_path


def test_their_names_are_those_of_the_driver(driver):
    assert gpu_models(driver) == ["NVIDIA A100"] * 3 + ["NVIDIA L4"]
    assert gpu_models(driver / "nothing") == []


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (None, ["0", "1", "2", "3"]),
        ("2,0", ["2", "0"]),
        (" 1 , 3 ", ["1", "3"]),
        ("", []),
        ("-1", []),
        ("0,-1,2", ["0"]),  # CUDA stops at the first that is none
        ("1,7,2", ["1"]),
        ("GPU-8932f937,MIG-5c1c", ["GPU-8932f937", "MIG-5c1c"]),
    ],
)
def test_programs_see_those_that_the_environment_leaves_them(said, seen, driver):
    environment = {} if said is None else {"CUDA_VISIBLE_DEVICES": said}
    assert visible_gpus(environment, driver) == seen


def test_without_a_driver_there_are_none(tmp_path):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "0,1"}, tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("device", "build", "count"),
    [
        ("auto", FOR_GPUS, 4),
        ("gpu", FOR_GPUS, 4),
        ("cpu", FOR_GPUS, 0),
        ("auto", FOR_CPUS, 0),
    ],
)
def test_ranks_use_them_if_tensorflow_can(device, build, count, driver):
    assert usable_gpus(device, {}, build, driver) == count


def test_processes_that_do_not_know_each_other_get_one_each():
    assert [on_gpu(i, ["2", "5"]) for i in range(3)] == [
        {"CUDA_VISIBLE_DEVICES": name} for name in ("2", "5", "2")
    ]
    assert on_gpu(0, []) == {}


def test_the_cpu_is_called_what_the_kernel_calls_it(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Made Up 3000\n\nmodel name\t: Other\n")
    assert cpu_model(file) == "Made Up 3000"
