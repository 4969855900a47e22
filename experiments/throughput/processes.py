"""Carry out the runs of a series: ranks together, uncoupled processes, bare steps."""

from __future__ import annotations

import dataclasses
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from experiments.config.config_file import load_config, write_config
from experiments.config.schema import Config
from experiments.launch.ranks import Ranks, run_side_by_side
from experiments.reporting.run_files import RunDirectory, read_json
from experiments.reporting.terminal import Terminal
from experiments.sweep.scheduler import run_point
from experiments.throughput.efficiency import (
    BareRates,
    Measurement,
    Reference,
    Uncoupled,
    combine,
    common_rate,
    phases,
)
from experiments.throughput.plan import Plan, Shape, uncoupled_configs, uncoupled_steps
from ffn_core.devices.host import usable_gpus, visible_gpus
from ffn_core.errors import InputError

POLL_S = 0.25


class MeasurementError(RuntimeError):
    """A process of the series failed; the message says which and where its log is."""


class Measurer:
    """Measure shapes one after the other."""

    def __init__(self, plan: Plan, folder: Path, terminal: Terminal, parent: str) -> None:
        """Nothing is started yet.

        Args:
            plan: What to measure.
            folder: Where run directories of the references go.
            terminal: Where progress is shown.
            parent: MLflow run of the series; empty if it could not be made.
        """
        self._plan = plan
        self._folder = folder
        self._terminal = terminal
        self._parent = parent

    def measure(
        self, config: Config, repeat: int, coupling: bool, peak: bool
    ) -> tuple[Measurement, Path]:
        """Run ``config`` and its references; returns what came out and its run directory.

        Raises:
            MeasurementError: A process failed.
            InputError: For bad input.
            KeyboardInterrupt: When the user ended it; no process is left.
        """
        cluster = config.cluster
        shape = Shape(cluster.ranks, cluster.local_batch_size)
        run_dir = self._together(config)
        files = RunDirectory(run_dir)
        phases_s, slowest = phases(files.records())
        forward = config.model.size.forward_flops(config.model.geometry.fov_voxels)
        prepared = dataclasses.replace(load_config(run_dir), launcher=config.launcher)
        folder = self._folder / f"{run_dir.name}-references"
        measurement = Measurement(
            shape,
            repeat,
            files.result()["fovs_per_second"],
            phases_s,
            slowest,
            float(prepared.model.training_flops),
            self._uncoupled(prepared, phases_s["step"], folder)
            if coupling and shape.ranks > 1
            else None,
            self._reference(run_dir, shape, forward, folder) if peak else None,
        )
        return measurement, run_dir

    def _together(self, config: Config) -> Path:
        outcome = run_point(config, self._terminal, self._parent)
        if outcome.outcome == "input":
            raise InputError(outcome.message)
        if outcome.outcome != "finished":
            raise MeasurementError(f"{outcome.name}: {outcome.message}; see {outcome.run_dir}")
        # No run continues from here, and a checkpoint of the published network is 8 MB.
        shutil.rmtree(RunDirectory(outcome.run_dir).checkpoints, ignore_errors=True)
        return outcome.run_dir

    def _uncoupled(self, config: Config, step_s: float, folder: Path) -> Uncoupled | None:
        """The ranks of a prepared config as independent runs at the same time."""
        run_dirs = []
        steps = uncoupled_steps(config.budget.steps or 0, step_s)
        gpus = visible_gpus(os.environ) if usable_gpus(config.device) else None
        with ExitStack() as stack:
            bar = stack.enter_context(self._terminal.point(f"{config.cluster.ranks} uncoupled"))
            running = []
            for i, alone in enumerate(uncoupled_configs(config, steps, gpus)):
                run_dirs.append(folder / f"uncoupled-{i}")
                run_dirs[-1].mkdir(parents=True)
                write_config(run_dirs[-1], alone)
                running.append(stack.enter_context(Ranks(alone, run_dirs[-1])))
            for ranks, run_dir in zip(running, run_dirs, strict=True):
                while (code := ranks.wait(POLL_S)) is None:
                    bar.update(RunDirectory(run_dir).progress(), [])
                if code:
                    raise MeasurementError(f"{run_dir}: {ranks.died()}; see {ranks.log_path}")
        for run_dir in run_dirs:
            shutil.rmtree(RunDirectory(run_dir).checkpoints)
        rate = common_rate([RunDirectory(run_dir).records() for run_dir in run_dirs])
        if rate is None:
            self._terminal.warn(
                "the uncoupled processes never trained at the same time, so there is no coupling "
                "efficiency: raise throughput.steps"
            )
        return rate

    def _reference(self, run_dir: Path, shape: Shape, forward: float, folder: Path) -> Reference:
        """Bare steps and matrix products, in as many processes as ranks share this host."""
        count = min(shape.ranks, self._plan.ranks_per_host)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"bare-{i}.json" for i in range(count)]
        log_path = folder / "bare.log"
        modules = [
            ["experiments.throughput.bare_step", str(run_dir), str(file), str(rank)]
            for rank, file in enumerate(files)
        ]
        with self._terminal.console.status("bare step and GEMM"):
            if not run_side_by_side(modules, log_path):
                raise MeasurementError(f"the bare step failed; see {log_path}")
        rates = [read_json(file) for file in files]
        return combine([BareRates(**each) for each in rates], forward, shape.ranks / count)
