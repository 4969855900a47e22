from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.data_state import changed_data


@pytest.fixture
def config(tmp_path) -> Config:
    for name in ("em", "gt", "held"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["raw"] = np.ones((2, 2, 2), np.uint8)
    pair = {"image": f"{tmp_path}/em.h5:raw", "labels": f"{tmp_path}/gt.h5:raw"}
    held = {"image": f"{tmp_path}/held.h5:raw", "labels": f"{tmp_path}/gt.h5:raw"}
    model = {"name": "m", "fov_zyx": [3] * 3, "deltas_zyx": [1] * 3, "depth": 1, "features": 1}
    data = {"name": "test", "kind": "files"} | pair
    values = {"data": data, "model": model, "budget": {"steps": 1}}
    return from_dict(Config, values | {"validation": {"volumes": [held]}})


def edit(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["more"] = np.ones(9)


def test_what_changed_since_a_run_began_is_known(tmp_path, config):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    for _ in range(2):
        assert changed_data(run_dir, config) == []
    edit(tmp_path / "gt.h5")
    edit(tmp_path / "held.h5")
    names = [f"{tmp_path}/{name}.h5:raw" for name in ("gt", "held")]
    for _ in range(2):
        assert changed_data(run_dir, config) == names, "it is compared with its beginning"


def test_a_run_without_volumes(tmp_path, config):
    dummy = from_dict(
        Config,
        {
            "data": {"name": "dummy", "kind": "dummy"},
            "model": vars(config.model),
            "budget": {"steps": 1},
        },
    )
    assert changed_data(tmp_path, dummy) == []
