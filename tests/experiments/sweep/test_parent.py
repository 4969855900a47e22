"""A sweep's run in a real store: found again, named, and shown."""

import csv

import pytest
from mlflow.tracking import MlflowClient

from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store
from experiments.reporting.records import Record, append
from experiments.reporting.run_files import RunDirectory
from experiments.sweep.outcome import Outcome
from experiments.sweep.parent import SweepRun, best_first, point_result, sweep_metrics, what_varies
from ffn_core import metric_names as names


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


def point(folder, nodes, final=None, outcome="finished") -> Outcome:
    """A point as it lies in its directory: one record, and a score unless it failed."""
    run_dir = folder / f"n{nodes}"
    run_dir.mkdir(parents=True, exist_ok=True)
    files = RunDirectory(run_dir)
    params = {"cluster.nodes": nodes, "cluster.ranks": 1, "learning_rate.peak": 0.1 * nodes}
    tags = {names.EMULATED: str(nodes > 1).lower()}
    files.write_identity({"name": f"n={nodes}", "params": params | {"seed": 1}, "tags": tags})
    rate = {names.THROUGHPUT: 1234.5}
    append(run_dir / run_files.METRICS, Record(5, 40, 1.0, 1000.0 + nodes, rate))
    if final is not None:
        score = {"name": names.AVERAGED_F1, "evaluations": 4, names.SCORE_FINAL: final}
        score |= {names.SCORE_BEST: final + 0.1, names.SCORE_BEST_FOVS: 40.0}
        files.write_result({"outcome": outcome, "score": score})
    return Outcome(f"n={nodes}", run_dir, outcome)


@pytest.fixture
def points(tmp_path):
    ended = point(tmp_path / "study", 1, 0.5), point(tmp_path / "study", 8, 0.75)
    failed = point(tmp_path / "study", 64, outcome="failed")
    return [point_result(outcome) for outcome in (*ended, failed)]


def test_the_sum_of_a_sweep(points):
    record = sweep_metrics(points)
    assert record.metrics == {
        names.SWEEP_POINTS: 3,
        names.SWEEP_DONE: 2,
        names.SWEEP_FAILED: 1,
        names.SWEEP_FOVS: 120,
        names.SWEEP_BEST: 0.75,
    }
    assert record.unix_s == 1064.0, "repeated, it is the same"
    assert [one.name for one in best_first(points)] == ["n=8", "n=1", "n=64"]
    assert what_varies([one.params for one in points]) == {"cluster.nodes": "1, 8, 64"}


def test_a_sweep_shows_its_points(store, tmp_path, points):
    sweep = SweepRun(store, "study", tmp_path / "study", "abc", "lr_rules", "asked")
    for _ in range(2):
        sweep.show(store, points, "Which rule?\n\nCost: little.", "python -m it", report=True)
    run = MlflowClient(store.uri).get_run(sweep.run_id)
    assert run.data.params == {"cluster.nodes": "1, 8, 64"}
    assert run.data.metrics[names.SWEEP_BEST] == 0.75
    note = run.data.tags[names.NOTE]
    assert note.startswith("Which rule?\n\n[points](#/experiments/")
    assert f"/runs/{sweep.run_id}/artifacts/report.html?workflowType=machine_learning)" in note
    assert "| n=8 | 0.750 | 0.850 | 1,234 | finished |\n| n=1 |" in note
    with (tmp_path / "study" / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["point"] for row in rows] == ["n=8", "n=1", "n=64"]
    assert [row["machine"] for row in rows] == ["emulated", "real", "emulated"]


def test_a_description_that_a_person_has_edited_stays(store, tmp_path, points):
    sweep = SweepRun(store, "edited", tmp_path / "edited", "abc", "lr_rules", "asked")
    client = MlflowClient(store.uri)
    client.set_tag(sweep.run_id, names.NOTE, "mine")
    sweep.show(store, points, "Which rule?", "python -m it", report=False)
    assert client.get_run(sweep.run_id).data.tags[names.NOTE] == "mine"
    sweep.open_study(store, [], ["n=8"], names.AVERAGED_F1, "about")
    client.set_experiment_tag(sweep.experiment_id, names.NOTE, "mine too")
    sweep.open_study(store, [], ["n=8"], names.AVERAGED_F1, "about, again")
    assert client.get_experiment(sweep.experiment_id).tags[names.NOTE] == "mine too"


def test_sweeps_are_named_by_preset_and_date_and_no_two_alike(store, tmp_path):
    client, folder = MlflowClient(store.uri), tmp_path / "named"
    keys = ("a", "b", "a")
    runs = [SweepRun(store, "named", folder, key, "lr_rules", "").run_id for key in keys]
    assert runs[0] == runs[2] != runs[1], "the same command finds its run again"
    first, second = (client.get_run(run_id).info.run_name for run_id in runs[:2])
    assert first.startswith("lr_rules 20")
    assert len(first) == len("lr_rules 2026-01-01 12:00")
    assert first != second
