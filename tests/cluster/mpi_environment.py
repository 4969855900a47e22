"""A second environment, ``.venv-mpi``, whose Horovod is built with MPI; ``.venv`` stays as it is.

    python tests/cluster/mpi_environment.py

Everything but Horovod comes from the lock file. Horovod is compiled inside the environment without
uv's cache, which would hand out the wheel that was built without MPI, or keep this one for others.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-mpi"
PYTHON = FOLDER / "bin" / "python"


def has_mpi(python: Path) -> bool:
    """Whether the Horovod of an environment is linked to MPI; False if there is none."""
    libraries = python.parents[1].glob("lib/*/site-packages/horovod/tensorflow/mpi_lib*.so")
    return any(b"libmpi.so" in library.read_bytes() for library in libraries)


def build() -> Path:
    """Make the environment, or bring it up to date; returns its Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    uv = project["tool"]["uv"]
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    environment |= {"UV_PROJECT_ENVIRONMENT": str(FOLDER)}
    sync = ["uv", "sync", "--locked", "--inexact", "--no-install-package", "horovod", "--quiet"]
    subprocess.run(sync, cwd=ROOT, env=environment, check=True)
    if has_mpi(PYTHON):
        return PYTHON
    install = ["uv", "pip", "install", "--quiet", "--no-config", "--python", str(PYTHON)]
    # The same build requirements as in the project; TensorFlow itself is there already.
    needed = [r for r in uv["extra-build-dependencies"]["horovod"] if isinstance(r, str)]
    subprocess.run([*install, *needed], cwd=ROOT, env=environment, check=True)
    (horovod,) = (d for d in project["project"]["dependencies"] if d.startswith("horovod"))
    environment |= uv["extra-build-variables"]["horovod"] | {"HOROVOD_WITH_MPI": "1"}
    compile_it = [*install, "--no-build-isolation", "--no-cache", "--reinstall-package", "horovod"]
    # Its dependencies are in the lock file.
    subprocess.run([*compile_it, "--no-deps", horovod], cwd=ROOT, env=environment, check=True)
    if not has_mpi(PYTHON):
        raise RuntimeError(f"Horovod in {FOLDER} was built without MPI; is mpicxx on the PATH?")
    return PYTHON


if __name__ == "__main__":
    print(build())
