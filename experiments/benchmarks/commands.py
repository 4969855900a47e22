"""What commands of the project cost on this machine: emulation, preparation, start-up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.memory import Memory, largest_memory
from experiments.benchmarks.ratio import Ratio, bound, ratio
from experiments.benchmarks.runner import Bench
from experiments.reporting.run_files import METRICS, RESULT, read_json, run_directories

LABELS_EDGE = 250

_CROWDS = (1, 2, 4, 8, 16, 32)
"""Ranks on this host."""

_MOST_STARTS = 48
"""Ranks that are started in all repeats of a crowd together: many take minutes."""


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
    """From the command to the first training step of the smallest preset, and memory by then.

    Two ranks are what a laptop runs; more of them share its cores and its memory.
    """
    bench.train(bench.folder / "startup" / "data", *_starts(1))  # makes the data
    found: list[Ratio] = []
    for ranks in _CROWDS[:2] if bench.quick else _CROWDS:
        repeats = min(bench.repeats, _MOST_STARTS // ranks)
        folder = bench.folder / "startup" / str(ranks)
        starts = [_start(bench, folder / str(i), ranks) for i in range(repeats)]
        seconds, memory = zip(*starts, strict=True)
        together = [one.proportional / 1e9 for one in memory]
        each = [one.resident / ranks / 1e9 for one in memory]
        what = f"command to first training step, {ranks} rank{'s' if ranks > 1 else ''}"
        found.append(Ratio(what, "", seconds, "s", 15.0 if ranks == 2 else None, at_least=False))
        found.append(_memory(f"{what}: memory of all", together))
        found.append(_memory(f"{what}: memory of a rank, with what it shares", each))
    return found


def _memory(what: str, gigabytes: Sequence[float]) -> Ratio:
    return Ratio(what, "", tuple(gigabytes), "GB", None, at_least=False)


def _starts(ranks: int) -> list[str]:
    """Options of a run that is of interest until its first step, and shortly after that."""
    return [
        "model=micro",
        f"cluster.nodes={_CROWDS[-1]}",
        f"cluster.ranks={ranks}",
        "budget.steps=30",
        "report.every_fovs=1",
        "validation.canvases=0",
    ]


def _start(bench: Bench, out: Path, ranks: int) -> tuple[float, Memory]:
    """Seconds to the first step of a run, and the largest memory of its ranks together."""
    begin = time.time()
    with largest_memory("experiments.worker", every_s=0.5) as memory:
        bench.train(out, *_starts(ranks))
    (run,) = run_directories(out, METRICS)
    return run.records()[0].unix_s - begin, memory()
