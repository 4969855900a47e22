"""The processors of this host by name and number, found without TensorFlow."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from ffn_core.devices.installed import TensorFlowBuild, tensorflow_build
from ffn_core.runtime import available_cores

NVIDIA = Path("/proc/driver/nvidia/gpus")
"""Where the driver has a folder for each GPU of the host, sorted by PCI address."""

VISIBLE = "CUDA_VISIBLE_DEVICES"


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the CPU; ``unknown`` where the system does not say."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or "unknown"


def visible_gpus(environment: Mapping[str, str], folder: Path = NVIDIA) -> list[str]:
    """What the GPUs that programs with this environment see are called in ``CUDA_VISIBLE_DEVICES``.

    Args:
        environment: variables; without ``CUDA_VISIBLE_DEVICES`` they see all GPUs of the host.
        folder: of the driver.
    """
    count = len(list(folder.iterdir())) if folder.is_dir() else 0
    if VISIBLE not in environment or not count:
        return [str(number) for number in range(count)]
    seen = []
    for name in environment[VISIBLE].split(","):
        # CUDA ignores all from the first name on that is none of a GPU.
        if not name.strip() or (name.strip().lstrip("-").isdigit() and not 0 <= int(name) < count):
            break
        seen.append(name.strip())
    return seen


def gpu_models(folder: Path = NVIDIA) -> list[str]:
    """Names of all GPUs of the host, such as ``NVIDIA A100-SXM4-40GB``."""
    models = []
    for gpu in sorted(folder.iterdir()) if folder.is_dir() else []:
        lines = (gpu / "information").read_text().splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.startswith("Model:"))
        models.append(next(named, "unknown"))
    return models


def usable_gpus(
    device: str,
    environment: Mapping[str, str] | None = None,
    build: TensorFlowBuild | None = None,
    folder: Path = NVIDIA,
) -> int:
    """How many GPUs of this host ranks would compute on.

    Args:
        device: one of `ffn_core.devices.placement.DEVICES`.
        environment: variables of the ranks; None for those of this process.
        build: their TensorFlow; None for the one installed here.
        folder: of the driver.
    """
    build = tensorflow_build() if build is None else build
    if device == "cpu" or build is None or build.kind != "gpu":
        return 0
    return len(visible_gpus(os.environ if environment is None else environment, folder))


def room_for_ranks(device: str) -> int:
    """How many ranks fit on this host: one on each GPU if they compute on these, else on a core."""
    return usable_gpus(device) or available_cores()


def on_gpu(number: int, gpus: list[str]) -> dict[str, str]:
    """Variables by which a process sees one GPU alone, that of ``number`` of several processes.

    Args:
        number: of the process on this host, from 0.
        gpus: what `visible_gpus` returned; with none of them nothing is set.
    """
    return {VISIBLE: gpus[number % len(gpus)]} if gpus else {}
