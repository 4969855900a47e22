"""Whether volumes can be trained on, as far as that is known before anything is started."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.data.cache import write_volumes
from experiments.launch.volumes import changed_data, require_fit
from ffn_core.errors import InputError


def config(fov, **data) -> Config:
    model = {"name": "m", "fov_zyx": fov, "deltas_zyx": [1, 1, 1], "depth": 2, "features": 2}
    values = {"data": {"name": "d", "kind": "files"} | data, "model": model}
    return from_dict(Config, values | {"budget": {"steps": 1}})


def test_canvases_that_do_not_fit_are_refused_without_preparing(tmp_path):
    volume = np.ones((6, 12, 12), np.uint8)
    write_volumes(tmp_path / "a.h5", {"image": volume, "labels": volume})
    pair = {name: f"{tmp_path}/a.h5:{name}" for name in ("image", "labels")}
    require_fit(config([3, 9, 9], **pair))
    message = r"canvas of \(7, 11, 11\) .* volume of \(6, 12, 12\): .* \(model\.fov_zyx"
    for data in (pair, {"volumes": [pair]}):
        with pytest.raises(InputError, match=message):
            require_fit(config([5, 9, 9], **data))
    synthetic = {"kind": "synthetic", "size_zyx": [6, 12, 12]}
    with pytest.raises(InputError, match=message):
        require_fit(config([5, 9, 9], **synthetic))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".h5"] == ["a.h5"]


def test_volumes_of_another_machine_are_left_to_it(tmp_path):
    require_fit(config([99, 99, 99], image=f"{tmp_path}/b.h5:image", labels=f"{tmp_path}/b.h5:gt"))
    require_fit(config([99, 99, 99], kind="dummy"))


@pytest.fixture
def begun(tmp_path) -> Config:
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


def test_what_changed_since_a_run_began_is_known(tmp_path, begun):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    for _ in range(2):
        assert changed_data(run_dir, begun) == []
    edit(tmp_path / "gt.h5")
    edit(tmp_path / "held.h5")
    names = [f"{tmp_path}/{name}.h5:raw" for name in ("gt", "held")]
    for _ in range(2):
        assert changed_data(run_dir, begun) == names, "it is compared with its beginning"


def test_a_run_without_volumes(tmp_path, begun):
    dummy = from_dict(
        Config,
        {
            "data": {"name": "dummy", "kind": "dummy"},
            "model": vars(begun.model),
            "budget": {"steps": 1},
        },
    )
    assert changed_data(tmp_path, dummy) == []
