"""`python -m experiments.segment` end to end, with a network whose answer is known."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image

from experiments import records, segment_files
from experiments.network import find_network, load_network
from experiments.prepared_data import write_volumes
from experiments.segment import resolve
from experiments.segment_schema import SegmentConfig
from experiments.segment_worker import Worker, make_grid
from experiments.typed import from_dict
from ffn_core import checkpoint as checkpoints
from ffn_core.errors import InputError
from ffn_core.inference.forward import make_forward

REPOSITORY = Path(__file__).parents[2]
LIMIT_S = 120
SHAPE = (40, 34, 34)
GREY, CONTRAST = 100.0, 50.0


@pytest.fixture(scope="module")
def columns(tmp_path_factory) -> Path:
    """Four columns along z, as wide as a FOV and brightest inside, in the dark; their labels."""
    labels = np.zeros(SHAPE, np.uint32)
    image = np.full(SHAPE, GREY - CONTRAST)
    y, x = np.indices((9, 9)) - 4
    column = GREY + CONTRAST - 4 * np.maximum(abs(y), abs(x))
    for number, (top, left) in enumerate([(5, 5), (5, 20), (20, 5), (20, 20)], start=1):
        place = np.s_[:, top : top + 9, left : left + 9]
        labels[place], image[place] = number, column
    path = tmp_path_factory.mktemp("columns") / "columns.h5"
    write_volumes(path, {"image": image.astype(np.uint8), "labels": labels})
    return path


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> Path:
    """A run directory whose network adds to the mask what is bright and takes off what is dark."""
    folder = tmp_path_factory.mktemp("run")
    model = {
        "name": "bright",
        "fov_zyx": [9, 9, 9],
        "deltas_zyx": [3, 3, 3],
        "depth": 1,
        "features": 2,
    }
    data = {"name": "columns", "kind": "files", "mean": GREY, "stddev": CONTRAST}
    (folder / records.CONFIG).write_text(yaml.safe_dump({"model": model, "data": data}))
    first, second = np.zeros((3, 3, 3, 2, 2), np.float32), np.zeros((3, 3, 3, 2, 2), np.float32)
    first[1, 1, 1, 0] = [1, -1]  # how bright, how dark
    second[1, 1, 1] = np.eye(2)
    to_logit = np.array([8, -8], np.float32).reshape(1, 1, 1, 2, 1)
    weights = [first, np.zeros(2), second, np.zeros(2), to_logit, np.zeros(1)]
    checkpoints.save(
        folder / records.CHECKPOINTS,
        checkpoints.Checkpoint(1, {}, [w.astype(np.float32) for w in weights], {}),
        checkpoints.NodeStreams(0, [[]], np.zeros((1, 0, 1, 1, 1), np.float32)),
        rank=0,
        gather=lambda item: [item],
        keep=1,
    )
    return folder


def command(*overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.segment", *overrides],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def config(columns: Path, run_dir: Path, out: Path, **values) -> SegmentConfig:
    return resolve(
        from_dict(
            SegmentConfig,
            {
                "checkpoint": str(run_dir),
                "image": f"{columns}:image",
                "out": str(out),
                "flood": {"min_segment_size": 200},
                "subvolume": {"size_zyx": [24, 34, 34], "overlap_zyx": [8, 8, 8]},
            }
            | values,
        )
    )


def test_columns_are_segmented_scored_and_drawn(columns, run_dir, tmp_path):
    overrides = [
        f"checkpoint={run_dir}",
        f"image={columns}:image",
        f"labels={columns}:labels",
        f"out={tmp_path}",
        "flood.min_segment_size=200",
        "subvolume.size_zyx=[24,34,34]",
        "subvolume.overlap_zyx=[8,8,8]",
        "processes=2",
    ]
    done = command(*overrides)
    assert done.returncode == 0, done.stderr
    assert "4 segments against 4 true objects" in done.stdout
    with h5py.File(tmp_path / segment_files.SEGMENTATION) as file:
        ids = file[segment_files.DATASET][:]
        settings = json.loads(file[segment_files.DATASET].attrs["settings"])
    assert settings["mean"] == GREY
    with h5py.File(columns) as file:
        labels = file["labels"][:]
    assert np.unique(ids[labels == 0]).tolist() == [0]
    for number in range(1, 5):
        assert len(np.unique(ids[(labels == number) & (ids > 0)])) == 1
    scores = json.loads((tmp_path / segment_files.EVALUATION).read_text())
    assert scores["assigned"]["are"] == 0.0
    assert scores["coverage"] > 0.9
    for name in ("section.png", "surfaces.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 300

    written = (tmp_path / segment_files.SEGMENTATION).stat().st_mtime_ns
    other = command(*overrides, "flood.segment=0.5")
    assert other.returncode == 2
    assert other.stderr.count("\n") == 1
    assert "other settings" in other.stderr
    assert (tmp_path / segment_files.SEGMENTATION).stat().st_mtime_ns == written


def test_a_worker_killed_outright_is_continued_to_the_same_result(columns, run_dir, tmp_path):
    whole = config(columns, run_dir, tmp_path / "whole")
    killed = config(columns, run_dir, tmp_path / "killed", save_every_s=0.0)
    for each in (whole, killed):
        each.directory.mkdir()
        text = yaml.safe_dump(dataclasses.asdict(each))
        (each.directory / records.CONFIG).write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.segment_worker", str(killed.directory)],
        cwd=REPOSITORY,
    )
    deadline = time.monotonic() + LIMIT_S
    partial = segment_files.partial_path(killed.directory, 0)
    while not (partial.is_file() and segment_files.load_state(partial).fovs > 5):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not segment_files.finished_path(killed.directory, 1).is_file()

    forward = make_forward(load_network(Path(whole.checkpoint)))
    for each in (whole, killed):
        worker = Worker(dataclasses.replace(each, batch_size=2), each.directory, forward)
        assert worker.run(make_grid(each).subvolumes)
        assert not segment_files.partial_path(each.directory, 0).is_file()
    for index in (0, 1):
        first, second = (
            segment_files.load_state(segment_files.finished_path(each.directory, index))
            for each in (whole, killed)
        )
        np.testing.assert_array_equal(first.segments, second.segments)
        np.testing.assert_array_equal(first.origins, second.origins)
        assert first.fovs == second.fovs


def test_a_worker_asked_to_stop_saves_first(columns, run_dir, tmp_path):
    stopped = config(columns, run_dir, tmp_path)
    (tmp_path / records.STOP).touch()
    worker = Worker(stopped, tmp_path, make_forward(load_network(Path(stopped.checkpoint))))
    assert not worker.run(make_grid(stopped).subvolumes)
    assert segment_files.partial_path(tmp_path, 0).is_file()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"checkpoint": "nowhere"}, "neither a run directory"),
        ({"image": "nowhere.h5:raw"}, "no file nowhere.h5"),
        ({"region": {"start_zyx": [0, 0, 34], "size_zyx": [9, 9, 9]}}, "does not lie in"),
        ({"region": {"size_zyx": [8, 34, 34]}}, "FOV"),
        ({"seeds": {"policy": "magic"}}, "seeds.policy='magic'"),
        ({"seeds": {"policy": "manual", "points": [[0, 0, 99]]}}, "seed point"),
        ({"flood": {"move": 0.99}}, "seed_values.init"),
    ],
)
def test_bad_input_is_known_before_a_worker_starts(columns, run_dir, tmp_path, values, match):
    with pytest.raises(InputError, match=match):
        config(columns, run_dir, tmp_path, **values)


def test_a_published_checkpoint_needs_its_normalisation(shared_dir, columns, run_dir, tmp_path):
    prefix = shared_dir / "models/fib25/model.ckpt-27465036"
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        pytest.skip(f"no {prefix}.index")
    assert find_network(str(prefix)).geometry.fov_zyx == (33, 33, 33)
    with pytest.raises(InputError, match="mean=128 stddev=33"):
        config(columns, run_dir, tmp_path, checkpoint=str(prefix), subvolume={})
