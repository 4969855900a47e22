"""What a rank measures between two records, pooled over all ranks."""

from __future__ import annotations

from typing import Any

import psutil

from experiments.config.schema import Config
from experiments.trainer.timing import PhaseTimes, Throughput, pooled
from ffn_core import metric_names as names
from ffn_core.devices.placement import gpu_memory_bytes
from ffn_core.runtime import peak_rss_bytes
from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.training.distributed import Collectives
from ffn_core.training.examples import ExampleStream
from ffn_core.training.noise_scale import NoiseScale, decay_per_step
from ffn_core.training.train_step import StepResult

_GIB = 2.0**30


class Meter:
    """Collect over steps; `take` turns it into metrics and starts over."""

    def __init__(self, config: Config, collectives: Collectives) -> None:
        self._collectives = collectives
        self._fovs_per_step = config.cluster.fovs_per_step
        self.phases = PhaseTimes()
        half_life = config.report.noise_half_life_fovs
        self.noise_scale = NoiseScale(decay_per_step(self._fovs_per_step, half_life))
        self.loss_sum = 0.0
        self.loss_steps = 0
        self._steps = 0
        self._skip_steps = config.report.skip_steps
        self._recent = Throughput(config.report.skip_steps)
        self._overall = Throughput(config.report.skip_steps)
        self._process = psutil.Process()
        psutil.cpu_percent(None)  # the first call only starts the measurement

    def add(self, result: StepResult, step_s: float) -> None:
        """Take in one step."""
        self._steps += 1
        if self._steps == self._skip_steps:
            self.phases.reset()  # the first steps trace graphs
        self.loss_sum += result.loss
        self.loss_steps += 1
        self.noise_scale.add(result.moments)
        self._recent.add(self._fovs_per_step, step_s)
        self._overall.add(self._fovs_per_step, step_s)

    def take(self, streams: list[ExampleStream], result: StepResult) -> dict[str, float]:
        """Metrics since the last call; to be called by every rank at the same step."""
        mine = sum((s.take_counts() for s in streams), VoxelCounts())
        counts = VoxelCounts.from_array(self._collectives.sum(mine.as_array()))
        metrics = counts.rates(names.TRAIN)
        metrics[names.TRAIN_LOSS] = self.loss_sum / self.loss_steps
        metrics[names.GRADIENT_NORM] = result.gradient_norm
        if (noise := self.noise_scale.simple) is not None:
            metrics[names.NOISE_SCALE] = noise
        self.loss_sum, self.loss_steps = 0.0, 0
        everyone = self._collectives.gather([self.phases.measured(), self._system()])
        phases, slowest = pooled([times for times, _ in everyone])
        metrics |= {names.time_metric(phase): seconds for phase, seconds in phases.items()}
        metrics[names.SLOWEST_RANK] = float(slowest)
        for _, system in everyone:
            metrics |= system
        self.phases.reset()
        if (rate := self._recent.take()) is not None:
            metrics[names.THROUGHPUT] = rate
            metrics[names.STEP_S] = self._fovs_per_step / rate
        return metrics

    def overall_fovs_per_second(self) -> float | None:
        """FOVs per second of training time over the whole process, first steps left out."""
        return self._overall.rate

    def _system(self) -> dict[str, float]:
        """Load of this host, from its first rank, and memory of this rank."""
        topology = self._collectives.topology
        memory = {
            names.rank_metric(topology.rank, "rss_gib"): self._process.memory_info().rss / _GIB,
            names.rank_metric(topology.rank, "peak_rss_gib"): peak_rss_bytes() / _GIB,
        }
        if (of_gpu := gpu_memory_bytes()) is not None:
            held, most = of_gpu
            memory[names.rank_metric(topology.rank, "gpu_gib")] = held / _GIB
            memory[names.rank_metric(topology.rank, "peak_gpu_gib")] = most / _GIB
        if topology.local_rank:
            return memory
        rank, used = topology.rank, psutil.virtual_memory().used
        return memory | {
            names.host_metric(rank, "cpu_percent"): psutil.cpu_percent(None),
            names.host_metric(rank, "memory_used_gib"): used / _GIB,
        }

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "noise_scale": self.noise_scale.state(),
            "loss_sum": self.loss_sum,
            "loss_steps": self.loss_steps,
        }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from `state`; None leaves it as it began."""
        if state is None:
            return
        self.noise_scale = NoiseScale(**state["noise_scale"])
        self.loss_sum, self.loss_steps = state["loss_sum"], state["loss_steps"]
