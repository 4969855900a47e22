"""The parts of the benchmark: each carries out real runs and returns claims."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments import records
from experiments.benchmarks.claim import Claim, bound, ratio
from experiments.run_config import load_config, write_config
from ffn_core.errors import InputError

REPOSITORY = Path(__file__).parent.parent.parent
LABELS_EDGE = 250


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


PAPER = Network("paper", 20, 1, (2, 4), 0.8, 0.9, 0.95, 0.95)
TINY = Network("tiny", 100, 32, (8, 32), None, None, 0.8, None)


class Parts:
    """Everything is written below one folder; nothing of it is needed afterwards."""

    def __init__(self, folder: Path, repeats: int, quick: bool) -> None:
        """Run nothing yet.

        Args:
            folder: for runs, logs and stores.
            repeats: of every measurement.
            quick: the shortest runs that go through every part, for trying it out; the numbers
                mean little.
        """
        self._folder = folder
        self._repeats = repeats
        self._quick = quick

    @property
    def all(self) -> dict[str, Callable[[], list[Claim]]]:
        """By name, in the order in which they are run."""
        return {
            "paper": lambda: self._network(PAPER),
            "tiny": lambda: self._network(TINY),
            "emulation": self._emulation,
            "prepare": self._prepare,
            "startup": self._startup,
        }

    def _network(self, network: Network) -> list[Claim]:
        """Bare step, trainer and two ranks of one network, on synthetic data with all input."""
        model = network.model
        out = self._folder / model
        self._module(
            "experiments.throughput",
            f"model={model}",
            "data=synthetic",
            "throughput.mode=weak",
            "throughput.ranks=[1,2]",
            f"throughput.repeats={self._repeats}",
            f"throughput.steps={20 if self._quick else network.steps}",
            f"cluster.local_batch_size={network.fovs}",
            "cluster.threads_per_rank=1",
            f"runs_dir={out}",
            f"tracking.uri=sqlite:///{self._folder / 'mlflow.db'}",
            f"tracking.experiment={model}",
        )
        (results,) = sorted(out.glob("throughput/*/throughput.json"))
        runs = records.read_json(results)["measurements"]
        one = [m for m in runs if m["shape"]["ranks"] == 1]
        two = [m for m in runs if m["shape"]["ranks"] == 2]
        bare = [m["reference"] for m in one]
        claims = [
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
        peaks = [metrics for path in out.rglob("metrics.jsonl") for metrics in _peaks_gib(path)]
        claims += [
            ratio(f"{model}: whole trainer, FOVs/s", "its bare step", alone, network.trainer),
            ratio(f"{model}: 2 ranks, FOVs/s", "2 uncoupled processes", together, network.coupling),
            bound(f"{model}: peak memory of a rank", [max(peaks)], "GiB", 2.5),
        ]
        first = min(out.rglob(records.PROVENANCE)).parent
        return [*claims, self._micro_batch(model, first, network.tried)]

    def _micro_batch(self, model: str, run_dir: Path, tried: Sequence[int]) -> Claim:
        """Bare steps of micro-batches of the configured size against the best other size."""
        config = load_config(run_dir)
        chosen = config.model.micro_batch_size
        fractions: dict[int, list[float]] = {size: [] for size in {chosen, *tried}}
        for _ in range(1 if self._quick else 3):
            for size, found in fractions.items():
                folder = self._folder / model / f"micro-{size}"
                folder.mkdir(exist_ok=True)
                variant = replace(
                    config,
                    model=replace(config.model, micro_batch_size=size),
                    cluster=replace(config.cluster, local_batch_size=max(fractions)),
                )
                write_config(folder, variant)
                self._module("experiments.bare_step", str(folder), str(folder / "rates.json"))
                rates = records.read_json(folder / "rates.json")
                found.append(_median_ratio(rates["fovs_per_second"], rates["gemm_flops"]))
        best, best_found = max(
            (item for item in fractions.items() if item[0] != chosen),
            key=lambda item: statistics.median(item[1]),
        )
        ratios = [mine / other for mine, other in zip(fractions[chosen], best_found, strict=True)]
        return ratio(f"{model}: micro-batches of {chosen}, FOVs/s", f"of {best}", ratios, 0.97)

    def _emulation(self) -> list[Claim]:
        """Throughput of 1024 logical nodes against 8 on the same processes, in turns."""
        fovs = 2048 if self._quick else 10240
        ratios = []
        for repeat in range(self._repeats):
            rates = {}
            for nodes in (8, 1024):
                out = self._folder / "emulation" / f"{repeat}-{nodes}"
                self._train(
                    out,
                    "experiment=emulation_cost",
                    f"cluster.nodes={nodes}",
                    f"budget.fovs={fovs}",
                    "model=tiny",
                    "report.every_fovs=1024",
                )
                (result,) = out.rglob(records.RESULT)
                rates[nodes] = records.read_json(result)["fovs_per_second"]
            ratios.append(rates[1024] / rates[8])
        return [ratio("1024 logical nodes, FOVs/s", "8 on the same processes", ratios, 0.9)]

    def _prepare(self) -> list[Claim]:
        """Coordinates of a label volume as large as the published training sample."""
        import numpy as np

        from ffn_core.synthetic import synthesize

        edge = 100 if self._quick else LABELS_EDGE
        _, labels = synthesize((edge, edge, edge), seed=1)
        source, file = self._folder / "labels.npy", self._folder / "prepare.json"
        np.save(source, labels)
        module = "experiments.benchmarks.preparing"
        self._module(module, str(source), str(self._repeats), str(file))
        found = records.read_json(file)
        what = f"labels of {edge}^3 voxels"
        return [
            bound(f"{what}: partitions", found["partitions_s"], "s", 6.0),
            bound(f"{what}: balanced coordinates", found["coordinates_s"], "s", 2.0),
            bound(f"{what}: memory beside the labels, in sizes of them", found["memory"], "x", 3.0),
        ]

    def _startup(self) -> list[Claim]:
        """From the command to the first training step of two ranks of the smallest preset."""
        self._train(self._folder / "startup" / "data", *_SHORTEST)  # makes the data
        seconds = [
            self._first_step_s(self._folder / "startup" / str(i)) for i in range(self._repeats)
        ]
        return [bound("command to first training step, 2 ranks", seconds, "s", 15.0)]

    def _first_step_s(self, out: Path) -> float:
        start = time.time()
        self._train(out, *_SHORTEST)
        (path,) = out.rglob(records.METRICS)
        return records.read_records(path)[0].unix_s - start

    def _train(self, out: Path, *overrides: str) -> None:
        self._module(
            "experiments.train",
            *overrides,
            f"runs_dir={out}",
            f"tracking.uri=sqlite:///{self._folder / 'mlflow.db'}",
        )

    def _module(self, module: str, *arguments: str) -> None:
        log = self._folder / f"{module}.log"
        with log.open("ab") as file:
            command = [sys.executable, "-m", module, *arguments]
            done = subprocess.run(command, cwd=REPOSITORY, stdout=file, stderr=file, check=False)
        if done.returncode:
            raise InputError(f"python -m {module} failed with {done.returncode}; see {log}")


def _median_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(v / o for v, o in zip(values, others, strict=True))


_SHORTEST = (
    "model=micro",
    "cluster.nodes=2",
    "budget.steps=1",
    "validation.canvases=0",
)


def _peaks_gib(path: Path) -> list[float]:
    """Peak memory of every rank in the records of a run."""
    return [
        value
        for record in records.read_records(path)
        for name, value in record.metrics.items()
        if name.endswith("_peak_rss_gib")
    ]
