import os
from pathlib import Path

import pytest
from hypothesis import settings

from ffn_core.files import REPOSITORY

# TensorFlow reads both when it is imported, so this file comes before any test module.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

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
