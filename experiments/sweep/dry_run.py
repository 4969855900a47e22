"""A dry run: the points of a sweep, what they cost, and exactly what would be started for them."""

from __future__ import annotations

import os
import shlex
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.config.naming import point_name, run_directory
from experiments.config.schema import Config
from experiments.launch.launchers import as_typed
from experiments.launch.slurm import after, jobs
from experiments.reporting.redaction import redacted_text
from experiments.reporting.run_files import RESULT, RunDirectory, run_directories
from experiments.reporting.terminal import Terminal, duration
from ffn_core.errors import InputError
from ffn_core.runtime import available_cores

ASSUMED_FRACTION_OF_PEAK = 0.5


@dataclass(frozen=True)
class Estimate:
    """Seconds a run will train for, and what that rests on."""

    seconds: float
    basis: str


class CostModel:
    """Estimates from earlier runs of the same network here, else from arithmetic."""

    def __init__(self, runs_dir: Path, warn: Callable[[str], object]) -> None:
        """Read what the runs below ``runs_dir`` took; ``warn`` of those that cannot be read."""
        self._measured: dict[tuple[object, ...], list[float]] = {}
        self._gemm_flops: float | None = None
        for run in run_directories(runs_dir, RESULT):
            try:
                if rate := run.result().get("fovs_per_second"):
                    values = run.config()
                    key = _key(values["model"], values["cluster"])
                    self._measured.setdefault(key, []).append(rate)
            except InputError as error:
                warn(f"left out of the estimate: {error}")
            except KeyError:
                pass  # of an older version

    def estimate(self, config: Config, cores: int) -> Estimate:
        """Training time of ``config`` on this machine, without start-up and validation."""
        parts = [self._estimate(each.on(cores)) for each in config.each_stage()]
        bases = dict.fromkeys(part.basis for part in parts)
        return Estimate(sum(part.seconds for part in parts), ", ".join(bases))

    def _estimate(self, config: Config) -> Estimate:
        if config.budget.seconds is not None:
            return Estimate(config.budget.seconds, "budget")
        steps = config.budget.in_steps(config.cluster.fovs_per_step) or 0
        fovs = steps * config.cluster.fovs_per_step
        if config.stage is not None:
            fovs = config.stages[config.stage].fovs
        rates = self._measured.get(_key(vars(config.model), vars(config.cluster)))
        if rates:
            return Estimate(fovs / statistics.median(rates), f"median of {len(rates)} earlier runs")
        flops = fovs * config.model.training_flops
        return Estimate(flops / (ASSUMED_FRACTION_OF_PEAK * self._gemm()), "modeled from FLOPs")

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
    sizes += (str(model.get("precision", "float32")),)  # runs from before there was a choice
    return (*sizes, cluster["ranks"], cluster["nodes"], cluster["local_batch_size"])


class SweepPlan:
    """The points of one command, none of which is run."""

    def __init__(self, runs_dir: Path, warn: Callable[[str], object]) -> None:
        self._costs = CostModel(runs_dir, warn)
        self._planned: list[tuple[Config, Estimate]] = []

    def add(self, config: Config) -> None:
        """Note a point.

        Raises:
            InputError: its launcher is unknown, or needs more of the config.
        """
        what_would_run(config)
        self._planned.append((config, self._costs.estimate(config, available_cores())))

    def show(self, terminal: Terminal) -> None:
        """Print a table of the points, and the command of each that is not finished."""
        rows, total_s = [], 0.0
        for config, estimate in self._planned:
            state = _state(run_directory(config))
            if state != "finished":
                total_s += estimate.seconds
            row = [point_name(config), state, str(config.budget), duration(estimate.seconds)]
            rows.append([*row, estimate.basis])
        title = f"{len(rows)} points, training time left about {duration(total_s)}"
        if self._planned and (parallel := self._planned[0][0].sweep.parallel) > 1:
            title += f" one after another; {parallel} run side by side"
        terminal.table(title, ["point", "state", "budget", "training", "estimated from"], rows)
        for config, _ in self._planned:
            if _state(run_directory(config)) != "finished":
                print(f"\n{point_name(config)}")
                print("\n".join(f"  {redacted_text(line)}" for line in what_would_run(config)))


def what_would_run(config: Config) -> list[str]:
    """Lines that say what starts the ranks of a point; for a job also how it gets there."""
    run_dir = run_directory(config)
    starts = [
        as_typed(each.on(available_cores()), run_dir, as_root=os.geteuid() == 0)
        for each in config.each_stage()
    ]
    if config.batch.system is None:
        return starts
    lines = []
    made = jobs(config, point_name(config), run_dir, Path.cwd(), parent=None)
    for number, (one, start) in enumerate(zip(made, starts, strict=True)):
        lines += [
            shlex.join(after(one.command, "JOB_BEFORE") if number else one.command),
            "which runs",
            *(f"  {line}" for line in one.script.splitlines()),
            "which starts",
            f"  {start}",
        ]
    return lines


def _state(run_dir: Path) -> str:
    run = RunDirectory(run_dir)
    try:
        if run.result():
            return "finished"
    except InputError:
        return "damaged"
    return "to resume" if run.checkpoints.is_dir() else "to run"
