"""The commands that start the workers of a segmentation."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from experiments.launchers import rank_command, rank_environment, require_program
from experiments.schema import BudgetConfig, ClusterConfig, Config, DataConfig, ModelConfig
from experiments.segment_schema import SegmentConfig
from ffn_core.errors import InputError

WORKER = "experiments.segment_worker"
_OF_TRAINING = "experiments.worker"
_ON_HOSTS = ("gloo", "mpi")


def worker_commands(config: SegmentConfig, subvolumes: int) -> list[list[str]]:
    """Commands that together start the workers for so many subvolumes of a resolved config.

    A launcher always starts all processes: hosts and allocations are made for that number.

    Raises:
        InputError: An unknown launcher, one that is not installed, or that needs to know more.
    """
    if _is_direct(config):
        tasks = min(config.processes, subvolumes)
        worker = [sys.executable, "-m", WORKER, str(config.directory), "--tasks", str(tasks)]
        return [[*worker, "--task", str(task)] for task in range(tasks)]
    run = _as_run(config)
    require_program(run)
    command = rank_command(run, config.directory, as_root=os.geteuid() == 0)
    command = [WORKER if part == _OF_TRAINING else part for part in command]
    return [[*command, "--tasks", str(config.processes)]]


def worker_environment(config: SegmentConfig) -> dict[str, str]:
    """The environment of those commands."""
    environment = dict(os.environ)
    if not _is_direct(config):
        environment = rank_environment(_as_run(config)) | environment
    environment |= config.launcher.environment
    repository, path = str(Path(__file__).parent.parent), environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{repository}{os.pathsep}{path}" if path else repository
    return environment


def _is_direct(config: SegmentConfig) -> bool:
    """Whether this machine's workers need no launcher: they do not communicate."""
    return config.launcher.name == "gloo" and config.launcher.hosts is None


def _as_run(config: SegmentConfig) -> Config:
    """A training run with as many ranks as there are processes: what launchers are told of."""
    name, threads = config.launcher.name, config.threads_per_process
    if name not in _ON_HOSTS and threads is None:
        raise InputError(
            f"launcher={name} needs threads_per_process, the compute threads of a process"
        )
    return Config(
        data=DataConfig(name="segmentation"),
        model=ModelConfig("any", fov_zyx=[], deltas_zyx=[], depth=1, features=1),
        budget=BudgetConfig(steps=1),
        cluster=ClusterConfig(
            nodes=config.processes, ranks=config.processes, threads_per_rank=threads
        ),
        launcher=config.launcher,
    )
