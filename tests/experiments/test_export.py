"""`python -m experiments.export`, on a run with two checkpoints, raw and averaged weights."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from experiments import export
from experiments.config.config_file import write_config
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.reporting.run_files import RunDirectory
from ffn_core.model import ConvStack, load_published_checkpoint
from ffn_core.training import checkpoint as checkpoints

CONFIG = from_dict(
    Config,
    {
        "data": {"name": "none", "kind": "dummy", "mean": 100.0, "stddev": 20.0},
        "model": {
            "name": "smallest",
            "fov_zyx": [3, 5, 7],
            "deltas_zyx": [1, 1, 2],
            "depth": 1,
            "features": 2,
        },
        "budget": {"steps": 1},
    },
)
BEST, NEWEST = 3, 7


def save(folder: Path, step: int) -> None:
    """Raw weights are all of the value ``step``, averaged ones ten times that."""
    shapes = [w.shape for w in ConvStack(CONFIG.model.size, 0).weights]
    raw, averaged = ([np.full(s, v, np.float32) for s in shapes] for v in (step, 10 * step))
    made = checkpoints.Checkpoint(step, {"step": step}, raw, {}, averaged, 1.0)
    checkpoints.save(folder, made, None, 0, lambda item: [item], keep=1)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A run directory, seen from the folder that commands are started in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "study" / "n4_sqrt-0a1b2c3d"
    folder.mkdir(parents=True)
    write_config(folder, CONFIG)
    directory = RunDirectory(folder)
    directory.write_identity({"name": "n=4 sqrt", "params": {}, "tags": {}})
    save(directory.best, BEST)
    save(directory.checkpoints, NEWEST)
    return folder


def bias_of(folder: Path) -> tuple[int, float]:
    """Step of an exported checkpoint, and the value that its weights have."""
    (index,) = folder.glob("*.index")
    prefix = index.with_suffix("")
    _, weights = load_published_checkpoint(str(prefix))
    return int(prefix.name.rpartition("-")[2]), float(weights[0].flat[0])


@pytest.mark.parametrize(
    ("options", "step", "value"),
    [
        ([], BEST, 10 * BEST),
        (["--weights", "raw"], BEST, BEST),
        (["--checkpoint", "newest"], NEWEST, 10 * NEWEST),
        (["--checkpoint", "newest", "--weights", "raw"], NEWEST, NEWEST),
    ],
)
def test_the_best_checkpoint_and_averaged_weights_unless_others_are_asked_for(
    run, options, step, value
):
    arguments = ["n=4 sqrt", "--to", "google-ffn", "--out", "g", *options]
    assert export.main(arguments) == 0
    assert bias_of(Path("g")) == (step, value)


@pytest.mark.parametrize("form", ["google-ffn", "savedmodel"])
def test_what_was_exported_is_replaced_on_request_only(run, form, refused, capsys):
    arguments = [str(run), "--to", form, "--out", "o/net"]
    assert export.main(arguments) == 0
    said = capsys.readouterr().err
    assert "FOV (3, 5, 7) (zyx); read back, its logits differ by 0 at most" in said
    assert "add --overwrite" in refused(lambda: export.main(arguments))
    assert export.main([*arguments, "--overwrite"]) == 0
    (Path("o/net") / "mine").write_bytes(b"mine")
    assert "not as experiments.export wrote it" in refused(
        lambda: export.main([*arguments, "--overwrite"])
    )


def test_nothing_is_written_into_a_checkpoint(run, refused):
    best = next((run / "best").iterdir())
    for out in (best, best / "net"):
        refused(lambda out=out: export.main([str(best), "--to", "savedmodel", "--out", str(out)]))


def test_the_normalization_must_be_known(run, refused):
    unknown = dataclasses.replace(CONFIG.data, mean=None)
    write_config(run, dataclasses.replace(CONFIG, data=unknown))
    arguments = [str(run), "--to", "savedmodel", "--out", "s"]
    assert "give --mean and --stddev" in refused(lambda: export.main(arguments))
    assert export.main([*arguments, "--mean", "90"]) == 0
    said = json.loads(Path("s/assets.extra/network.json").read_text())
    assert (said["mean"], said["stddev"]) == (90.0, 20.0)


def test_another_network_is_not_kept(run, monkeypatch, refused):
    """What is read back is compared with the network before it is put in its place."""
    from ffn_core.exchange import google_ffn

    monkeypatch.setattr(google_ffn, "read_back", lambda *_: np.float32(np.nan))
    said = refused(lambda: export.main([str(run), "--to", "google-ffn", "--out", "g"]))
    assert "logits differ by nan" in said


def test_a_name_of_no_run_lists_near_ones(run, refused):
    said = refused(lambda: export.main(["n4_sqtr", "--to", "onnx", "--out", "n.onnx"]))
    assert "nor the name of a run" in said
    assert "runs/study/n4_sqrt-0a1b2c3d" in said
