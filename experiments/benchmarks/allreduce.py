"""``python -m experiments.benchmarks.allreduce FILE``, on two ranks: how gradients should travel.

Times, in turns, the sum over ranks of the published network's gradients as one flat buffer, as a
training step does it, and as one tensor for each weight. Rank 0 writes the seconds of every round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from experiments.reporting import run_files
from ffn_core.runtime import configure_tensorflow, import_little

ROUNDS = 60
WARM_UP = 10
FUSED, SEPARATE = "one buffer", "a tensor for each weight"


def measure() -> dict[str, list[float]]:
    """Seconds of every round on rank 0, for both ways."""
    configure_tensorflow(threads=1)
    import tensorflow as tf

    from ffn_core.model import ConvStack
    from ffn_core.model_size import ModelSize
    from ffn_core.training import distributed

    collectives = distributed.start(2)
    weights = ConvStack(ModelSize(depth=12, features=32), seed=1).weights
    gradients = [tf.ones_like(weight) for weight in weights]
    flat = tf.concat([tf.reshape(g, [-1]) for g in gradients], axis=0)
    fused = tf.function(lambda: collectives.reduce_sum(flat), autograph=False)

    @tf.function(autograph=False)
    def separate() -> list[tf.Tensor]:
        return [collectives.reduce_sum(g, f"gradient_{i}") for i, g in enumerate(gradients)]

    ways: dict[str, Callable[[], object]] = {
        FUSED: lambda: fused().numpy(),
        SEPARATE: lambda: [t.numpy() for t in separate()],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(WARM_UP + ROUNDS):
        for name, call in ways.items():
            collectives.barrier()
            start = time.perf_counter()
            call()
            if i >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    distributed.stop()
    return seconds if collectives.topology.rank == 0 else {}


if __name__ == "__main__":
    import_little()
    if found := measure():
        run_files.write_json(Path(sys.argv[1]), found)
