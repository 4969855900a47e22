"""Where collectives are placed, and ranks that cannot meet; sums are tested with real ranks."""

import socket

import horovod.tensorflow as hvd
import pytest
import tensorflow as tf

from ffn_core.errors import InputError
from ffn_core.training import distributed
from ffn_core.training.distributed import Collectives, Topology

UNKNOWN = "nowhere-node17.invalid"  # a name that no resolver may know (RFC 2606)


@pytest.fixture
def one_of_two():
    """Collectives that are traced as of two ranks; of course they cannot be run."""
    hvd.init()
    yield Collectives(Topology(rank=0, size=2, local_rank=0, local_size=2))
    hvd.shutdown()


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


@pytest.fixture
def nameless(monkeypatch):
    """This machine under a name that does not resolve, in no launcher's hands."""
    monkeypatch.setattr(socket, "gethostname", lambda: UNKNOWN)
    for name in distributed._STARTED:
        monkeypatch.delenv(name, raising=False)


def test_ranks_on_a_machine_that_does_not_know_its_name_say_what_to_change(nameless):
    with pytest.raises(InputError, match=rf"{UNKNOWN}.*/etc/hosts"):
        distributed.start(2)


def test_a_single_rank_needs_no_name(nameless):
    collectives = distributed.start(1)
    assert collectives.alone
    assert collectives.gather("a") == ["a"]
    distributed.stop()
