"""The benchmark as a user starts it, with a network whose step takes a millisecond."""

import dataclasses
import subprocess
import sys

import pytest
import yaml
from mlflow.tracking import MlflowClient

from experiments.reporting import run_files
from experiments.throughput import plan
from experiments.throughput.__main__ import main
from experiments.throughput.efficiency import BareRates, combine
from ffn_core.files import REPOSITORY
from ffn_core.metric_names import metric_of
from ffn_core.model_size import PRECISIONS


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Call the app as from the shell, in a directory of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*overrides: str) -> int:
        monkeypatch.setattr(sys, "argv", ["throughput", *overrides])
        return main()

    return call


MICRO = [
    "model.fov_zyx=[7,7,7]",
    "model.deltas_zyx=[2,2,2]",
    "model.depth=2",
    "model.features=4",
    "throughput.repeats=1",
    "throughput.steps=100",
]


@pytest.mark.ranks
def test_ranks_are_measured_recorded_and_tabulated(command, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(plan, "UNCOUPLED_S", 3.0)
    options = ["throughput.mode=weak", "throughput.peak=false", "throughput.timeline=true"]
    options += ["+launcher.environment.HF_TOKEN=hunter2"]
    assert command(*MICRO, *options) == 0
    captured = capfd.readouterr()
    assert "weak scaling, 8 FOVs per rank, baseline 1 rank" in captured.out

    (folder,) = (tmp_path / "runs/throughput").iterdir()
    values = run_files.read_json(folder / "throughput.json")
    assert values["provenance"]["version.horovod"] == "0.28.1"
    assert values["machine"]["cpus"] >= 1
    one, two = values["measurements"]
    assert (one["shape"]["ranks"], two["shape"]["ranks"]) == (1, 2)
    assert one["uncoupled"] is None
    # On an overloaded machine they may start too far apart, and then a line says so.
    if two["uncoupled"] is None:
        assert "never trained at the same time" in captured.err
    else:
        assert two["uncoupled"]["fovs_per_second"] > 0
    (row,) = [r for r in values["summary"] if r["ranks"] == 2]
    expected = two["fovs_per_second"] / (2 * one["fovs_per_second"])
    assert row["parallel_efficiency"]["median"] == pytest.approx(expected)

    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = store.get_experiment_by_name("throughput")
    runs = store.search_runs([experiment.experiment_id])
    (parent,) = [r for r in runs if r.data.tags["ffn_scaling.kind"] == "sweep"]
    points = [r for r in runs if r.data.tags["ffn_scaling.kind"] == "point"]
    assert {r.data.tags["mlflow.parentRunId"] for r in points} == {parent.info.run_id}
    assert [r.info.status for r in runs] == ["FINISHED"] * 3
    (pair,) = [r for r in points if r.data.params["cluster.ranks"] == "2"]
    assert pair.data.metrics["scaling/parallel_efficiency"] == pytest.approx(expected)
    assert pair.data.metrics["scaling/baseline_nodes"] == 1
    assert "throughput/fovs_per_second" in pair.data.metrics
    assert all(metric_of(name) for name in pair.data.metrics)
    artifacts = {a.path for a in store.list_artifacts(parent.info.run_id)}
    assert {"throughput.json", "figures"} <= artifacts

    assert "hunter2" not in captured.out + captured.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []

    (timeline,) = folder.glob("throughput/n2*/timeline.json")
    assert "gradients" in timeline.read_text()
    assert (folder / "figures/parallel_efficiency.png").is_file()


def test_bare_step_and_gemm_are_timed_in_turns(make_config, tmp_path):
    config = make_config(cluster={"nodes": 1, "ranks": 1, "local_batch_size": 4})
    (tmp_path / run_files.CONFIG).write_text(yaml.safe_dump(dataclasses.asdict(config)))
    file = tmp_path / "bare.json"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "experiments.throughput.bare_step",
            str(tmp_path),
            str(file),
            "0",
            *PRECISIONS,
        ],
        cwd=REPOSITORY,
        timeout=100,
        check=True,
    )
    both = run_files.read_json(file)
    assert set(both) == set(PRECISIONS)
    assert [len(values) for values in both["bfloat16"].values()] == [7, 7, 7]
    rates = both["float32"]
    assert [len(values) for values in rates.values()] == [7, 7, 7]
    forward_flops = config.model.size.forward_flops(7**3)
    reference = combine([BareRates(**rates)], forward_flops, 1.0)
    assert 0 < reference.fraction_of_peak < 1
    assert 0 < reference.forward_fraction_of_peak < 1


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("data=files data.image=no.h5:a data.labels=no.h5:b", "no.h5"),
        ("throughput.ranks=[0]", "throughput.ranks[0]=0"),
        ("throughput.mode=odd", "throughput.mode='odd'"),
        ("throughput.rank=2", "throughput.rank"),
        ("data.kind=nothing", "data.kind='nothing'"),
        ("model.fov_zyx=[8,8,8]", "model.fov_zyx=(8, 8, 8)"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, tmp_path, override, named, capfd):
    assert command(*override.split()) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert named in line
    assert not list(tmp_path.iterdir()), "nothing was started"
