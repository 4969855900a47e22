"""Whether volumes can be trained on, as far as that is known before anything is started."""

import numpy as np
import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.data.cache import write_volumes
from experiments.launch.volumes import require_fit
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
