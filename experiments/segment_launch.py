"""The commands that start the workers of a segmentation."""

from __future__ import annotations

import os
import sys

from experiments.launch.launchers import Placement, start_command
from experiments.segment_schema import SegmentConfig
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY

WORKER = "experiments.segment_worker"
_ON_HOSTS = ("gloo", "mpi")


def worker_commands(config: SegmentConfig, subvolumes: int) -> list[list[str]]:
    """Commands that together start the workers for so many subvolumes of a resolved config.

    A launcher always starts all processes: hosts and allocations are made for that number.

    Raises:
        InputError: An unknown launcher, one that is not installed, or that needs to know more.
    """
    worker = [sys.executable, "-m", WORKER, str(config.directory), "--tasks"]
    if _is_direct(config):
        tasks = min(config.processes, subvolumes)
        return [[*worker, str(tasks), "--task", str(task)] for task in range(tasks)]
    placed = _placement(config)
    placed.require_program()
    return [start_command(placed, [*worker, str(config.processes)], as_root=os.geteuid() == 0)]


def worker_environment(config: SegmentConfig) -> dict[str, str]:
    """The environment of those commands."""
    environment = os.environ | config.launcher.environment
    repository, path = str(REPOSITORY), environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{repository}{os.pathsep}{path}" if path else repository
    return environment


def _is_direct(config: SegmentConfig) -> bool:
    """Whether this machine's workers need no launcher: they do not communicate."""
    return config.launcher.name == "gloo" and config.launcher.hosts is None


def _placement(config: SegmentConfig) -> Placement:
    name, threads = config.launcher.name, config.threads_per_process
    if name not in _ON_HOSTS and threads is None:
        raise InputError(
            f"launcher={name} needs threads_per_process, the compute threads of a process"
        )
    return Placement(config.launcher, config.processes, threads, config.launcher.environment)
