"""How fast a network is trained, against what its arithmetic and this machine allow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.benchmarks.ratio import Ratio, bound, median_ratio, ratio
from experiments.benchmarks.runner import Bench
from experiments.config.config_file import load_config, write_config
from experiments.reporting.run_files import (
    METRICS,
    PROVENANCE,
    RunDirectory,
    read_json,
    run_directories,
)


@dataclass(frozen=True)
class Network:
    """How a network is measured, and what it should reach (None: only stated).

    Attributes:
        model: name in ``conf/model``.
        steps: of a run.
        fovs: of a rank in a step.
        tried: sizes of micro-batches beside the configured one.
        training: bare training step over the matrix product.
        forward: forward pass over the same.
        trainer: the whole trainer over its bare step.
        coupling: two ranks over two processes on their own.
    """

    model: str
    steps: int
    fovs: int
    tried: Sequence[int]
    training: float | None
    forward: float | None
    trainer: float
    coupling: float | None


PAPER = Network("paper", 20, 1, (2,), 0.8, 0.9, 0.95, 0.95)
TINY = Network("tiny", 100, 32, (8, 32), None, None, 0.8, None)


def network(bench: Bench, network: Network) -> list[Ratio]:
    """Bare step, trainer and two ranks of one network, on synthetic data with all input."""
    model = network.model
    out = bench.folder / model
    bench.module(
        "experiments.throughput",
        f"model={model}",
        "data=synthetic",
        "throughput.mode=weak",
        "throughput.ranks=[1,2]",
        f"throughput.repeats={bench.repeats}",
        f"throughput.steps={20 if bench.quick else network.steps}",
        f"cluster.local_batch_size={network.fovs}",
        "cluster.threads_per_rank=1",
        f"runs_dir={out}",
        f"tracking.uri=sqlite:///{bench.folder / 'mlflow.db'}",
        f"tracking.experiment={model}",
    )
    (results,) = sorted(out.glob("throughput/*/throughput.json"))
    runs = read_json(results)["measurements"]
    one = [m for m in runs if m["shape"]["ranks"] == 1]
    two = [m for m in runs if m["shape"]["ranks"] == 2]
    bare = [m["reference"] for m in one]
    ratios = [
        ratio(
            f"{model}: {what}, floating-point operations per second",
            "matrix product in the same process",
            [reference[key] for reference in bare],
            target,
        )
        for what, key, target in (
            ("training step", "fraction_of_peak", network.training),
            ("forward pass", "forward_fraction_of_peak", network.forward),
        )
    ]
    together = [m["fovs_per_second"] / m["uncoupled"]["fovs_per_second"] for m in two]
    alone = [m["fovs_per_second"] / m["reference"]["fovs_per_second"] for m in one]
    peaks = [metrics for run in run_directories(out, METRICS) for metrics in _peaks_gib(run)]
    ratios += [
        ratio(f"{model}: whole trainer, FOVs/s", "its bare step", alone, network.trainer),
        ratio(f"{model}: 2 ranks, FOVs/s", "2 uncoupled processes", together, network.coupling),
        bound(f"{model}: peak memory of a rank", [max(peaks)], "GiB", 2.5),
    ]
    first = run_directories(out, PROVENANCE)[0].path
    return [*ratios, _micro_batch(bench, model, first, network.tried)]


def _micro_batch(bench: Bench, model: str, run_dir: Path, tried: Sequence[int]) -> Ratio:
    """Bare steps of micro-batches of the configured size against the best other size."""
    config = load_config(run_dir)
    chosen = config.model.micro_batch_size
    fractions: dict[int, list[float]] = {size: [] for size in {chosen, *tried}}
    for _ in range(1 if bench.quick else 3):
        for size, found in fractions.items():
            folder = bench.folder / model / f"micro-{size}"
            folder.mkdir(exist_ok=True)
            variant = replace(
                config,
                model=replace(config.model, micro_batch_size=size),
                cluster=replace(config.cluster, local_batch_size=max(fractions)),
            )
            write_config(folder, variant)
            file = folder / "rates.json"
            bench.module("experiments.throughput.bare_step", str(folder), str(file), "0")
            rates = read_json(file)
            found.append(median_ratio(rates["fovs_per_second"], rates["gemm_flops"]))
    best, best_found = max(
        (item for item in fractions.items() if item[0] != chosen),
        key=lambda item: statistics.median(item[1]),
    )
    ratios = [mine / other for mine, other in zip(fractions[chosen], best_found, strict=True)]
    return ratio(f"{model}: micro-batches of {chosen}, FOVs/s", f"of {best}", ratios, 0.97)


def _peaks_gib(run: RunDirectory) -> list[float]:
    """Peak memory of every rank in the records of a run: of its GPU if it computes on one."""
    ending = "_peak_gpu_gib" if run.device().get("device.kind") == "gpu" else "_peak_rss_gib"
    return [
        value
        for record in run.records()
        for name, value in record.metrics.items()
        if name.endswith(ending)
    ]
