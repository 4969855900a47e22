"""What commands of the project cost on this machine: emulation, preparation, start-up."""

from __future__ import annotations

import time
from pathlib import Path

from experiments.benchmarks.ratio import Ratio, bound, ratio
from experiments.benchmarks.runner import Bench
from experiments.reporting.run_files import METRICS, RESULT, read_json, run_directories

LABELS_EDGE = 250

_SHORTEST = ("model=micro", "cluster.nodes=2", "budget.steps=1", "validation.canvases=0")


def emulation(bench: Bench) -> list[Ratio]:
    """Throughput of 1024 logical nodes against 8 on the same processes, in turns."""
    fovs = 2048 if bench.quick else 10240
    ratios = []
    for repeat in range(bench.repeats):
        rates = {}
        for nodes in (8, 1024):
            out = bench.folder / "emulation" / f"{repeat}-{nodes}"
            bench.train(
                out,
                "experiment=emulation_cost",
                f"cluster.nodes={nodes}",
                f"budget.fovs={fovs}",
                "model=tiny",
                "report.every_fovs=1024",
            )
            (run,) = run_directories(out, RESULT)
            rates[nodes] = run.result()["fovs_per_second"]
        ratios.append(rates[1024] / rates[8])
    return [ratio("1024 logical nodes, FOVs/s", "8 on the same processes", ratios, 0.9)]


def prepare(bench: Bench) -> list[Ratio]:
    """Coordinates of a label volume as large as the published training sample."""
    import numpy as np

    from ffn_core.synthetic.neurites import synthesize

    edge = 100 if bench.quick else LABELS_EDGE
    _, labels = synthesize((edge, edge, edge), seed=1)
    source, file = bench.folder / "labels.npy", bench.folder / "prepare.json"
    np.save(source, labels)
    module = "experiments.benchmarks.preparation"
    bench.module(module, str(source), str(bench.repeats), str(file))
    found = read_json(file)
    what = f"labels of {edge}^3 voxels"
    return [
        bound(f"{what}: partitions", found["partitions_s"], "s", 6.0),
        bound(f"{what}: balanced coordinates", found["coordinates_s"], "s", 2.0),
        bound(f"{what}: memory beside the labels, in sizes of them", found["memory"], "x", 3.0),
    ]


def startup(bench: Bench) -> list[Ratio]:
    """From the command to the first training step of two ranks of the smallest preset."""
    bench.train(bench.folder / "startup" / "data", *_SHORTEST)  # makes the data
    seconds = [
        _first_step_s(bench, bench.folder / "startup" / str(i)) for i in range(bench.repeats)
    ]
    return [bound("command to first training step, 2 ranks", seconds, "s", 15.0)]


def _first_step_s(bench: Bench, out: Path) -> float:
    start = time.time()
    bench.train(out, *_SHORTEST)
    (run,) = run_directories(out, METRICS)
    return run.records()[0].unix_s - start
