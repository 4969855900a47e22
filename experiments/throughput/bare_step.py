"""Bare training steps and matrix products: the rates that a trainer aims at.

``python -m experiments.throughput.bare_step RUN_DIR FILE RANK [PRECISION ...]``

Times, in one process and in turns, the training step of one rank of the run in ``RUN_DIR`` on fixed
arrays, and a matrix product in float32 on the same threads or the same GPU, that of the ``RANK``-th
of several such processes. Writes the rates of every round to ``FILE``: those of the run's
precision, or by precision where some are given.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.config.config_file import load_config
from experiments.config.schema import Config
from experiments.reporting import run_files
from ffn_core.devices.placement import Device, place
from ffn_core.runtime import allow_tf32, configure_tensorflow, import_little

ROUNDS = 7
BLOCK_S = 0.2
"""Shortest time over which a rate is taken."""

GEMM_EDGES = {"cpu": 2048, "gpu": 8192}
"""Edges of square matrices, by what multiplies them: large enough for its full rate."""


@dataclass(frozen=True)
class BareStep:
    """The parts of a training step of a rank that is alone, on fixed arrays.

    Attributes:
        accumulate: a micro-batch, forward and backward.
        update: what ends a step.
        forward: a micro-batch, forward only.
    """

    accumulate: Callable[[], object]
    update: Callable[[], object]
    forward: Callable[[], object]

    @property
    def calls(self) -> tuple[Callable[[], object], ...]:
        """All of them."""
        return self.accumulate, self.update, self.forward


def seconds_per_call(call: Callable[[], object], block_s: float = BLOCK_S) -> float:
    """Mean time of as many calls as fill ``block_s`` seconds, at least one."""
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < block_s:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def require_apart(kind: str, precisions: Sequence[str]) -> None:
    """Check that one process may time these precisions: see `tuning.in_processes`.

    Raises:
        ValueError: ``tf32`` and another precision on a GPU.
    """
    if kind == "gpu" and "tf32" in precisions and len(precisions) > 1:
        raise ValueError("on a GPU tf32 is timed in a process of its own: see tuning.in_processes")


def measure(
    config: Config, precisions: Sequence[str], rank: int = 0
) -> dict[str, dict[str, list[float]]]:
    """Rates of every round, by precision of the convolutions.

    Args:
        config: the run.
        precisions: to be measured.
        rank: number of this process among those that measure on this host at the same time.

    Raises:
        ValueError: ``tf32`` and another precision on a GPU.

    Returns:
        ``fovs_per_second`` of bare steps, ``forward_fovs_per_second`` of forward passes alone, and
        ``gemm_flops``, floating-point operations per second of a matrix product in float32.
    """
    configure_tensorflow(config.cluster.threads_per_rank or 1)
    device = place(config.device, rank)
    require_apart(device.kind, precisions)
    local, micro = config.cluster.local_batch_size, config.model.micro_batch_size
    models = {name: replace(config.model, precision=name) for name in precisions}
    steps = {name: make_step(replace(config, model=model)) for name, model in models.items()}
    gemm, gemm_operations = gemm_call(device)
    # Tracing, and buffers that are made once.
    for call in (*(call for step in steps.values() for call in step.calls), gemm) * 2:
        call()
    names = ("fovs_per_second", "forward_fovs_per_second", "gemm_flops")
    rates: dict[str, dict[str, list[float]]] = {p: {n: [] for n in names} for p in precisions}
    for _ in range(ROUNDS):
        for precision, step in steps.items():
            mine = rates[precision]
            passes_s = local / micro * seconds_per_call(step.accumulate)
            mine["fovs_per_second"].append(local / (passes_s + seconds_per_call(step.update)))
            mine["forward_fovs_per_second"].append(micro / seconds_per_call(step.forward))
            mine["gemm_flops"].append(gemm_operations / seconds_per_call(gemm))
    return rates


def gemm_call(device: Device) -> tuple[Callable[[], object], int]:
    """A matrix product in float32 on ``device``, and its floating-point operations."""
    import numpy as np
    import tensorflow as tf

    edge = GEMM_EDGES[device.kind]
    rng = np.random.default_rng(0)
    factors = [tf.constant(rng.random((edge, edge), np.float32)) for _ in range(2)]

    def multiply() -> object:
        allow_tf32("float32")
        # One entry waits for all of them; copying all from a GPU would take as long as the product.
        return tf.matmul(*factors)[0, 0].numpy()

    return multiply, 2 * edge**3


def make_step(config: Config) -> BareStep:
    """The step of one rank of ``config``; TensorFlow must be configured and placed before."""
    import numpy as np

    from ffn_core.training.train_step import make_train_step

    micro = config.model.micro_batch_size
    step = make_train_step(
        config.model.size,
        config.seed,
        config.optimizer.name,
        config.optimizer.arguments,
        reduce_sum=lambda total: total,
        fovs_per_step=config.cluster.local_batch_size,
        micro_batch=micro,
        clip=config.optimizer.clip,
        precision=config.model.precision,
        half_life_fovs=config.averaging.half_life_fovs,
    )
    rng = np.random.default_rng(0)
    shape = (micro, *config.model.geometry.fov_zyx, 1)
    image, seed = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    is_object = image > 0
    rate = config.schedule()(0)

    def accumulate() -> object:
        allow_tf32(config.model.precision)
        return step.accumulate(image, seed, is_object).numpy()

    def forward() -> object:
        allow_tf32(config.model.precision)
        return step.predict(image, seed, is_object)

    return BareStep(accumulate, lambda: step.apply(step.reduce(), rate), forward)


def main(arguments: list[str]) -> int:
    """Measure and write; returns the exit code."""
    run_dir, file, rank, *precisions = arguments
    config = load_config(Path(run_dir))
    own = config.model.precision
    rates = measure(config, precisions or [own], int(rank))
    run_files.write_json(Path(file), rates if precisions else rates[own])
    return 0


if __name__ == "__main__":
    import_little()
    sys.exit(main(sys.argv[1:]))
