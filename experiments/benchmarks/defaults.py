"""What is set for every run, against what it would be otherwise."""

from __future__ import annotations

import os
import statistics
import sys

from experiments.benchmarks.allreduce import FUSED, SEPARATE
from experiments.benchmarks.networks import PAPER, TINY, Network
from experiments.benchmarks.ratio import Ratio, ratio
from experiments.benchmarks.runner import Bench
from experiments.launch.horovodrun import HOROVODRUN
from experiments.reporting.run_files import CONFIG, RESULT, read_json, run_directories

OWN_CYCLE_MS = "1"
_ONE_STEP = ("cluster.nodes=1", "cluster.ranks=1", "budget.steps=1", "validation.canvases=0")


def choices(bench: Bench) -> list[Ratio]:
    """What is set for every run, against what it would be otherwise."""
    return [
        _one_buffer(bench),
        *(_cycle(bench, network) for network in (TINY, PAPER)),
        _onednn(bench, "tiny", 3),
        _onednn(bench, "paper", 1),  # without, a step may take ten times as long
    ]


def _one_buffer(bench: Bench) -> Ratio:
    """The published network's gradients summed over ranks as one tensor, and as many."""
    file = bench.folder / "allreduce.json"
    command = [*HOROVODRUN, "--gloo", "-np", "2", sys.executable]
    ratios = []
    for _ in range(bench.repeats):
        bench.module("experiments.benchmarks.allreduce", str(file), command=command)
        seconds = read_json(file)
        ratios.append(statistics.median(seconds[SEPARATE]) / statistics.median(seconds[FUSED]))
    what = f"paper: gradients summed over 2 ranks as {FUSED}, times per second"
    return ratio(what, SEPARATE, ratios, 1.0)


def _cycle(bench: Bench, network: Network) -> Ratio:
    """Two ranks with the chosen cycle of Horovod's thread, and with Horovod's own."""
    ratios = []
    for repeat in range(1 if bench.quick else 3):
        rates = {}
        for cycle in ("chosen", OWN_CYCLE_MS):
            out = bench.folder / f"cycle-{network.model}-{repeat}-{cycle}"
            environment = f'+launcher.environment.HOROVOD_CYCLE_TIME="{cycle}"'
            bench.train(
                out,
                f"model={network.model}",
                "data=dummy",
                "cluster.nodes=2",
                "cluster.ranks=2",
                "cluster.threads_per_rank=1",
                f"cluster.local_batch_size={network.fovs}",
                f"budget.steps={network.steps}",
                f"report.every_fovs={2 * network.fovs * network.steps // 4}",
                "learning_rate.rule=none",
                "validation.canvases=0",
                *([] if cycle == "chosen" else [environment]),
            )
            (run,) = run_directories(out, RESULT)
            rates[cycle] = run.result()["fovs_per_second"]
        ratios.append(rates["chosen"] / rates[OWN_CYCLE_MS])
    what = f"{network.model}: 2 ranks, Horovod's cycle by length of step, FOVs/s"
    return ratio(what, "Horovod's own cycle of 1 ms", ratios, 0.97)


def _onednn(bench: Bench, model: str, repeats: int) -> Ratio:
    """Bare steps with oneDNN against bare steps without."""
    folder = bench.folder / f"onednn-{model}"
    bench.train(folder, f"model={model}", *_ONE_STEP)
    run_dir = run_directories(folder, CONFIG)[0].path
    ratios = []
    for _ in range(1 if bench.quick else repeats):
        rates = {}
        for flag in ("1", "0"):
            file = folder / "rates.json"
            environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": flag}
            bench.module(
                "experiments.throughput.bare_step", str(run_dir), str(file), "0", env=environment
            )
            found = read_json(file)
            rates[flag] = statistics.median(found["fovs_per_second"])
        ratios.append(rates["1"] / rates["0"])
    return ratio(f"{model}: training step with oneDNN, FOVs/s", "without", ratios, 1.0)
