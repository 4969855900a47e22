"""Where a result comes from: versions, commit, host."""

from __future__ import annotations

import importlib.metadata
import platform
import socket
import subprocess
from pathlib import Path

import psutil

from ffn_core.files import REPOSITORY
from ffn_core.runtime import available_cores, cpu_flags, native_bfloat16

PACKAGES = ("ffn-scaling", "tensorflow-cpu", "horovod", "keras", "numpy", "hydra-core", "mlflow")


def provenance() -> dict[str, str]:
    """Versions, git commit, host and CPU as flat text; ``unknown`` where it cannot be found."""
    facts = {f"version.{name}": _version(name) for name in PACKAGES}
    facts["version.python"] = platform.python_version()
    facts["git.commit"] = _git("rev-parse", "HEAD") or "unknown"
    facts["git.dirty"] = str(bool(_git("status", "--porcelain")))
    facts["host.name"] = socket.gethostname()
    facts["host.cpu"] = _cpu_model()
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


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
