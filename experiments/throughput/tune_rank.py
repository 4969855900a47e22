"""Bare steps of one of several processes that share a machine.

``python -m experiments.throughput.tune_rank RUN_DIR RANK PLAN``

``PLAN`` is JSON: ``ranks`` that start together, ``variants`` (pairs of precision and micro-batch)
to time one after the other, for ``block_s`` seconds each. Every process times the same one at the
same time, a matrix product in float32 beside it. ``RUN_DIR/rates-RANK.json`` gets, for each variant
in turn, FOVs per second, and operations over those of the product.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from experiments.config.config_file import load_config
from experiments.reporting import run_files
from experiments.throughput.bare_step import gemm_call, make_step, seconds_per_call
from ffn_core.devices.placement import place
from ffn_core.runtime import configure_tensorflow, import_little

GATE_LIMIT_S = 300.0
GEMM_S = 0.3


def main(arguments: list[str]) -> int:
    """Measure and write; returns the exit code."""
    run_dir, rank = Path(arguments[0]), int(arguments[1])
    plan = json.loads(arguments[2])
    config = load_config(run_dir)
    configure_tensorflow(config.cluster.threads_per_rank or 1)
    device = place(config.device, rank)
    steps = []
    for precision, size in plan["variants"]:
        model = replace(config.model, micro_batch_size=size, precision=precision)
        steps.append(make_step(replace(config, model=model)))
    gemm, gemm_operations = gemm_call(device)
    for call in [gemm, *(call for step in steps for call in step.calls)] * 2:
        call()

    (run_dir / f"ready-{rank}").touch()
    deadline = time.monotonic() + GATE_LIMIT_S
    while len(list(run_dir.glob("ready-*"))) < plan["ranks"]:
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.01)

    fovs = config.cluster.local_batch_size
    operations = config.model.training_flops
    found = []
    for (_, size), step in zip(plan["variants"], steps, strict=True):
        pass_s = seconds_per_call(step.accumulate, plan["block_s"])
        update_s = seconds_per_call(step.update, plan["block_s"] / 4)
        gemm_s = seconds_per_call(gemm, GEMM_S)
        rate = fovs / (fovs / size * pass_s + update_s)
        found.append((rate, rate * operations * gemm_s / gemm_operations))
    run_files.write_json(run_dir / f"rates-{rank}.json", found)
    return 0


if __name__ == "__main__":
    import_little()
    sys.exit(main(sys.argv[1:]))
