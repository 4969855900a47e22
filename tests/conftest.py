import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from ffn_core.files import REPOSITORY

# TensorFlow reads both when it is imported, so this file comes before any test module.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Tests run beside each other: waiting threads of small matrix products took a fifth of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The same examples every time, and no time limit on a machine that others use too.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder of public data and models, which the project works without."""
    default = REPOSITORY.parent / "shared"
    folder = Path(os.environ.get("FFN_SHARED_DIR", default))
    if not folder.is_dir():
        pytest.skip(f"no shared data in {folder}; set FFN_SHARED_DIR")
    return folder


@pytest.fixture(scope="session")
def everything() -> Callable[[Path], dict[str, str]]:
    """Digest of every file and target of every link below a folder, by path."""

    def look(folder: Path) -> dict[str, str]:
        found = {}
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[name] = "folder"
        return found

    return look


@pytest.fixture
def refused(tmp_path, capsys, everything) -> Callable[[Callable[[], int]], str]:
    """Runs a command that may not write: one line, exit code 2, every byte stays; returns it."""

    def check(run: Callable[[], int]) -> str:
        before = everything(tmp_path)
        capsys.readouterr()
        assert run() == 2
        said = capsys.readouterr()
        assert everything(tmp_path) == before, "nothing is touched"
        assert said.err.count("\n") == 1, said.err
        assert not said.out
        return said.err

    return check
