"""A run directory as an object: what is there, what is not, and what is damaged."""

import json
from dataclasses import asdict

import pytest
import yaml

from experiments.config.trained_network import training_run
from experiments.reporting.records import Record
from experiments.reporting.run_files import (
    CONFIG,
    FAILURE,
    IDENTITY,
    METRICS,
    PROGRESS,
    RESULT,
    SCALING,
    RunDirectory,
    run_directories,
)
from experiments.sweep.dry_run import CostModel
from experiments.trainer.recorder import FileRecorder
from ffn_core.errors import DamagedError, InputError

OPTIONS = {
    "data": {"name": "synthetic"},
    "model": {
        "name": "micro",
        "fov_zyx": [7, 7, 7],
        "deltas_zyx": [2, 2, 2],
        "depth": 2,
        "features": 4,
    },
    "cluster": {"nodes": 4},
}


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


def record(step):
    return Record(step, 4 * step, 0.5, 1.0, {"train/loss": 0.25})


def test_of_a_new_folder_nothing_is_known(run):
    assert (run.result(), run.failure(), run.progress(), run.identity()) == ({}, {}, {}, {})
    assert run.records() == []
    assert not run.finished
    assert run.progress_age_s() == float("inf")
    run.forget_failure()
    run.withdraw_stop()


def test_what_is_written_is_read(run):
    run.write_result({"outcome": "finished"})
    run.write_failure({"message": "no"})
    run.write_progress({"step": 3})
    run.append(record(1))
    run.append(record(2), SCALING)
    assert run.finished
    assert run.result() == {"outcome": "finished"}
    assert run.failure() == {"message": "no"}
    assert run.progress() == {"step": 3}
    assert 0 <= run.progress_age_s() < 60
    assert run.records() == [record(1)]
    assert run.records(SCALING) == [record(2)]
    run.forget_failure()
    assert run.failure() == {}


def test_a_record_after_one_that_was_cut_short_is_whole(run):
    run.append(record(1))
    with (run.path / METRICS).open("a") as file:
        file.write('{"step": 2, "fo')
    run.append(record(3))
    assert run.records() == [record(1), record(3)]


def test_run_directories_are_found_by_a_file_they_hold(tmp_path):
    for name in ("b", "a/x", "c"):
        (tmp_path / name).mkdir(parents=True)
    RunDirectory(tmp_path / "b").write_identity({"name": "b"})
    RunDirectory(tmp_path / "a/x").write_identity({"name": "x"})
    RunDirectory(tmp_path / "c").write_result({"outcome": "finished"})
    assert [run.path.name for run in run_directories(tmp_path)] == ["x", "b"]


def test_a_config_without_a_checksum_is_taken_as_it_is(run):
    (run.path / CONFIG).write_text(yaml.safe_dump(OPTIONS))
    assert run.config() == OPTIONS


def test_every_reader_of_a_config_sees_that_it_was_edited(run):
    run.write_config(OPTIONS)
    assert run.config() == OPTIONS
    assert training_run(run.path).cluster.nodes == 4
    path = run.path / CONFIG
    path.write_text(path.read_text().replace("depth: 2", "depth: 3"))
    for read in (RunDirectory.config, lambda run: training_run(run.path)):
        with pytest.raises(InputError, match="checksum differs"):
            read(run)


@pytest.mark.parametrize(("name", "content"), [(CONFIG, "model: [1"), (RESULT, "")])
def test_a_dry_run_says_which_runs_it_leaves_out(run, name, content):
    run.write_result({"outcome": "finished", "fovs_per_second": 5.0})
    run.write_config(OPTIONS)
    said = []
    CostModel(run.path, said.append)
    assert said == []
    (run.path / name).write_text(content)
    CostModel(run.path, said.append)
    (line,) = said
    assert f"left out of the estimate: {run.path / name} is damaged" in line


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        (RESULT, "", RunDirectory.result),
        (RESULT, "{}", RunDirectory.result),
        (PROGRESS, "", RunDirectory.progress),
        (FAILURE, "[]", RunDirectory.failure),
        (IDENTITY, "null", RunDirectory.identity),
        (METRICS, '{"step": 1}\n', RunDirectory.records),
    ],
)
def test_damage_is_named_with_what_to_do(run, name, content, read):
    (run.path / name).write_text(content)
    with pytest.raises(DamagedError) as caught:
        read(run)
    line = str(caught.value)
    assert line.startswith(f"{run.path / name} is damaged (")
    assert "); " in line
    assert "\n" not in line


def test_records_of_a_complete_run_are_all_there(run):
    for step in (1, 2, 3):
        run.append(record(step))
    run.write_result({"outcome": "finished", "records": 3})
    assert len(run.records()) == 3
    path = run.path / METRICS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    with pytest.raises(DamagedError, match="1 of 3 records are missing"):
        run.records()
    path.write_text(lines[0] + lines[2])
    with pytest.raises(DamagedError, match="line 2: it was line 3"):
        run.records()


def test_a_run_of_an_older_version_continues_its_records(run):
    path = run.path / METRICS
    path.write_text("".join(json.dumps(asdict(record(step))) + "\n" for step in (1, 2)))
    recorder = FileRecorder(run.path)
    recorder.record(2, 8, 0.5, {"train/loss": 0.5})
    recorder.record(3, 12, 0.5, {"train/loss": 0.25})
    assert [one.step for one in run.records()] == [1, 2, 3]
    assert recorder.count == 3
