"""Data that lie: what training and `experiments.data` say of them before anything is made."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.data.__main__ import main
from experiments.data.cache import write_volumes
from experiments.launch.prepare import prepare
from ffn_core.errors import InputError
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.synthetic.neurites import synthesize
from ffn_core.volumes import Placement

SHAPE = (48, 32, 32)


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    return synthesize(SHAPE, 0, object_radius_vx=6)


@pytest.fixture
def volume(tmp_path, made) -> Path:
    image, labels = made
    write_volumes(tmp_path / "em.h5", {"image": image, "labels": labels})
    return tmp_path / "em.h5"


def config(volume: Path, **data: object) -> Config:
    names = {"image": f"{volume}:image", "labels": f"{volume}:labels"}
    shared = {"name": "test", "kind": "files", "min_object_voxels": 50}
    shared |= {"cache_dir": str(volume.parent / "cache")}
    model = {"name": "m", "fov_zyx": [5, 5, 5], "deltas_zyx": [1, 1, 1], "depth": 2}
    values = {"data": shared | names | data, "model": model | {"features": 2}}
    return from_dict(Config, values | {"budget": {"steps": 1}, "cluster": {"ranks": 1}})


def replace_dataset(volume: Path, name: str, array: np.ndarray) -> None:
    with h5py.File(volume, "r+") as file:
        del file[name]
        file[name] = array


@pytest.mark.parametrize("given", [{}, {"mean": 140.0, "stddev": 40.0}])
def test_training_names_intensities_that_are_not_finite(volume, made, given):
    image = made[0].astype(np.float32)
    image[20:22] = np.inf
    replace_dataset(volume, "image", image)
    with pytest.raises(InputError, match=r"2048 of 49152 .* first is inf at zyx \(20, 0, 0\)"):
        prepare(config(volume, **given))


def test_info_names_them_too(volume, made, capsys):
    replace_dataset(volume, "image", np.where(made[0] > 90, made[0], np.float32("nan")))
    assert main(["info", "--image", f"{volume}:image"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "not finite" in said


def test_negative_labels_are_refused_by_all(volume, made, tmp_path, capsys):
    labels = made[1].astype(np.int64)
    labels[:, :8] = -1
    replace_dataset(volume, "labels", labels)
    with pytest.raises(InputError, match=r"12288 of 49152 voxels .*ids are 0 or above"):
        prepare(config(volume))
    spec = f"{volume}:labels"
    out = ["--out", str(tmp_path / "out.h5")]
    for command in (
        ["info", "--labels", spec],
        ["prepare", "--labels", spec, "--lom-radius", "4", *out],
        ["downsample", "--labels", spec, *out],
    ):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "first is -1 at zyx (0, 0, 0)" in said
    assert not (tmp_path / "out.h5").exists()


def test_only_what_was_not_given_is_measured(volume, made):
    measured = prepare(config(volume)).data
    assert (measured.mean, measured.stddev) == pytest.approx((made[0].mean(), made[0].std()))
    assert measured.stddev is not None
    data = prepare(config(volume, mean=100.0)).data
    assert (data.mean, data.stddev) == (100.0, measured.stddev)
    data = prepare(config(volume, stddev=7.0)).data
    assert (data.mean, data.stddev) == (measured.mean, 7.0)


def test_volumes_that_begin_elsewhere_are_not_paired(volume, made, capsys):
    image, labels = made
    placements = {"image": Placement((8, 8, 8), (0, 0, 0))}
    placements |= {"labels": Placement((8, 8, 8), (16, 16, 16))}
    write_volumes(volume, {"image": image, "labels": labels}, placements=placements)
    with pytest.raises(InputError, match=r"begins at voxel zyx \(0, 0, 0\).* at \(16, 16, 16\)"):
        prepare(config(volume))
    pair = ["--image", f"{volume}:image", "--labels", f"{volume}:labels"]
    assert main(["info", *pair]) == 2
    assert main(["info", *pair[2:]]) == 0
    assert "(16, 16, 16)" in capsys.readouterr().out


def test_doubts_are_said_once_before_training(volume, made):
    with h5py.File(volume, "r+") as file:
        del file["labels"]
        labels = file.create_dataset("labels", SHAPE, "u4", chunks=(16, 32, 32))
        labels[:16], labels[32:] = made[1][:16], made[1][32:]
        labels.attrs.update(Placement((8, 8, 8), (5, 0, 0)).attributes)
    said: list[str] = []
    prepare(config(volume), said.append)
    assert [f"{volume}:labels: 1 of 3 chunks were never written and read as 0"] == said[:1]
    assert "labels" in said[1]
    assert "does not say where" in said[1]
    assert len(said) == 2


def test_info_warns(volume, capsys):
    with h5py.File(volume, "r+") as file:
        file.create_dataset("half", SHAPE, "u1", chunks=(24, 32, 32))[:24] = 1
    assert main(["info", "--image", f"{volume}:half"]) == 0
    assert "warning: " in (said := capsys.readouterr().err)
    assert "1 of 2 chunks were never written and read as 0" in said


@pytest.fixture
def coordinates(volume) -> Path:
    return Path(str(prepare(config(volume)).data.coordinates))


def test_coordinates_of_other_labels_are_refused(volume, made, coordinates):
    assert prepare(config(volume, coordinates=str(coordinates))).data.coordinates
    replace_dataset(volume, "labels", np.where(np.indices(SHAPE)[1] < 16, made[1], 0))
    with pytest.raises(InputError, match=r"are not of labels .*:labels: voxel zyx .* background"):
        prepare(config(volume, coordinates=str(coordinates)))


def test_options_that_given_coordinates_leave_without_effect(volume, coordinates):
    with h5py.File(volume, "r+") as file:
        file["mask"] = np.ones(SHAPE, bool)
    with pytest.raises(InputError, match=r"coordinates=.* and mask=.*:mask are both given"):
        prepare(config(volume, coordinates=str(coordinates), mask=f"{volume}:mask"))
    said: list[str] = []
    prepare(config(volume, coordinates=str(coordinates), min_object_voxels=99), said.append)
    assert said == [f"data.min_object_voxels=99 does not count: {coordinates} was prepared with 50"]
    assert Coordinates.load(coordinates).min_size == 50


def test_downsampling_keeps_the_place_and_says_what_it_leaves_out(tmp_path, made, capsys):
    image = made[0][:47, :, :31]
    placement = {"image": Placement((30, 8, 8), (4, 0, 2))}
    write_volumes(tmp_path / "em.h5", {"image": image}, placements=placement)
    out = tmp_path / "half.h5"
    assert main(["downsample", "--image", f"{tmp_path}/em.h5:image", "--out", str(out)]) == 0
    assert "left out: the last 1 voxels of axes" in capsys.readouterr().out
    with h5py.File(out) as file:
        assert file["image"].attrs["resolution"].tolist() == [60, 16, 16]
        assert file["image"].attrs["offset"].tolist() == [120, 0, 16]


@pytest.mark.parametrize("dtype", ["uint32", "int64"])
def test_downsampling_wide_integers_is_exact(tmp_path, dtype):
    """float32 would make 2^24 of 2^24 + 1."""
    write_volumes(tmp_path / "em.h5", {"image": np.full((4, 4, 4), 2**24 + 1, dtype)})
    out = tmp_path / "half.h5"
    assert main(["downsample", "--image", f"{tmp_path}/em.h5:image", "--out", str(out)]) == 0
    with h5py.File(out) as file:
        assert np.unique(file["image"][:]).tolist() == [2**24 + 1]
