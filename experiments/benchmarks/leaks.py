"""Watch the memory, descriptors and threads of ranks that train for hours."""

from __future__ import annotations

import csv
import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
from scipy import stats

from experiments.config.config_file import write_config
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.prepare import prepare
from experiments.launch.ranks import Ranks
from experiments.reporting.run_files import RunDirectory
from ffn_core.errors import InputError

WARM_UP = 0.25
"""Fraction of the time in which caches fill and allocators settle; it does not count."""

MEMORY_MB_PER_H = 10.0
"""Growth that fails, if it is certain: the lower end of the slope's 95 % interval is above it."""

EXTRA = 2
"""Descriptors and threads a rank may hold beyond its most during warm-up."""


@dataclass(frozen=True)
class Sample:
    """One look at one rank.

    Attributes:
        seconds: since the first look.
        rank: which.
        step: optimizer steps done by then.
        memory_mb: memory of this process alone (unique set size), 10^6 bytes.
        descriptors: open files and sockets.
        threads: operating-system threads.
    """

    seconds: float
    rank: int
    step: int
    memory_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Verdict:
    """What the samples of one rank after warm-up say; slopes as (estimate, 95 % low, high)."""

    rank: int
    samples: int
    steps: int
    memory_mb: float
    memory_mb_per_h: tuple[float, float, float]
    extra_descriptors: int
    extra_threads: int

    @property
    def passed(self) -> bool:
        """Whether nothing grows."""
        return (
            self.memory_mb_per_h[1] <= MEMORY_MB_PER_H
            and self.extra_descriptors <= EXTRA
            and self.extra_threads <= EXTRA
        )

    def __str__(self) -> str:
        slope, low, high = self.memory_mb_per_h
        return (
            f"rank {self.rank}: memory {self.memory_mb:.0f} MB, {slope:+.2f} MB/h "
            f"(95 % {low:+.2f} to {high:+.2f}), descriptors {self.extra_descriptors:+d}, threads "
            f"{self.extra_threads:+d}, over {self.steps} steps: "
            f"{'PASS' if self.passed else 'FAIL'}"
        )


def judge(samples: Sequence[Sample], rank: int) -> Verdict:
    """Slopes and growth of one rank; the slope is Theil's and Sen's, which spikes do not move.

    Raises:
        InputError: There are too few samples.
    """
    mine = [s for s in samples if s.rank == rank]
    warm_s = WARM_UP * max((s.seconds for s in mine), default=0.0)
    before, after = ([s for s in mine if (s.seconds > warm_s) is late] for late in (False, True))
    if len(after) < 8:
        raise InputError(f"{len(after)} samples of rank {rank} after warm-up: soak for longer")
    hours = np.array([s.seconds for s in after]) / 3600.0
    slope = stats.theilslopes([s.memory_mb for s in after], hours)
    return Verdict(
        rank,
        len(after),
        after[-1].step - after[0].step,
        after[-1].memory_mb,
        (float(slope.slope), float(slope.low_slope), float(slope.high_slope)),
        max(s.descriptors for s in after) - max(s.descriptors for s in before),
        max(s.threads for s in after) - max(s.threads for s in before),
    )


def soak_config(folder: Path, ranks: int) -> Config:
    """The tiny network with everything a run does, often, and no end."""
    values = {
        "data": {"name": "synthetic", "size_zyx": [128, 96, 96], "cache_dir": str(folder)},
        "model": {
            "name": "tiny",
            "fov_zyx": [13, 13, 13],
            "deltas_zyx": [3, 3, 3],
            "depth": 4,
            "features": 8,
            "micro_batch_size": 16,
        },
        "movement": {"policy": "fixed"},
        "budget": {"steps": 10**9},
        "cluster": {"nodes": 2 * ranks, "ranks": ranks, "threads_per_rank": 1},
        "report": {"every_fovs": 400},
        "validation": {"every_fovs": 4000, "canvases": 8},
        "checkpoint": {"every_fovs": 2000},
    }
    return from_dict(Config, values)


def rank_processes(run_dir: Path) -> dict[int, psutil.Process]:
    """The processes of a run started over Gloo on this machine, by rank."""
    found = {}
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if command[1:] == ["-m", "experiments.worker", str(run_dir)]:
                found[int(process.environ().get("HOROVOD_RANK", 0))] = process
        except psutil.Error:
            continue
    return found


def _look(run_dir: Path, seconds: float, processes: dict[int, psutil.Process]) -> Iterator[Sample]:
    step = RunDirectory(run_dir).progress().get("step", 0)
    for rank, process in sorted(processes.items()):
        memory_mb = process.memory_full_info().uss / 1e6
        yield Sample(seconds, rank, step, memory_mb, process.num_fds(), process.num_threads())


def watch(config: Config, run_dir: Path, minutes: float, every_s: float) -> list[Sample]:
    """Train for ``minutes`` after the first step, looking at all ranks every ``every_s``.

    Raises:
        InputError: The ranks ended by themselves.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    write_config(run_dir, prepare(config))
    samples: list[Sample] = []
    with Ranks(config, run_dir) as ranks, (run_dir.parent / "samples.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow([field.name for field in dataclasses.fields(Sample)])
        while not RunDirectory(run_dir).progress() and ranks.wait(1.0) is None:
            pass
        processes, start_s = rank_processes(run_dir), time.monotonic()
        while (seconds := time.monotonic() - start_s) < 60.0 * minutes:
            if ranks.wait(every_s) is not None:
                raise InputError(f"the ranks ended: {ranks.log_tail()}")
            for sample in _look(run_dir, seconds, processes):
                samples.append(sample)
                table.writerow(asdict(sample).values())
            file.flush()
        RunDirectory(run_dir).request_stop()
        ranks.wait(60.0)
    return samples
