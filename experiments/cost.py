"""What a point will cost, before it is run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from experiments.config.schema import Config
from experiments.reporting import run_files

ASSUMED_FRACTION_OF_PEAK = 0.5


@dataclass(frozen=True)
class Estimate:
    """Seconds a run will train for, and what that rests on."""

    seconds: float
    basis: str


class CostModel:
    """Estimates from earlier runs of the same network here, else from arithmetic."""

    def __init__(self, runs_dir: Path) -> None:
        self._measured: dict[tuple[object, ...], list[float]] = {}
        self._gemm_flops: float | None = None
        for path in runs_dir.rglob(run_files.RESULT):
            rate = (run_files.read_json(path) or {}).get("fovs_per_second")
            config = path.parent / run_files.CONFIG
            if rate and config.is_file():
                values = yaml.safe_load(config.read_text())
                key = _key(values["model"], values["cluster"])
                self._measured.setdefault(key, []).append(rate)

    def estimate(self, config: Config) -> Estimate:
        """Training time of ``config`` on this machine, without start-up and validation."""
        if config.budget.seconds is not None:
            return Estimate(config.budget.seconds, "budget")
        steps = config.budget.in_steps(config.cluster.fovs_per_step) or 0
        fovs = steps * config.cluster.fovs_per_step
        rates = self._measured.get(_key(vars(config.model), vars(config.cluster)))
        if rates:
            return Estimate(fovs / statistics.median(rates), f"median of {len(rates)} earlier runs")
        flops = fovs * config.model.training_flops
        return Estimate(flops / (ASSUMED_FRACTION_OF_PEAK * self._gemm()), "modelled from FLOPs")

    def _gemm(self) -> float:
        """FLOPs per second of a matrix product on all cores."""
        if self._gemm_flops is None:
            n = 1024
            matrix = np.ones((n, n), np.float32)
            matrix @ matrix
            start = time.perf_counter()
            matrix @ matrix
            self._gemm_flops = 2 * n**3 / (time.perf_counter() - start)
        return self._gemm_flops


def _key(model: dict[str, object], cluster: dict[str, object]) -> tuple[object, ...]:
    """What throughput depends on; the rank's share of nodes only through full micro-batches."""
    sizes = tuple(str(model[name]) for name in ("fov_zyx", "depth", "features", "micro_batch_size"))
    return (*sizes, cluster["ranks"], cluster["nodes"], cluster["local_batch_size"])
