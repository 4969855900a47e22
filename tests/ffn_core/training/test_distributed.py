"""Where collectives are placed; what they compute is tested with real ranks."""

import pytest
import tensorflow as tf

from ffn_core.training import distributed
from ffn_core.training.distributed import Collectives, Topology


@pytest.fixture
def one_of_two():
    """Collectives that are traced as of two ranks; of course they cannot be run."""
    distributed.start(1)
    yield Collectives(Topology(rank=0, size=2, local_rank=0, local_size=2))
    distributed.stop()


def test_gradients_are_summed_on_the_host_whatever_computes_them(one_of_two):
    """Without NCCL Horovod has no kernel for GPUs: what is not said here is left to TensorFlow."""

    @tf.function(autograph=False)
    def step(gradient: tf.Tensor) -> tf.Tensor:
        return 2.0 * one_of_two.reduce_sum(gradient)

    graph = step.get_concrete_function(tf.TensorSpec([10], tf.float32)).graph
    (summed,) = [op for op in graph.get_operations() if op.type == "HorovodAllreduce"]
    (scaled,) = [op for op in graph.get_operations() if op.type == "Mul"]
    assert summed.device.endswith("CPU:0")
    assert scaled.device == ""  # where the rank computes
