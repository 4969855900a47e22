import contextlib
import dataclasses
import stat
import sys

import pytest
import yaml

from experiments.config.config_file import load_config, write_config
from experiments.config.naming import run_directory
from experiments.config.parsing import flatten, from_dict
from experiments.config.schema import Config
from experiments.launch.slurm import FOLDER
from experiments.reporting import run_files
from experiments.reporting.figures import draw_figures
from experiments.reporting.redaction import (
    holds_secret,
    is_secret,
    redacted,
    redacted_text,
)
from experiments.reporting.terminal import Terminal
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedSegment
from experiments.sweep import slurm_job
from ffn_core.errors import InputError

VALUES = {
    "data": {"name": "synthetic"},
    "model": {"name": "m", "fov_zyx": [7] * 3, "deltas_zyx": [2] * 3, "depth": 2, "features": 4},
    "budget": {"steps": 1},
    "launcher": {
        "environment": {"AWS_SECRET_ACCESS_KEY": "hunter2", "OMP_NUM_THREADS": "1"},
        "arguments": ["-x", "API_KEY"],
    },
    "tracking": {"uri": "postgresql://me:hunter2@db.example.org/mlflow"},
}


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "db_password", "PASSWD", "client_secret", "API_KEY", "apikey", "key"]
)
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["keyframes", "monkey", "size_zyx", "KeyError", "compass"])
def test_names_that_are_none(name):
    assert not is_secret(name)


def test_no_option_of_a_run_looks_like_a_secret():
    config = from_dict(Config, {k: VALUES[k] for k in ("data", "model", "budget")})
    plain = dataclasses.asdict(config)
    assert redacted(plain) == plain
    assert not [name for name in flatten(plain) if is_secret(name)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:hunter2@host:5000/x", "http://me:***@host:5000/x"),
        ("http://host:5000/x", "http://host:5000/x"),
        (
            "launcher.environment.HF_TOKEN=hunter2 seed=1",
            "launcher.environment.HF_TOKEN=*** seed=1",
        ),
        (
            "launcher.environment={API_KEY:hunter2,OMP:1}",
            "launcher.environment={API_KEY:***,OMP:1}",
        ),
        ("https://host/v?token=hunter2&scale=1", "https://host/v?token=***&scale=1"),
        ("""{"password": "hunter2"}""", """{"password": ***}"""),
        ("KeyError: 'weights'", "KeyError: 'weights'"),
        ("""{'key': 'seed', 'new': 2}""", """{'key': 'seed', 'new': 2}"""),
    ],
)
def test_text(text, expected):
    assert redacted_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--export=ALL,API_KEY=hunter2", True),
        ("export TOKEN='hunter2'", True),
        ("postgresql://me:hunter2@db", True),
        ("--export=ALL,API_KEY", False),
        ("export TOKEN=$(cat ~/.token)", False),
        ('export TOKEN="$MY_TOKEN"', False),
        ("API_KEY=***", False),
    ],
)
def test_a_reference_to_a_secret_is_none(text, expected):
    assert holds_secret(text) is expected


@pytest.mark.parametrize(
    ("section", "option", "values"),
    [
        ("launcher", "arguments", ["-x", "API_KEY=hunter2"]),
        ("batch", "options", ["--export=ALL,API_KEY=hunter2"]),
        ("batch", "setup", ["export API_KEY=hunter2"]),
    ],
)
def test_a_secret_that_would_stand_where_others_read_is_refused(section, option, values):
    with pytest.raises(InputError, match=rf"^{section}\.{option} holds a secret") as caught:
        from_dict(Config, VALUES | {section: {option: values}})
    assert "hunter2" not in str(caught.value)


def test_what_is_recorded_of_a_run_holds_no_secret_but_all_else(tmp_path):
    config = from_dict(Config, VALUES)
    write_config(tmp_path, config)
    assert "hunter2" not in (tmp_path / run_files.CONFIG).read_text()
    loaded = load_config(tmp_path)
    assert loaded.launcher.environment["OMP_NUM_THREADS"] == "1"
    assert dataclasses.replace(loaded, launcher=config.launcher, tracking=config.tracking) == config


def test_a_private_config_keeps_them_for_its_owner(tmp_path):
    config = from_dict(Config, VALUES)
    write_config(tmp_path, config, private=True)
    assert load_config(tmp_path) == config
    assert stat.S_IMODE((tmp_path / run_files.CONFIG).stat().st_mode) == 0o600


def test_a_secret_that_ranks_would_need_is_refused(tmp_path):
    data = {"name": "x", "kind": "files", "image": "precomputed:https://me:hunter2@host/v"}
    config = from_dict(Config, VALUES | {"data": data | {"labels": "labels.h5:labels"}})
    for private in (False, True):  # a job would fail at it later
        with pytest.raises(InputError, match=r"data\.image holds a secret") as caught:
            write_config(tmp_path, config, private=private)
        assert "hunter2" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_segmentation_keeps_none(tmp_path):
    environment = {"AWS_SECRET_ACCESS_KEY": "hunter2"}
    values = {
        "checkpoint": "c",
        "image": "v.h5:raw",
        "mean": 128.0,
        "stddev": 33.0,
        "fov_zyx": [7, 7, 7],
        "deltas_zyx": [2, 2, 2],
        "region": {"size_zyx": [32, 32, 32]},
        "launcher": {"environment": environment},
    }
    segmentation_files.write_config(tmp_path, from_dict(ResolvedSegment, values))
    assert "hunter2" not in (tmp_path / run_files.CONFIG).read_text()
    assert segmentation_files.load_config(tmp_path).image == "v.h5:raw"
    values["image"] = "precomputed:https://me:hunter2@host/v"
    with pytest.raises(InputError, match=r"^image holds a secret"):
        segmentation_files.write_config(tmp_path, from_dict(ResolvedSegment, values))


def test_a_job_that_has_ended_keeps_none(tmp_path):
    launcher = VALUES["launcher"] | {"name": "srun"}
    config = from_dict(Config, VALUES | {"launcher": launcher, "runs_dir": str(tmp_path)})
    run_dir = run_directory(config)
    (run_dir / FOLDER).mkdir(parents=True)
    write_config(run_dir / FOLDER, config, private=True)
    run_files.write_json(run_dir / run_files.RESULT, {"outcome": "finished"})
    assert slurm_job.main([str(run_dir)]) == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if "hunter2" in path.read_text()] == []


def test_figures_are_drawn_from_a_store_that_no_command_line_names(tmp_path, monkeypatch):
    """Python is a program that writes down its arguments and its store."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@ $MLFLOW_TRACKING_URI" > {tmp_path}/seen\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    uri = VALUES["tracking"]["uri"]
    assert draw_figures("study", tmp_path, uri, Terminal())
    written = (tmp_path / "seen").read_text()
    assert written == f"-m analysis.figures --out {tmp_path} --overwrite --experiment study {uri}\n"


@pytest.fixture
def written(tmp_path):
    write_config(tmp_path, from_dict(Config, VALUES))
    return tmp_path / run_files.CONFIG


@pytest.mark.parametrize("keep", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_config_cut_short_is_named(written, keep):
    text = written.read_text()
    written.write_text(text[: int(len(text) * keep)])
    with pytest.raises(InputError, match=str(written)) as caught:
        load_config(written.parent)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_of_a_config_is_named_or_changes_nothing(written):
    content, config, unnoticed = written.read_bytes(), load_config(written.parent), 0
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        written.write_bytes(damaged)
        with contextlib.suppress(InputError):
            assert load_config(written.parent) == config, "only the head may be damaged unnoticed"
            unnoticed += 1
    assert unnoticed < 5


def test_a_config_written_by_hand_needs_no_checksum(tmp_path):
    plain = {k: VALUES[k] for k in ("data", "model", "budget")}
    (tmp_path / run_files.CONFIG).write_text(yaml.safe_dump(plain))
    assert load_config(tmp_path) == from_dict(Config, plain)
    (tmp_path / run_files.CONFIG).write_text("a: [1")
    with pytest.raises(InputError, match="is damaged"):
        load_config(tmp_path)
