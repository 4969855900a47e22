"""The search for a setup of a node as a user starts it, with a network of millisecond steps."""

import sys

import pytest

from experiments import tune
from experiments.reporting import run_files
from experiments.throughput import tuning


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Call the app as from the shell, in a directory of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)

    def call(*overrides: str) -> int:
        monkeypatch.setattr(sys, "argv", ["tune", *overrides])
        return tune.main()

    return call


def test_setups_are_timed_and_the_fastest_is_named(command, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(tuning, "available_cores", lambda: 2)
    options = ["model=micro", "tune.ranks=[2]", "tune.micro_batches=[4]", "tune.repeats=1"]
    options.append("tune.precisions=[float32,bfloat16]")
    assert command(*options, "tune.block_s=0.2") == 0
    said = capfd.readouterr()
    assert "recommended" in said.out
    (file,) = tmp_path.glob("runs/tune/*/tune.json")
    values = run_files.read_json(file)
    trials = values["trials"]
    setups = [t["setup"] for t in trials]
    assert {s["threads"] for s in setups} == {1}
    tried = sorted((s["precision"], s["micro_batch"]) for s in setups)
    assert tried == [("bfloat16", 4), ("float32", 4)]
    rates = [t["fovs_per_second"][0] for t in trials]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0
    assert all(0 < t["of_gemm"][0] < 1 for t in trials if t["setup"]["precision"] == "float32")
    best = values["recommended"]
    assert best == trials[0]["setup"]
    expected = (
        f"cluster.threads_per_rank=1 model.micro_batch_size={best['micro_batch']} "
        f"model.precision={best['precision']}"
    )
    assert expected in said.err


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("tune.ranks=[4096]", "tune.ranks[0]=4096"),
        ("tune.micro_batches=[]", "tune.micro_batches=[]"),
        ("tune.rank=2", "tune.rank"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, tmp_path, override, named, capfd):
    assert command(override) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert named in line
    assert not list(tmp_path.iterdir()), "nothing was started"
