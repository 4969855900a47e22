"""The command a user types: exit codes, outcomes, and what is in MLflow afterwards."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from experiments import train
from experiments.reporting import run_files
from experiments.reporting.records import read_records
from ffn_core.files import REPOSITORY
from ffn_core.metric_names import metric_of


@pytest.fixture
def command(monkeypatch, tmp_path, micro_overrides):
    """Call the app as from the shell, in a directory of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*arguments: str) -> int:
        flags = [a for a in arguments if a.startswith("-")]
        overrides = [a for a in arguments if a not in flags]
        options = [*flags, *micro_overrides, *overrides]
        monkeypatch.setattr(sys, "argv", ["train", *options])
        return train.main()

    return call


@pytest.mark.ranks
def test_a_sweep_is_recorded(command, tmp_path, capfd):
    secret = "+launcher.environment.HF_TOKEN=hunter2"
    code = command("-m", "budget.steps=6", "cluster.nodes=1,2,4", "sweep.figures=true", secret)
    printed = capfd.readouterr()
    assert code == 0, printed.err
    assert "hunter2" not in printed.out + printed.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = store.get_experiment_by_name("test")
    runs = store.search_runs([experiment.experiment_id])
    (parent,) = [r for r in runs if r.data.tags["ffn_scaling.kind"] == "sweep"]
    points = [r for r in runs if r.data.tags["ffn_scaling.kind"] == "point"]
    assert [r.info.status for r in runs] == ["FINISHED"] * 4
    assert {r.data.tags["mlflow.parentRunId"] for r in points} == {parent.info.run_id}
    assert sorted(r.data.params["cluster.nodes"] for r in points) == ["1", "2", "4"]
    (four,) = [r for r in points if r.data.params["cluster.nodes"] == "4"]
    assert four.data.tags["cluster.emulated"] == "true"
    assert four.data.tags["device.kind"] in ("cpu", "gpu")  # as the ranks found it
    assert four.data.tags["device.name"]
    assert four.data.tags["version.tensorflow"].startswith("2.")
    assert four.data.params["learning_rate.peak"] == "0.002"
    history = store.get_metric_history(four.info.run_id, "train/loss")
    assert [m.step for m in history] == [8, 16, 24], "the MLflow step counts FOVs over all nodes"
    recorded = read_records(Path(four.data.tags["ffn_scaling.run_dir"]) / run_files.METRICS)
    assert [m.value for m in history] == [
        r.metrics["train/loss"] for r in recorded if "train/loss" in r.metrics
    ]
    names = {name for run in runs for name in run.data.metrics}
    assert {name for name in names if metric_of(name) is None} == set()
    figures = {a.path for a in store.list_artifacts(parent.info.run_id, "figures")}
    assert "figures/summary.csv" in figures
    assert any(path.endswith(".png") for path in figures)
    assert sorted(r.info.run_name for r in points) == ["n=1", "n=2", "n=4"]
    assert re.fullmatch(r"test \d{4}-\d\d-\d\d \d\d:\d\d", parent.info.run_name)
    assert parent.data.params == {"cluster.nodes": "1, 2, 4"}
    shown = {k: v for k, v in parent.data.metrics.items() if k.startswith("sweep/")}
    best = max(r.data.metrics["score/final"] for r in points)
    counts = {"sweep/points": 3, "sweep/points_done": 3, "sweep/points_failed": 0}
    assert shown == counts | {"sweep/fovs": 42, "sweep/best_score": best}
    assert "| n=4 |" in parent.data.tags["mlflow.note.content"]
    attached = {a.path for a in store.list_artifacts(parent.info.run_id)}
    assert {"report.html", "points.csv"} <= attached
    view = json.loads(experiment.tags["mlflow.sharedViewState.study"])
    assert view["searchFilter"] == "tags.`ffn_scaling.kind` = 'point'"
    columns = [c.removeprefix("tags.`").removesuffix("`") for c in view["selectedColumns"]]
    assert {c: four.data.tags.get(c) for c in columns} == {
        **{"nodes": "4", "rule": "sqrt", "warm-up": "none", "optimizer": "adam", "seed": "1"},
        "machine": "emulated",
        "final": f"{four.data.metrics['score/final']:.3f}",
        "best": f"{four.data.metrics['score/best']:.3f}",
        "FOVs/s": four.data.tags["FOVs/s"],
        "efficiency": None,
        "outcome": "finished",
    }
    artifacts = {a.path for a in store.list_artifacts(four.info.run_id)}
    assert {
        "config.yaml",
        "provenance.json",
        "device.json",
        "metrics.jsonl",
        "checkpoint",
        "canvases",
    } <= artifacts
    pictures = [a.path for a in store.list_artifacts(four.info.run_id, "canvases")]
    assert pictures == ["canvases/fovs-00000000.png", "canvases/fovs-00000024.png"]


@pytest.mark.ranks
def test_a_damaged_checkpoint_is_bad_input(command, tmp_path, capfd):
    assert command("budget.steps=4") == 0
    (run_dir,) = (tmp_path / "runs/test").iterdir()
    (run_dir / run_files.RESULT).unlink()
    (damaged,) = run_dir.glob("checkpoints/*/shared.npz")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    capfd.readouterr()
    assert command("budget.steps=4") == 2
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert str(damaged) in line


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    path = tmp_path_factory.mktemp("volumes") / "volumes.h5"
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros((40, 30, 30), np.uint8)
        file["labels"] = np.ones((40, 30, 29), np.uint32)
        file["small"] = np.ones((8, 8, 8), np.uint32)
    return path


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["budget.steps=1", "cluster.nodes=3", "cluster.ranks=2"], "cluster.nodes=3"),
        (["budget.steps=1", "budget.fovs=9"], "budget has 2 units"),
        ([], "budget has no unit"),
        (["budget.steps=1", "optimizer.name=adamm"], "optimizer.name='adamm'"),
        (["budget.steps=1", "optimizer=adamm"], "did you mean adam"),
        (["budget.steps=1", "learning_rate.rule=cubic"], "learning_rate.rule='cubic'"),
        (["budget.steps=1", "learning_rate.base=fast"], "fast"),
        (["budget.steps=1", "model.precision=float16"], "model.precision='float16'"),
        (["budget.steps=1", "device=tpu"], "device='tpu'"),
        (["budget.steps=1", "cluster.nods=2"], "nods"),
        (["budget.steps=1", "+cluster.nods=2"], "nods"),
        (["budget.steps=1", "model.fov_zyx=[8,8,8]"], "model.fov_zyx=(8, 8, 8)"),
        (["budget.steps=1", "model.fov_zyx=[61,61,61]"], "does not fit into the volume"),
        (["budget.steps=1", "runs_dir={v}"], "cannot use runs_dir="),
        (["budget.steps=1", "runs_dir={v}/deeper"], "cannot use runs_dir="),
        (["budget.steps=1", "data.cache_dir={v}"], "data.cache_dir="),
        (["budget.steps=1", "tracking.experiment=../x"], "tracking.experiment='../x'"),
        (["budget.steps=1", "launcher.name=slurmm"], "launcher.name='slurmm'"),
        (["budget.steps=1", "data=files", "data.image=no.h5:a", "data.labels=no.h5:b"], "no.h5"),
        (["budget.steps=1", "data=files", "data.image={v}:raw", "data.labels={v}:labels"], "'raw'"),
        (
            ["budget.steps=1", "data=files", "data.image={v}:image", "data.labels={v}:labels"],
            "(40, 30, 29)",
        ),
        (["budget.steps=1", "model.checkpoint=nowhere/model"], "nowhere/model"),
        (["budget.seconds=5", "learning_rate.warmup.fraction=0.1"], "fraction=0.1"),
        (["budget.seconds=5", "learning_rate.cooldown.steps=9"], "cooldown.steps=9"),
        (
            ["budget.steps=9", "warmup=tenth", "learning_rate.cooldown.fraction=1"],
            "warmup takes 1 and learning_rate.cooldown 9 of the run's 9 steps",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, volumes, overrides, named, capfd):
    assert command(*(o.replace("{v}", str(volumes)) for o in overrides)) == 2
    captured = capfd.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("error: ")
    assert named in line
    assert not captured.out


def test_the_shell_sees_exit_code_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "budget.steps=1", "cluster.nodes=0"],
        cwd=REPOSITORY,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: cluster.nodes=0")
