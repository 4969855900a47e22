"""A real weak-scaling sweep on 1 and 2 ranks: its efficiency in the store, computed once more."""

import contextlib
import csv
import sqlite3
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from experiments import import_runs, train
from experiments.reporting import run_files
from experiments.reporting.records import read_records
from ffn_core.parallel_efficiency import overall_rate

pytestmark = pytest.mark.ranks

POINTS = (
    "{cluster.nodes:1,cluster.ranks:1}",
    "{cluster.nodes:2,cluster.ranks:2}",
    "{cluster.nodes:4,cluster.ranks:1}",  # emulated: no point of a curve
)
NAMES = ("scaling/parallel_efficiency", "scaling/speedup", "scaling/baseline_nodes")


def rate(run_dir):
    found = read_records(run_dir / run_files.METRICS)
    rates = [r.metrics.get("throughput/fovs_per_second") for r in found]
    return overall_rate([value for value in rates if value is not None])


def scaling_rows(database):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT key, step, value, timestamp FROM metrics WHERE key LIKE 'scaling/%'"
        return sorted(connection.execute(query).fetchall())


def test_a_weak_scaling_sweep_has_its_efficiency(monkeypatch, tmp_path, micro_overrides, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    options = [
        *(
            one
            for one in micro_overrides
            if not one.startswith(("cluster.nodes=", "cluster.ranks="))
        ),
        *("cluster.local_batch_size=2", "cluster.threads_per_rank=1", "budget.steps=24"),
        *("validation.canvases=0", f"sweep.pair={','.join(POINTS)}"),
    ]
    monkeypatch.setattr(sys, "argv", ["train", "-m", *options])
    assert train.main() == 0
    assert "weak scaling, 2 FOVs a step per node, against 1 node" in capfd.readouterr().out

    one, two, four = (next(tmp_path.glob(f"runs/test/n{n}_*")) for n in (1, 2, 4))
    speedup = rate(two) / rate(one)
    expected = {"1": (1.0, 1.0, 1.0), "2": (speedup / 2, speedup, 1.0), "4": (None,) * 3}
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("test")
    runs = client.search_runs([experiment.experiment_id])
    points = [r for r in runs if r.data.tags["ffn_scaling.kind"] == "point"]
    found = {
        r.data.params["cluster.nodes"]: tuple(r.data.metrics.get(name) for name in NAMES)
        for r in points
    }
    assert found == {nodes: pytest.approx(values) for nodes, values in expected.items()}
    assert not (four / run_files.SCALING).exists()
    shown = {r.data.params["cluster.nodes"]: r.data.tags.get("efficiency") for r in points}
    assert shown == {"1": "100%", "2": f"{speedup / 2:.0%}", "4": None}

    (parent,) = [r for r in runs if r.data.tags["ffn_scaling.kind"] == "sweep"]
    assert parent.data.metrics["scaling/best_speedup"] == pytest.approx(speedup)
    assert parent.data.metrics["scaling/best_parallel_efficiency_nodes"] == 2
    table = client.download_artifacts(parent.info.run_id, "scaling.csv", str(tmp_path))
    with Path(table).open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["nodes"]) for row in rows] == [("weak", "1"), ("weak", "2")]
    assert float(rows[1]["parallel_efficiency"]) == pytest.approx(speedup / 2)

    before = scaling_rows(tmp_path / "mlflow.db")
    assert import_runs.main(["runs"]) == 0
    assert scaling_rows(tmp_path / "mlflow.db") == before, "importing again changes nothing"
    for run_dir in (one, two):  # as runs of an older version
        (run_dir / run_files.SCALING).unlink()
    other = f"sqlite:///{tmp_path}/other.db"
    assert import_runs.main(["runs", "--uri", other]) == 0
    other_store = MlflowClient(other)
    run_id = run_files.read_json(two / "mlflow.json")["run_id"]
    imported = other_store.get_run(run_id).data.metrics
    assert imported["scaling/speedup"] == pytest.approx(speedup)
