"""A run by its name in MLflow, or by part of the name of its folder."""

from pathlib import Path

import pytest

from experiments.config.run_names import named_run, near_names
from experiments.reporting.run_files import RunDirectory
from ffn_core.errors import InputError

RUNS = {
    "demo/n4_linear-11111111": "n=4 linear",
    "demo/n4_linear_warm-22222222": "n=4 linear warm",
    "study/n4_sqrt-33333333": "n=4 sqrt",
    "other/n4_sqrt-33333333": "mine",
}


@pytest.fixture
def runs(tmp_path) -> Path:
    for folder, name in RUNS.items():
        (tmp_path / folder).mkdir(parents=True)
        RunDirectory(tmp_path / folder).write_identity({"name": name, "params": {}, "tags": {}})
    return tmp_path


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("n=4 linear", "demo/n4_linear-11111111"),  # also the beginning of another's
        ("linear warm", "demo/n4_linear_warm-22222222"),
        ("11111111", "demo/n4_linear-11111111"),
        ("mine", "other/n4_sqrt-33333333"),
        ("study/n4_sqrt-33333333", "study/n4_sqrt-33333333"),
        ("dy/n4", "study/n4_sqrt-33333333"),
    ],
)
def test_found(runs, name, folder):
    assert named_run(name, runs, "checkpoint") == runs / folder


@pytest.mark.parametrize("name", ["n=8", ""])
def test_not_found(runs, name):
    assert named_run(name, runs, "checkpoint") is None


@pytest.mark.parametrize("name", ["n4_sqrt-33333333", "linear", "n4"])
def test_of_several(runs, name):
    with pytest.raises(InputError, match=rf"^checkpoint={name} is of \d runs: .*; give more"):
        named_run(name, runs, "checkpoint")


def test_the_most_alike_come_first(runs):
    assert near_names("n=4 lineal", runs).startswith(
        f"runs nearest by name: {runs}/demo/n4_linear-11111111, "
    )
    assert near_names("x", runs / "nothing") == f"{runs}/nothing holds no run"
