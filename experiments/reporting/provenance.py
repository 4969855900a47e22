"""Where a result comes from: versions, commit, host."""

from __future__ import annotations

import importlib.metadata
import platform
import socket
import subprocess

import psutil

from ffn_core.devices.host import cpu_model, gpu_models
from ffn_core.devices.installed import tensorflow_build
from ffn_core.files import REPOSITORY
from ffn_core.runtime import available_cores, cpu_flags, native_bfloat16

PACKAGES = ("ffn-scaling", "horovod", "keras", "numpy", "hydra-core", "mlflow")


def provenance() -> dict[str, str]:
    """Versions, git commit and host as flat text; ``unknown`` where it cannot be found.

    What a run computes on is found by its ranks: see `experiments.reporting.run_files`.
    """
    facts = {f"version.{name}": _version(name) for name in PACKAGES}
    tensorflow = tensorflow_build()
    facts["version.tensorflow"] = tensorflow.version if tensorflow else "unknown"
    facts["tensorflow.kind"] = tensorflow.kind if tensorflow else "unknown"
    facts["version.python"] = platform.python_version()
    facts["git.commit"] = _git("rev-parse", "HEAD") or "unknown"
    facts["git.dirty"] = str(bool(_git("status", "--porcelain")))
    facts["host.name"] = socket.gethostname()
    facts["host.cpu"] = cpu_model()
    facts["host.gpus"] = ", ".join(gpu_models()) or "none"
    facts["host.bfloat16"] = "native" if native_bfloat16(cpu_flags()) else "emulated"
    facts["host.cores"] = str(available_cores())
    facts["host.memory_gib"] = f"{psutil.virtual_memory().total / 2**30:.1f}"
    facts["host.system"] = platform.platform()
    return facts


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
