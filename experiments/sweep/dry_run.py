"""A dry run: the points of a sweep, what they cost, and exactly what would be started for them."""

from __future__ import annotations

import os
import shlex
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.config.naming import point_name, run_directory
from experiments.config.schema import Config
from experiments.launch.launchers import as_typed
from experiments.launch.slurm import after, jobs
from experiments.reporting.progress import duration
from experiments.reporting.redaction import redacted_text
from experiments.reporting.run_files import RESULT, RunDirectory, run_directories
from experiments.reporting.terminal import Terminal
from ffn_core.devices.host import room_for_ranks
from ffn_core.errors import InputError

ASSUMED_FRACTION_OF_PEAK = 0.5
ASSUMED_OVERHEAD_S = 0.005
"""What a step takes however few FOVs it has: starting operations, update, allreduce."""


@dataclass(frozen=True)
class Estimate:
    """Seconds a run will train for, and what that rests on."""

    seconds: float
    basis: str


class CostModel:
    """Estimates from earlier runs of the same network here, else from arithmetic.

    A step is modeled as taking a fixed time and a time for each FOV: with few FOVs to a step the
    first is most of it.
    """

    def __init__(self, runs_dir: Path, warn: Callable[[str], object]) -> None:
        """Read what the runs below ``runs_dir`` took; ``warn`` of those that cannot be read."""
        # Seconds per step of earlier runs, by what they ran on and by FOVs per step.
        self._measured: dict[tuple[object, ...], dict[int, list[float]]] = {}
        self._gemm_flops: float | None = None
        for run in run_directories(runs_dir, RESULT):
            try:
                if rate := run.result().get("fovs_per_second"):
                    values = run.config()
                    cluster = values["cluster"]
                    fovs = int(cluster["nodes"]) * int(cluster["local_batch_size"])
                    sizes = self._measured.setdefault(_key(values["model"], cluster), {})
                    sizes.setdefault(fovs, []).append(fovs / rate)
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
        per_step = config.cluster.fovs_per_step
        steps = config.budget.in_steps(per_step) or 0
        if config.stage is not None:
            steps = -(-config.stages[config.stage].fovs // per_step)
        measured = self._measured.get(_key(vars(config.model), vars(config.cluster)), {})
        if per_step in measured:
            times = measured[per_step]
            return Estimate(
                steps * statistics.median(times), f"median of {len(times)} earlier runs"
            )
        if len(measured) > 1:
            seconds = step_seconds(measured, per_step)
            return Estimate(steps * seconds, f"earlier runs at {len(measured)} other batch sizes")
        computing = config.model.training_flops / (ASSUMED_FRACTION_OF_PEAK * self._gemm())
        seconds = ASSUMED_OVERHEAD_S + per_step * computing
        return Estimate(steps * seconds, "modeled from FLOPs")

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


def step_seconds(measured: Mapping[int, Sequence[float]], fovs: int) -> float:
    """Seconds per step at some FOVs per step, on the least-squares line through measured ones.

    Args:
        measured: seconds per step of runs, by FOVs per step; at least two sizes.
        fovs: per step.
    """
    sizes = np.array(list(measured), dtype=float)
    times = np.array([statistics.median(times) for times in measured.values()])
    # Relative errors count: a step of one FOV and one of a thousand are both to be right.
    slope, fixed = np.polyfit(sizes, times, 1, w=1 / times)
    if fixed < 0 or slope < 0:
        return float(fovs * np.median(times / sizes))
    return float(fixed + slope * fovs)


def _key(model: Mapping[str, object], cluster: Mapping[str, object]) -> tuple[object, ...]:
    """What the time of a step depends on besides its FOVs."""
    sizes = tuple(str(model[name]) for name in ("fov_zyx", "depth", "features", "micro_batch_size"))
    sizes += (str(model.get("precision", "float32")),)  # runs from before there was a choice
    return (*sizes, cluster["ranks"])


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
        self._planned.append((config, self._costs.estimate(config, room_for_ranks(config.device))))

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
        as_typed(each.on(room_for_ranks(config.device)), run_dir, as_root=os.geteuid() == 0)
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
