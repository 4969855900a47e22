"""Which processor a rank takes, and where what it computes is placed."""

import numpy as np
import pytest
import tensorflow as tf

from ffn_core.devices.installed import tensorflow_build
from ffn_core.devices.placement import (
    DEVICES,
    choose,
    gpu_memory_bytes,
    place,
    require_known,
    warn_of_idle_gpus,
    warn_of_shared_gpus,
)
from ffn_core.errors import InputError
from ffn_core.model import ConvStack
from ffn_core.model_size import ModelSize
from ffn_core.runtime import allow_tf32

NO_GPU = not tf.config.list_physical_devices("GPU")


@pytest.mark.parametrize(
    ("device", "gpus", "local_rank", "index"),
    [
        ("auto", 0, 0, None),
        ("cpu", 4, 1, None),
        ("auto", 4, 0, 0),
        ("gpu", 4, 3, 3),
        ("gpu", 1, 3, 0),  # the launcher shows each rank its own
        ("auto", 4, 6, 2),  # shared, which is warned of
    ],
)
def test_ranks_of_a_host_take_its_gpus_in_turn(device, gpus, local_rank, index):
    assert choose(device, gpus, local_rank) == index


def test_a_gpu_that_is_not_there_is_bad_input():
    with pytest.raises(InputError, match="TensorFlow sees no GPU"):
        choose("gpu", 0, 0)


def test_an_unknown_device_is_named_with_the_choice():
    with pytest.raises(InputError, match=r"device='tpu' is unknown; choose from auto, cpu, gpu"):
        require_known("device", "tpu")
    for device in DEVICES:
        require_known("device", device)


@pytest.mark.parametrize(("ranks", "gpus"), [(4, 4), (1, 4), (8, 0)])
def test_ranks_with_a_gpu_each_or_none_are_not_warned(ranks, gpus):
    assert warn_of_shared_gpus(ranks, gpus) is None


def test_ranks_that_outnumber_gpus_are():
    assert "3 ranks of a host share 2 GPUs" in str(warn_of_shared_gpus(3, 2))


def test_gpus_that_tensorflow_cannot_use_are_named_once_asked_for():
    assert "4 GPUs (NVIDIA A100)" in str(warn_of_idle_gpus("auto", ["NVIDIA A100"] * 4, "cpu"))
    assert warn_of_idle_gpus("auto", ["NVIDIA A100"], "gpu") is None
    assert warn_of_idle_gpus("cpu", ["NVIDIA A100"], "cpu") is None
    assert warn_of_idle_gpus("auto", [], "cpu") is None


@pytest.mark.skipif(not NO_GPU, reason="this host has a GPU")
def test_without_a_gpu_a_rank_computes_on_the_cpu():
    device = place("auto", 0)
    assert (device.kind, device.gpus) == ("cpu", 0)
    assert device.described()["device.name"]
    assert gpu_memory_bytes() is None
    build = tensorflow_build()
    assert build is not None
    # With either kind of TensorFlow, each for its own reason.
    with pytest.raises(InputError, match="device=gpu, but"):
        place("gpu", 0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_are_rounded_to_tf32_only_where_that_is_asked_for(precision):
    allow_tf32("tf32")
    assert tf.config.experimental.tensor_float_32_execution_enabled()
    allow_tf32(precision)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


@pytest.mark.skipif(not NO_GPU, reason="this host has a GPU")
def test_tf32_on_a_cpu_is_float32():
    rng = np.random.default_rng(0)
    image, seed = (rng.standard_normal((1, 5, 5, 5, 1)).astype(np.float32) for _ in range(2))
    size = ModelSize(depth=2, features=4)
    exact, rounded = (ConvStack(size, 1, p)(image, seed).numpy() for p in ("float32", "tf32"))
    np.testing.assert_array_equal(exact, rounded)
