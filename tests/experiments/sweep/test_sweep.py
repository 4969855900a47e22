"""The run of a sweep in a store that answers late, or never."""

import re
import socket
import threading
import time

import pytest
from mlflow.tracking import MlflowClient

from experiments.config.naming import run_directory
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.reporting.run_files import RunDirectory
from experiments.reporting.store_calls import calls_to
from experiments.reporting.terminal import Terminal
from experiments.sweep import parent
from experiments.sweep import sweep as sweeps
from experiments.sweep.sweep import Sweep
from ffn_core import metric_names as names


@pytest.fixture
def make_sweep(tmp_path):
    """A sweep of two points that are complete already, in a store."""

    def make(uri: str, **options: bool) -> Sweep:
        sweep = Sweep(["cluster.nodes=1,2"], Terminal(), preset="rules")
        model = {"name": "micro", "fov_zyx": [7, 7, 7], "deltas_zyx": [2, 2, 2], "depth": 2}
        for nodes in (1, 2):
            values = {
                "data": {"name": "dummy", "kind": "dummy"},
                "model": model | {"features": 4},
                "budget": {"steps": 1},
                "cluster": {"nodes": nodes, "ranks": 1},
                "tracking": {"uri": uri, "experiment": "team/study"},
                "runs_dir": str(tmp_path / "runs"),
                "sweep": options,
            }
            config = from_dict(Config, values)
            run_directory(config).mkdir(parents=True)
            RunDirectory(run_directory(config)).write_result({"outcome": "finished"})
            sweep.add(config, in_sweep=True)
        return sweep

    return make


def test_a_sweep_is_not_held_by_a_server_that_never_answers(make_sweep, capsys):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        sweep = make_sweep(f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun_s = time.monotonic()
        sweep.run()
        sweep.close(interrupted=False)
        took_s = time.monotonic() - begun_s
    assert [outcome.outcome for outcome in sweep.outcomes] == ["skipped", "skipped"]
    assert took_s < parent.START_PATIENCE_S + 1
    assert capsys.readouterr().err.count("the server does not answer") == 1


def test_a_run_that_a_server_makes_late_is_ended_with_the_sweep(make_sweep, tmp_path, monkeypatch):
    """A real store, called in a thread as a server is."""
    monkeypatch.setattr(parent, "START_PATIENCE_S", 0.05)
    uri, answer = f"sqlite:///{tmp_path}/mlflow.db", threading.Event()
    calls = calls_to(uri)
    calls.in_background = True
    calls.submit(lambda _store: answer.wait())
    sweep = make_sweep(uri)
    sweep.run()
    answer.set()
    assert calls.call(lambda store: store.experiments(), 60)
    sweep.close(interrupted=True)
    client = MlflowClient(uri)
    study = client.get_experiment_by_name("team/study")
    (run,) = client.search_runs([study.experiment_id])
    assert run.info.status == "KILLED"
    assert run.data.tags[names.KIND] == names.SWEEP
    assert (tmp_path / "runs" / "team" / "study" / "points.csv").is_file()


def test_a_sweep_without_figures_draws_none_and_has_its_table_and_metrics(
    make_sweep, tmp_path, capsys
):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    sweep = make_sweep(uri, figures=False)
    sweep.run()
    sweep.close(interrupted=False)
    said = capsys.readouterr().err
    assert not re.search("^(figures|report):|could be made", said, re.MULTILINE), said
    study = tmp_path / "runs" / "team" / "study"
    assert not {sweeps.FIGURES, sweeps.REPORT} & {path.name for path in study.iterdir()}
    client = MlflowClient(uri)
    found = client.get_experiment_by_name("team/study")
    (run,) = client.search_runs([found.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics[names.SWEEP_DONE] == 2
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id)] == ["points.csv"]
