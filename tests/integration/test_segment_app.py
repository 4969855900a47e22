"""`python -m experiments.segment` end to end, with a network whose answer is known."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from mlflow.tracking import MlflowClient
from PIL import Image

from analysis.pictures import __main__ as pictures
from analysis.runs.mlflow_reader import load_runs
from experiments import export_neuroglancer, segment_checkpoints, segment_worker
from experiments.config.parsing import from_dict
from experiments.config.trained_network import find_network, load_network
from experiments.data.cache import write_volumes
from experiments.reporting import run_files
from experiments.reporting.mlflow_sync import LINK, MlflowSync, RunIdentity
from experiments.reporting.records import read_records
from experiments.reporting.terminal import Terminal
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedSegment, SegmentConfig
from experiments.segment.flooding import Task, Worker
from experiments.segment.neuroglancer import exported as exported_layers
from experiments.segment.pipeline import carry_out, segment
from experiments.segment.resolve import resolve
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.inference.forward import make_forward
from ffn_core.metric_names import metric_of
from ffn_core.training import checkpoint as checkpoints
from ffn_core.volumes import Placement, open_volume
from tests.run_commands import Command

LIMIT_S = 240
SHAPE = (40, 34, 34)
GRAY, CONTRAST = 100.0, 50.0


@pytest.fixture(scope="module")
def columns(tmp_path_factory) -> Path:
    """Four columns along z, as wide as a FOV and brightest inside, in the dark; their labels."""
    labels = np.zeros(SHAPE, np.uint32)
    image = np.full(SHAPE, GRAY - CONTRAST)
    y, x = np.indices((9, 9)) - 4
    column = GRAY + CONTRAST - 4 * np.maximum(abs(y), abs(x))
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
    write_config(folder)
    save_network(folder, step=1)
    return folder


def write_config(folder: Path, **sections) -> None:
    """The config of a run; ``data`` is merged into what it must hold."""
    model = {
        "name": "bright",
        "fov_zyx": [9, 9, 9],
        "deltas_zyx": [3, 3, 3],
        "depth": 1,
        "features": 2,
    }
    data = {"name": "columns", "kind": "files", "mean": GRAY, "stddev": CONTRAST}
    data |= sections.pop("data", {})
    (folder / run_files.CONFIG).write_text(
        yaml.safe_dump({"model": model, "data": data} | sections)
    )


def save_network(folder: Path, step: int, blind: bool = False) -> None:
    """A checkpoint that tells bright from dark, or, ``blind``, calls everything background."""
    first, second = np.zeros((3, 3, 3, 2, 2), np.float32), np.zeros((3, 3, 3, 2, 2), np.float32)
    first[1, 1, 1, 0] = [1, -1]  # how bright, how dark
    second[1, 1, 1] = np.eye(2)
    to_logit = np.array([8, -8], np.float32).reshape(1, 1, 1, 2, 1)
    bias = np.full(1, -99.0 if blind else 0.0)
    weights = [first, np.zeros(2), second, np.zeros(2), to_logit, bias]
    progress = {"step": step, "elapsed_s": 2.0 * step}
    checkpoints.save(
        folder / run_files.CHECKPOINTS,
        checkpoints.Checkpoint(step, progress, [w.astype(np.float32) for w in weights], {}),
        checkpoints.NodeStreams(0, [[]], np.zeros((1, 0, 1, 1, 1), np.float32)),
        rank=0,
        gather=lambda item: [item],
        keep=9,
    )


def command(folder: Path, *overrides: str) -> tuple[int | None, str]:
    """Call the app as from the shell; returns its exit code and what it printed."""
    words = ["python", "-m", "experiments.segment", *overrides]
    called = Command(words, REPOSITORY, folder / "printed")
    code = called.wait(LIMIT_S)
    called.kill()
    return code, called.output


def config(columns: Path, run_dir: Path, out: Path, **values) -> ResolvedSegment:
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


def test_columns_are_segmented_scored_and_drawn(columns, run_dir, tmp_path_factory):
    tmp_path, printed = (tmp_path_factory.mktemp(name) for name in ("out", "printed"))
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
    code, said = command(printed, *overrides)
    assert code == 0, said
    assert "4 segments against 4 true objects" in said
    with h5py.File(tmp_path / segmentation_files.SEGMENTATION) as file:
        ids = file[segmentation_files.DATASET][:]
        settings = json.loads(file[segmentation_files.DATASET].attrs["settings"])
    assert settings["mean"] == GRAY
    with h5py.File(columns) as file:
        labels = file["labels"][:]
    assert np.unique(ids[labels == 0]).tolist() == [0]
    for number in range(1, 5):
        assert len(np.unique(ids[(labels == number) & (ids > 0)])) == 1
    scores = json.loads((tmp_path / segmentation_files.EVALUATION).read_text())
    assert scores["assigned"]["are"] == 0.0
    assert scores["coverage"] > 0.9
    for name in ("section.png", "surfaces.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 300

    written = (tmp_path / segmentation_files.SEGMENTATION).stat().st_mtime_ns
    code, said = command(printed, *overrides, "flood.segment=0.5")
    assert code == 2
    assert said.count("\n") == 1
    assert "other settings" in said
    assert (tmp_path / segmentation_files.SEGMENTATION).stat().st_mtime_ns == written


def curve_command(monkeypatch, *overrides: str) -> int:
    argv = ["segment_checkpoints", "flood.min_segment_size=200", *overrides]
    monkeypatch.setattr(sys, "argv", argv)
    return segment_checkpoints.main()


def test_every_checkpoint_of_a_run_is_scored_and_recorded(columns, tmp_path, monkeypatch, capfd):
    run_dir, uri = tmp_path / "run", f"sqlite:///{tmp_path}/mlflow.db"
    run_dir.mkdir()
    data = {"image": f"{columns}:image", "labels": f"{columns}:labels"}
    write_config(run_dir, data=data, validation={"fraction": 0.5}, cluster={"nodes": 4})
    save_network(run_dir, step=2, blind=True)
    tags = {"ffn_scaling.kind": "point"}
    MlflowSync(uri, run_dir, RunIdentity("test", "columns", {"seed": 1}, tags)).poll()
    assert curve_command(monkeypatch, f"checkpoint={run_dir}") == 0, capfd.readouterr().err
    (blind,) = run_dir.glob("segmentations/*/*/segmentation.h5")
    written = blind.stat().st_mtime_ns
    save_network(run_dir, step=5)
    assert curve_command(monkeypatch, f"checkpoint={run_dir}") == 0, capfd.readouterr().err
    assert blind.stat().st_mtime_ns == written, "what is complete is not done again"

    (table,) = run_dir.glob("segmentations/*/scores.csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["step"], r["fovs"], r["elapsed_s"], r["over"]) for r in rows] == [
        ("2", "8", "4.0", "foreground"),
        ("2", "8", "4.0", "assigned"),
        ("5", "20", "10.0", "foreground"),
        ("5", "20", "10.0", "assigned"),
    ]
    nothing, everything = rows[0], rows[3]
    # Four objects of one size in one segment: all pairs joined, and log2(4) bits of merging.
    assert (nothing["recall"], nothing["voi_split"], nothing["coverage"]) == ("1.0", "0.0", "0.0")
    assert float(nothing["precision"]) == pytest.approx(0.25, abs=0.001)
    assert float(nothing["voi_merge"]) == pytest.approx(2.0)
    assert (everything["are"], everything["segments"]) == ("0.0", "4")
    assert int(nothing["voxels"]) == 4 * 9 * 9 * 20, "the half that the run held out"

    recorded = read_records(run_dir / run_files.SEGMENTATION_SCORES)
    assert len(recorded) == 2
    assert all(metric_of(name) for name in recorded[-1].metrics)
    store, run_id = MlflowClient(uri), run_files.read_json(run_dir / LINK)["run_id"]
    history = store.get_metric_history(run_id, "segmentation/are")
    assert [m.step for m in history] == [8, 20]
    assert history[0].value == pytest.approx(0.6, abs=0.001)  # 1 - 2 (1/4) / (1 + 1/4)
    # The figures find a piece of the last segmentation in the store.
    (sample,) = load_runs(uri).samples.values()
    assert (sample.step, sample.start_zyx) == (5, (20, 0, 0))
    inside = sample.truth != 0
    assert 0.8 < np.mean(sample.segmentation[inside] != 0) <= 1
    np.testing.assert_array_equal(sample.section == GRAY - CONTRAST, sample.truth[sample.z] == 0)


def test_a_curve_needs_checkpoints_and_labels(columns, run_dir, tmp_path, monkeypatch, capfd):
    assert curve_command(monkeypatch, f"checkpoint={tmp_path}") == 2
    image = f"image={columns}:image"
    assert curve_command(monkeypatch, f"checkpoint={run_dir}", image) == 2
    assert curve_command(monkeypatch, f"checkpoint={run_dir}") == 2
    lines = capfd.readouterr().err.splitlines()
    assert ["with checkpoints" in lines[0], "labels=" in lines[1], "image=" in lines[2]] == [
        True
    ] * 3


def test_a_segmentation_is_exported_where_it_lies(columns, run_dir, tmp_path, capfd):
    folder = tmp_path / "segmentation"
    part = {"start_zyx": [10, 0, 0], "size_zyx": [20, 34, 34]}
    done = config(columns, run_dir, folder, region=part, subvolume={}, labels=f"{columns}:labels")
    assert export_neuroglancer.main([str(folder)]) == 2
    carry_out(done, Terminal())
    options = [str(folder), "--out", str(tmp_path / "out"), "--voxel-size-nm"]
    with pytest.raises(SystemExit, match="2"):
        export_neuroglancer.main([*options, "0", "8", "8"])
    assert export_neuroglancer.main([*options, "40", "8", "8"]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if "error: " in line]
    assert ["no finished segmentation" in lines[0], "--voxel-size-nm: 0 must be" in lines[1]] == [
        True
    ] * 2
    sources = {
        "image": f"{columns}:image",
        "segmentation": segmentation_files.result(folder),
        "ground_truth": f"{columns}:labels",
    }
    for name, source in sources.items():
        exported = open_volume(f"precomputed:{tmp_path}/out/{name}")
        start = (0, 0, 0) if name == "segmentation" else (10, 0, 0)
        expected = open_volume(source).read(start, (20, 34, 34))
        np.testing.assert_array_equal(exported.read((0, 0, 0), (20, 34, 34)), expected)
        (scale,) = json.loads((tmp_path / "out" / name / "info").read_text())["scales"]
        assert scale["voxel_offset"] == [0, 0, 10]
        assert scale["resolution"] == [8.0, 8.0, 40.0]


def test_a_worker_killed_outright_is_continued_to_the_same_result(columns, run_dir, tmp_path):
    whole = config(columns, run_dir, tmp_path / "whole")
    killed = config(columns, run_dir, tmp_path / "killed", save_every_s=0.0)
    for each in (whole, killed):
        each.directory.mkdir()
        segmentation_files.write_config(each.directory, each)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.segment_worker", str(killed.directory)],
        cwd=REPOSITORY,
    )
    deadline = time.monotonic() + LIMIT_S
    partial = segmentation_files.partial_path(killed.directory, 0)
    while not (partial.is_file() and segmentation_files.load_state(partial).fovs > 5):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not segmentation_files.finished_path(killed.directory, 1).is_file()

    forward = make_forward(load_network(Path(whole.checkpoint)))
    for each in (whole, killed):
        worker = Worker(dataclasses.replace(each, batch_size=2), each.directory, forward)
        assert worker.run(each.grid.subvolumes)
        assert not segmentation_files.partial_path(each.directory, 0).is_file()
    for index in (0, 1):
        first, second = (
            segmentation_files.load_state(segmentation_files.finished_path(each.directory, index))
            for each in (whole, killed)
        )
        np.testing.assert_array_equal(first.segments, second.segments)
        np.testing.assert_array_equal(first.origins, second.origins)
        assert first.fovs == second.fovs


def ids_of(folder: Path) -> np.ndarray:
    with h5py.File(folder / segmentation_files.SEGMENTATION) as file:
        return file[segmentation_files.DATASET][:]


@pytest.mark.ranks
def test_ids_do_not_depend_on_who_does_the_work(columns, run_dir, tmp_path):
    """One process; then two ranks of horovodrun, which take up what a lost third task left."""
    cut = {"subvolume": {"size_zyx": [24, 22, 34], "overlap_zyx": [8, 8, 8]}}
    alone = config(columns, run_dir, tmp_path / "alone", **cut)
    shared = config(
        columns, run_dir, tmp_path / "shared", **cut, processes=2, launcher={"hosts": "localhost:2"}
    )
    subvolumes = shared.grid.subvolumes
    assert len(subvolumes) == 4
    forward = make_forward(load_network(Path(alone.checkpoint)))
    assert Worker(alone, alone.directory, forward).run(subvolumes)
    assert Worker(shared, shared.directory, forward).run(Task(1, 3).share(subvolumes))
    kept = segmentation_files.finished_path(shared.directory, 1)
    finished = kept.stat().st_mtime_ns

    for each in (alone, shared):
        segmentation_files.write_config(each.directory, each)
    damaged = segmentation_files.partial_path(shared.directory, 2)
    damaged.write_bytes(b"half a file")
    with pytest.raises(InputError, match=r"00002.partial.npz is damaged .*remove it and repeat"):
        carry_out(shared, Terminal())
    damaged.unlink()
    by_two, by_one = carry_out(shared, Terminal()), carry_out(alone, Terminal())
    assert by_two == by_one
    np.testing.assert_array_equal(ids_of(shared.directory), ids_of(alone.directory))
    assert np.unique(ids_of(alone.directory)).tolist() == [0, 1, 2, 3, 4]
    assert kept.stat().st_mtime_ns == finished, "what is finished is not done again"
    log = (shared.directory / run_files.LOGS / "worker-000.log").read_text()
    assert "task 0 of 2" in log
    assert "task 1 of 2" in log


def test_workers_may_be_started_by_hand(columns, run_dir, tmp_path, capfd):
    by_hand = config(columns, run_dir, tmp_path / "out", processes=0)
    segment(by_hand, Terminal())
    assert "2 subvolumes left" in capfd.readouterr().err
    with pytest.raises(InputError, match="processes=0 starts no workers"):
        carry_out(by_hand, Terminal())
    worker = [sys.executable, "-m", "experiments.segment_worker", str(by_hand.directory)]
    subprocess.run(worker, cwd=REPOSITORY, timeout=LIMIT_S, check=True)
    summary, _ = carry_out(by_hand, Terminal())
    assert (summary.segments, summary.subvolumes) == (4, 2)
    assert segment_worker.main([str(tmp_path)]) == 2
    assert "no folder of experiments.segment" in capfd.readouterr().err


def test_a_worker_asked_to_stop_saves_first(columns, run_dir, tmp_path):
    stopped = config(columns, run_dir, tmp_path)
    (tmp_path / run_files.STOP).touch()
    worker = Worker(stopped, tmp_path, make_forward(load_network(Path(stopped.checkpoint))))
    assert not worker.run(stopped.grid.subvolumes)
    assert segmentation_files.partial_path(tmp_path, 0).is_file()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"checkpoint": "nowhere"}, "neither a run directory"),
        ({"image": "nowhere.h5:raw"}, "no file nowhere.h5"),
        ({"image": None}, "image is missing"),
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


def test_the_precision_is_that_of_the_training_unless_given(columns, run_dir, tmp_path):
    write_config(tmp_path)
    trained = yaml.safe_load((tmp_path / run_files.CONFIG).read_text())
    trained["model"]["precision"] = "bfloat16"
    (tmp_path / run_files.CONFIG).write_text(yaml.safe_dump(trained))
    save_network(tmp_path, step=1)
    out = tmp_path / "out"
    assert config(columns, run_dir, out).precision == "float32"
    assert config(columns, tmp_path, out).precision == "bfloat16"
    assert config(columns, tmp_path, out, precision="float32").precision == "float32"


def test_a_published_checkpoint_needs_its_normalization(shared_dir, columns, run_dir, tmp_path):
    prefix = shared_dir / "models/fib25/model.ckpt-27465036"
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        pytest.skip(f"no {prefix}.index")
    assert find_network(str(prefix)).geometry.fov_zyx == (33, 33, 33)
    with pytest.raises(InputError, match="mean=128 stddev=33"):
        config(columns, run_dir, tmp_path, checkpoint=str(prefix), subvolume={})


@pytest.fixture
def editable(columns, tmp_path) -> Path:
    """Image and labels in one file of a test's own."""
    path = tmp_path / "editable.h5"
    path.write_bytes(columns.read_bytes())
    return path


def edit(path: Path, name: str, window: tuple[slice, ...], value: int) -> None:
    with h5py.File(path, "r+") as file:
        file[name][window] = value


@pytest.fixture(scope="module")
def carry_out_here(run_dir) -> Callable[[ResolvedSegment], tuple]:
    """What `carry_out` does, with the worker in this process: its start takes seconds."""
    forward = make_forward(load_network(find_network(str(run_dir)).path))

    def run(config: ResolvedSegment) -> tuple:
        alone = dataclasses.replace(config, processes=0, pictures=False)
        segment(alone, Terminal())
        assert Worker(config, config.directory, forward).run(config.grid.subvolumes)
        return carry_out(alone, Terminal())

    return run


def test_a_truth_that_changed_is_scored_again(editable, run_dir, tmp_path, capsys, carry_out_here):
    options = config(editable, run_dir, tmp_path / "out", labels=f"{editable}:labels")
    assert carry_out_here(options)[1].truth_objects == 4
    parts = sorted((tmp_path / "out").rglob("*.npz"))
    times = [path.stat().st_mtime_ns for path in parts]
    edit(editable, "labels", np.s_[:, 20:, :], 0)
    capsys.readouterr()
    _, after = carry_out(options, Terminal())
    assert after.truth_objects == 2
    assert "labels have changed since" in "".join(capsys.readouterr())
    assert [path.stat().st_mtime_ns for path in parts] == times, "it was segmented again"
    assert carry_out(options, Terminal())[1] == after
    assert "changed" not in "".join(capsys.readouterr())


def test_an_image_that_changed_is_not_mixed_with_what_was_made_of_it(
    editable, run_dir, tmp_path, carry_out_here
):
    options = config(editable, run_dir, tmp_path / "out")
    summary, _ = carry_out_here(options)
    os.utime(editable)
    assert carry_out(options, Terminal())[0] == summary, "a touched file has not changed"
    edit(editable, "image", np.s_[:, :20, :], int(GRAY - CONTRAST))
    message = r"holds a segmentation of .*:image as it was before it changed; .* overwrite=true"
    with pytest.raises(InputError, match=message):
        carry_out(options, Terminal())
    # Parts of an unfinished one are not completed from another image either.
    (tmp_path / "out" / run_files.RESULT).unlink()
    with pytest.raises(InputError, match=message):
        carry_out(options, Terminal())
    replaced, _ = carry_out_here(dataclasses.replace(options, overwrite=True))
    assert (summary.segments, replaced.segments) == (4, 2)


def test_intensities_that_are_not_finite_end_it_before_it_begins(
    columns, run_dir, tmp_path, carry_out_here
):
    with h5py.File(columns) as file:
        image = file["image"][:].astype(np.float32)
    image[30, 3, 4] = np.nan
    write_volumes(tmp_path / "nan.h5", {"image": image})
    out, values = tmp_path / "out", {"image": f"{tmp_path}/nan.h5:image"}
    for processes in (0, 1):
        options = config(columns, run_dir, out, processes=processes, **values)
        with pytest.raises(InputError, match=r"1 of 46240 voxels .* at zyx \(30, 3, 4\)"):
            segment(options, Terminal())
    assert not out.exists()
    inside = config(columns, run_dir, out, region={"size_zyx": [30, 34, 34]}, **values)
    assert carry_out_here(inside)[0].segments == 4, "what lies outside does not matter"


def test_scores_count_what_is_labeled(columns, run_dir, tmp_path, carry_out_here):
    """Two of the four columns lie in the box; the segmentation is the same one."""
    labels, box = f"{columns}:labels", [[0, 0, 0], [40, 34, 17]]
    whole = carry_out_here(config(columns, run_dir, tmp_path / "a", labels=labels))[1]
    assert (whole.truth_objects, whole.foreground.voxels) == (4, 4 * 40 * 81)
    limited = config(columns, run_dir, tmp_path / "a", labels=labels, labels_box=box)
    with pytest.raises(InputError, match="holds scores against other labels"):
        carry_out_here(limited)
    half = carry_out_here(dataclasses.replace(limited, overwrite=True))[1]
    assert (half.truth_objects, half.foreground.voxels) == (2, 2 * 40 * 81)
    assert half.segments == whole.segments


def test_voxel_sizes_reach_exports_and_pictures(columns, run_dir, tmp_path, capsys, carry_out_here):
    with h5py.File(columns) as file:
        image = file["image"][:]
    place = Placement((30.0, 16.0, 8.0), (5.0, 6.0, 7.0))
    write_volumes(tmp_path / "em.h5", {"image": image}, placements={"image": place})
    region = {"start_zyx": [10, 0, 0], "size_zyx": [30, 34, 34]}
    options = config(
        columns, run_dir, tmp_path / "seg", image=f"{tmp_path}/em.h5:image", region=region
    )
    carry_out_here(options)
    result = segmentation_files.result(options.directory)
    assert open_volume(result).placement == Placement((30.0, 16.0, 8.0), (15.0, 6.0, 7.0))

    out = tmp_path / "export"
    export = [str(options.directory), "--out", str(out)]
    assert export_neuroglancer.main(export) == 0
    for name in ("image", "segmentation"):
        exported = open_volume(f"precomputed:{out}/{name}").placement
        assert exported == Placement((30.0, 16.0, 8.0), (15.0, 6.0, 7.0))
    assert exported_layers(options.directory, out) == [out / "image", out / "segmentation"]
    given = [*export[:2], str(tmp_path / "other"), "--voxel-size-nm", "1", "1", "1"]
    capsys.readouterr()
    assert export_neuroglancer.main(given) == 0
    assert "the image says (30, 16, 8): taken as given" in capsys.readouterr().err

    # What an image does not say is given once, and known from then on.
    plain = config(
        columns, run_dir, tmp_path / "plain", region=region, voxel_size_nm=[30.0, 16.0, 8.0]
    )
    carry_out_here(plain)
    assert open_volume(segmentation_files.result(plain.directory)).placement.voxel_nm is not None
    assert export_neuroglancer.main([str(plain.directory)]) == 0
    exported = open_volume(f"precomputed:{plain.directory}/neuroglancer/image").placement
    assert exported.voxel_nm == (30.0, 16.0, 8.0)
    assert "warning" not in capsys.readouterr().err

    # A corner that is not given is the segmentation's own, not the volume's.
    drawn = [result, "--image", options.image, "--out"]
    assert pictures.main([*drawn, str(tmp_path / "a")]) == 0
    assert pictures.main([*drawn, str(tmp_path / "b"), "--start", "10", "0", "0"]) == 0
    assert "warning" not in capsys.readouterr().err
    first, second = (tmp_path / name / "section.png" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    wrong = ["--start", "0", "0", "0", "--voxel-size-nm", "30", "8", "8"]
    assert pictures.main([*drawn, str(tmp_path / "c"), *wrong]) == 0
    assert "says (10, 0, 0): drawn as given" in capsys.readouterr().err
    with Image.open(first) as tall, Image.open(tmp_path / "c" / "section.png") as square:
        assert tall.height > 1.5 * square.height
