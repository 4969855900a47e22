import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from experiments.config.hydra_app import register_schema, to_config
from experiments.data.__main__ import main
from experiments.data.cache import ensure_coordinates, ensure_synthetic, write_volumes
from experiments.data.dataset import canvas_sources
from experiments.launch.prepare import prepare
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.files.output_list import LIST
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.volumes import downsample_image, downsample_labels


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "em.h5"
    assert main(["synthesize", "--shape", "24", "40", "48", "--out", str(path)]) == 0
    return path


def test_synthesize_writes_volume_and_preview(synthetic):
    with h5py.File(synthetic) as file:
        assert sorted(file) == ["image", "labels"]
        assert file["image"].shape == (24, 40, 48)
        assert dict(file.attrs)["seed"] == 0
    with Image.open(synthetic.with_name("em_preview.png")) as preview:
        assert preview.size == (9 * (3 * 48 + 8), 9 * 40)
    assert [path.name for path in synthetic.parent.glob(".*")] == [LIST]


def test_prepare_prints_the_classes(synthetic, tmp_path, capsys):
    out = tmp_path / "c.h5"
    arguments = ["prepare", "--labels", f"{synthetic}:labels", "--lom-radius", "4", "8", "8"]
    assert main([*arguments, "--min-size", "500", "--out", str(out)]) == 0
    coordinates = Coordinates.load(out)
    assert coordinates.lom_radius_zyx == (4, 8, 8)
    printed = capsys.readouterr().out
    assert f"{len(coordinates):,} coordinates" in printed
    assert f"{coordinates.class_counts().max():,}" in printed


def test_downsample(synthetic, tmp_path):
    out = tmp_path / "half.h5"
    pair = ["--image", f"{synthetic}:image", "--labels", f"{synthetic}:labels"]
    assert main(["downsample", *pair, "--factor", "2", "--out", str(out)]) == 0
    with h5py.File(synthetic) as full, h5py.File(out) as half:
        np.testing.assert_array_equal(half["image"][:], downsample_image(full["image"][:], 2))
        np.testing.assert_array_equal(half["labels"][:], downsample_labels(full["labels"][:], 2))


def test_info_of_a_pair(tmp_path, capsys):
    labels = np.zeros((10, 10, 10), np.uint16)
    labels[:5], labels[5] = 1, 2
    image = np.full((10, 10, 10), 7, np.uint8)
    write_volumes(tmp_path / "a.h5", {"image": image, "labels": labels})
    pair = ["--image", f"{tmp_path}/a.h5:image", "--labels", f"{tmp_path}/a.h5:labels"]
    assert main(["info", *pair]) == 0
    printed = capsys.readouterr().out
    for expected in ("10 x 10 x 10", "uint16", "1,000", "7.00", "40.00% of voxels", "500 voxels"):
        assert expected in printed
    assert "image and labels have the same shape" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info"], "nothing to read"),
        (["info", "--image", "{em}:image", "--labels", "{half}:labels"], "must cover the same"),
        (["info", "--image", "{em}:raw"], "it has: image, labels"),
        (["info", "--image", "{em}"], "does not say which dataset: name one of"),
        (["plan", "{em}:image", "{em}:"], "does not say which dataset: name one of"),
        (["prepare", "--labels", "{em}:labels", "--lom-radius", "20", "--out", "x.h5"], "smaller"),
        (["prepare", "--labels", "{em}:labels", "--lom-radius", "1", "2", "--out", "x"], "--lom"),
        (["synthesize", "--shape", "4", "--out", "x.h5"], "from 8 to"),
        (["synthesize", "--shape", "8", "--seed", "-1", "--out", "x.h5"], "--seed: -1 must be"),
        (["synthesize", "--shape", "8", "--out", "/proc/none/x.h5"], "/proc/none"),
        (["downsample", "--image", "{em}:image", "--factor", "30", "--out", "x.h5"], "use 1 to 24"),
    ],
)
def test_one_line_and_exit_code_2(synthetic, tmp_path, capsys, arguments, message):
    half = tmp_path / "half.h5"
    write_volumes(half, {"labels": np.ones((2, 2, 2), np.uint8)})
    try:
        code = main([a.format(em=synthetic, half=half) for a in arguments])
    except SystemExit as end:  # of the parser
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_exit_code_of_the_program(tmp_path):
    command = [sys.executable, "-m", "experiments.data", "info", "--image", f"{tmp_path}/no.h5:a"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: no file {tmp_path}/no.h5 (from volume '{tmp_path}/no.h5:a')\n"


def test_synthetic_volume_is_made_once(tmp_path):
    specs = ensure_synthetic(tmp_path, (16, 24, 24), seed=3)
    path = Path(specs[0].removesuffix(":image"))
    made = path.stat().st_mtime_ns
    assert ensure_synthetic(tmp_path, (16, 24, 24), seed=3) == specs
    assert path.stat().st_mtime_ns == made
    assert ensure_synthetic(tmp_path, (16, 24, 24), seed=4) != specs


def test_coordinates_are_made_again_when_the_labels_change(tmp_path):
    path, cache = tmp_path / "gt.h5", tmp_path / "cache"
    write_volumes(path, {"labels": np.ones((8, 8, 8), np.uint8)})
    spec = f"{path}:labels"
    first = ensure_coordinates(spec, (1, 1, 1), 10, cache)
    made = first.stat().st_mtime_ns
    assert len(Coordinates.load(first)) == 6**3
    assert ensure_coordinates(spec, (1, 1, 1), 10, cache) == first
    assert first.stat().st_mtime_ns == made
    assert ensure_coordinates(spec, (1, 1, 2), 10, cache) != first
    assert ensure_coordinates(spec, (1, 1, 1), 11, cache) != first
    write_volumes(path, {"labels": np.ones((9, 9, 9), np.uint8)})
    again = ensure_coordinates(spec, (1, 1, 1), 10, cache)
    assert len(Coordinates.load(again)) == 7**3


def test_nothing_to_train_on(tmp_path):
    write_volumes(tmp_path / "gt.h5", {"labels": np.ones((8, 8, 8), np.uint8)})
    with pytest.raises(InputError, match="min_size 1000"):
        ensure_coordinates(f"{tmp_path}/gt.h5:labels", (1, 1, 1), 1000, tmp_path / "cache")
    with pytest.raises(InputError, match="no file"):
        ensure_coordinates(f"{tmp_path}/other.h5:labels", (1, 1, 1), 1000, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_prepare_with_a_mask(synthetic, tmp_path):
    mask = np.zeros((24, 40, 48), bool)
    mask[:, :, 24:] = True
    write_volumes(tmp_path / "mask.h5", {"mask": mask})
    arguments = ["prepare", "--labels", f"{synthetic}:labels", "--lom-radius", "4"]
    arguments += ["--min-size", "500", "--mask", f"{tmp_path}/mask.h5:mask"]
    assert main([*arguments, "--out", str(tmp_path / "c.h5")]) == 0
    coordinates = Coordinates.load(tmp_path / "c.h5")
    x = np.concatenate([np.unravel_index(i, mask.shape)[2] for i in coordinates.indices])
    assert (x.min(), x.max()) == (24, 43), "canvases may reach over the edge of the mask"


def test_prepare_from_partitions_of_google_ffn(synthetic, tmp_path, capsys):
    labels = ["--labels", f"{synthetic}:labels"]
    computed, imported = tmp_path / "computed.h5", tmp_path / "imported.h5"
    radius = ["--lom-radius", "4", "6", "8", "--min-size", "500"]
    assert main(["prepare", *labels, *radius, "--out", str(computed)]) == 0
    expected = Coordinates.load(computed)
    partitions = np.zeros((24, 40, 48), np.uint8)
    for number, members in enumerate(expected.indices, start=1):
        partitions.ravel()[members] = number
    with h5py.File(tmp_path / "af.h5", "w") as file:
        file["af"] = partitions[4:-4, 6:-6, 8:-8]
        file["af"].attrs["corner"] = (4, 6, 8)
    af = ["--partitions", f"{tmp_path}/af.h5:af"]
    assert main(["prepare", *labels, *af, "--out", str(imported)]) == 0
    assert Coordinates.load(imported).class_counts().tolist() == expected.class_counts().tolist()
    assert main(["prepare", *labels, *af, *radius, "--out", str(tmp_path / "no.h5")]) == 2
    assert "--partitions goes without" in capsys.readouterr().err


def test_coordinates_to_google_ffn_and_back(synthetic, tmp_path, capsys):
    labels = ["--labels", f"{synthetic}:labels"]
    ours, records = tmp_path / "ours.h5", tmp_path / "coords.gz"
    prepare = ["prepare", *labels, "--lom-radius", "4", "--min-size", "500"]
    assert main([*prepare, "--out", str(ours)]) == 0
    export = ["export-coordinates", "--coordinates", str(ours), "--name", "em"]
    assert main([*export, "--per-class", "20", "--out", str(records)]) == 0
    filled = int((Coordinates.load(ours).class_counts() > 0).sum())
    assert f"{20 * filled} records of em" in capsys.readouterr().out
    back = ["import-coordinates", *labels, "--records", f"{tmp_path}/coords.*"]
    assert main([*back, "--out", str(tmp_path / "back.h5")]) == 0
    assert f"{20 * filled} coordinates at least" in capsys.readouterr().out
    assert len(Coordinates.load(tmp_path / "back.h5")) == 20 * filled
    with pytest.raises(SystemExit, match="2"):
        main([*export, "--per-class", "0", "--out", str(records)])
    assert main([*back, "--name", "other", "--out", str(tmp_path / "no.h5")]) == 2
    assert main([*prepare[:3], "--out", str(tmp_path / "no.h5")]) == 2
    assert "give --lom-radius" in capsys.readouterr().err


def test_a_plan_is_a_command_that_composes(tmp_path, capsys):
    """Thick sections, labeled in a box: what is printed is a whole training command."""
    volume = tmp_path / "v.h5"
    sizes = ["--shape", "20", "96", "96", "--voxel-size-nm", "30", "8", "8", "--radius", "8"]
    box = ["--labels-box", "0", "0", "0", "20", "96", "80"]
    assert main(["synthesize", *sizes, *box, "--out", str(volume)]) == 0
    capsys.readouterr()
    given = ["--labels-box", *box[1:], "--voxel-size-nm", "40", "8", "8"]
    assert main(["plan", f"{volume}:image", f"{volume}:labels", *given, "--untimed"]) == 0
    printed = capsys.readouterr()
    assert "--voxel-size-nm is (40, 8, 8), the image says (30, 8, 8)" in printed.err
    command = shlex.split(printed.out.splitlines()[-1])
    assert command[:3] == ["python", "-m", "experiments.train"]
    assert "data.labels_box=[[0,0,0],[20,96,80]]" in command
    assert "data.voxel_size_nm=[40,8,8]" in command
    assert "model.fov_zyx=[3,17,17]" in command
    register_schema()
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config = to_config(compose("config", command[3:]))
    assert config.data.labels_box == [[0, 0, 0], [20, 96, 80]]
    prepared = prepare(replace(config, data=replace(config.data, cache_dir=str(tmp_path))))
    source, held_out = canvas_sources(prepared)
    assert source.partly_labeled
    assert len(held_out) == 1
