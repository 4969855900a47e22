"""What is installed of TensorFlow and Horovod, found without importing either.

Both have kinds that look alike until they are used: TensorFlow for CPUs or for GPUs, and Horovod
with or without TensorFlow, which depends on how it was built.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ffn_core.errors import InputError

SWITCH = "uv sync --no-group cpu --group gpu"
"""Gives a checkout the TensorFlow for GPUs."""

BUILD_HOROVOD = (
    "HOROVOD_WITH_TENSORFLOW=1 HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_PYTORCH=1 "
    "HOROVOD_WITHOUT_MXNET=1 CXXFLAGS='-include stdexcept -include cstdint' pip install "
    "--no-build-isolation --no-cache-dir --force-reinstall --no-deps horovod==0.28.1"
)
"""Builds Horovod against the TensorFlow that is installed."""

_DISTRIBUTIONS = {"tensorflow-cpu": "cpu", "tensorflow": "gpu"}
"""Names under which TensorFlow is installed, and what each can compute on besides a CPU."""


@dataclass(frozen=True)
class TensorFlowBuild:
    """The TensorFlow that is installed: its version, and ``cpu`` or ``gpu``."""

    version: str
    kind: str


def tensorflow_build() -> TensorFlowBuild | None:
    """Which TensorFlow is installed; None if there is none."""
    for name, kind in _DISTRIBUTIONS.items():
        try:
            return TensorFlowBuild(importlib.metadata.version(name), kind)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def require_tensorflow(device: str, build: TensorFlowBuild | None) -> None:
    """Check that there is a TensorFlow, and one for GPUs if ``device`` asks for one.

    Raises:
        InputError: there is not.
    """
    if build is None:
        raise InputError(
            "TensorFlow is not installed; install this project with one of its extras, cpu or gpu, "
            "as in `pip install 'ffn-scaling[cpu]'`: see docs/guides/installing.md"
        )
    if device == "gpu" and build.kind != "gpu":
        raise InputError(
            f"device=gpu, but the TensorFlow {build.version} installed here is the one for CPUs; "
            f"switch this checkout with `{SWITCH}` (elsewhere: install the extra gpu)"
        )


def horovod_folder() -> Path | None:
    """Where the package of Horovod is; None if it is not installed."""
    found = importlib.util.find_spec("horovod")
    folders = found.submodule_search_locations if found else None
    return Path(folders[0]) if folders else None


def require_horovod(folder: Path | None) -> None:
    """Check that Horovod is installed and was built with TensorFlow.

    A build that finds no TensorFlow ends well all the same, without it.

    Args:
        folder: of its package; None where there is none.

    Raises:
        InputError: it is not, or was not.
    """
    if folder is None:
        problem = "Horovod is not installed"
    elif not any((folder / "tensorflow").glob("mpi_lib*.so")):
        problem = f"Horovod in {folder} was built without TensorFlow"
    else:
        return
    raise InputError(
        f"{problem}; in this environment run `{BUILD_HOROVOD}`, which needs cmake<4, setuptools<70 "
        "and wheel there: see docs/guides/installing.md"
    )
