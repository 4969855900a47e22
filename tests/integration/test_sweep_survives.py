"""Sweeps that are interrupted, killed, refused by MLflow, or run side by side: all for real."""

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from experiments import import_runs
from experiments.config.config_file import load_config
from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store
from experiments.reporting.records import read_records
from ffn_core.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from ffn_core.files import REPOSITORY
from tests.run_commands import Command

pytestmark = pytest.mark.ranks

WAIT_S = 150.0


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A SQLite store with MLflow's schema, which takes seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store(f"sqlite:///{path}").experiment_id("Default")
    return path


@pytest.fixture
def launch(tmp_path, micro_overrides, empty_store):
    """Start the app in ``tmp_path`` as a shell would; what is left at the end is killed."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    started = []

    def start(*arguments: str, cores: Collection[int] = ()) -> Command:
        flags = [a for a in arguments if a.startswith("-")]
        overrides = [a for a in arguments if a not in flags]
        words = [
            *("python", "-m", "experiments.train", *flags, *micro_overrides),
            *("report.every_fovs=40", "validation.canvases=0", *overrides),
        ]
        output = tmp_path / f"printed-{len(started)}"
        started.append(Command(words, tmp_path, output, environment, cores))
        return started[-1]

    yield start
    for command in started:
        command.kill()


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"no {what} after {WAIT_S} s"
        time.sleep(0.05)


def ranks_of(folder: Path) -> list[psutil.Process]:
    """Rank processes working below ``folder``."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            is_rank = command[1:3] == ["-m", "experiments.worker"]
            if is_rank and command[3].startswith(str(folder)):
                found.append(process)
    return found


def training(folder: Path, name: str) -> bool:
    """Whether the point whose directory starts with ``name`` has done some steps."""
    return any(
        (run_files.read_json(p) or {"step": 0})["step"] > 5
        for p in folder.glob(f"runs/test/{name}*/{run_files.PROGRESS}")
    )


def outcomes(store: MlflowClient) -> dict[str, str]:
    experiment = store.get_experiment_by_name("test")
    return {
        r.info.run_name.split()[0]: r.info.status
        for r in store.search_runs([experiment.experiment_id])
        if r.data.tags["ffn_scaling.kind"] == "point"
    }


def test_ctrl_c_stops_the_ranks_with_a_checkpoint_and_the_command_goes_on_later(launch, tmp_path):
    """The second time on one core alone: as many ranks as fit, but the same runs."""
    sweep = ("-m", "cluster.nodes=2,4", "cluster.ranks=0", "budget.steps=600")
    cores = os.sched_getaffinity(0)
    first = launch(*sweep)
    wait_for(lambda: training(tmp_path, "n2_"), "training")
    first.send_signal(signal.SIGINT)
    assert first.wait(WAIT_S) == EXIT_INTERRUPTED, first.output
    assert ranks_of(tmp_path) == []
    (run_dir,) = tmp_path.glob("runs/test/n2_*")
    assert list((run_dir / run_files.CHECKPOINTS).glob("step-*"))
    assert outcomes(MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")) == {"n=2": "KILLED"}

    second = launch(*sweep, cores={min(cores)})
    assert second.wait(WAIT_S) == 0, second.output
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert outcomes(store) == {"n=2": "FINISHED", "n=4": "FINISHED"}
    assert list(tmp_path.glob("runs/test/n2_*")) == [run_dir]
    run = store.get_run(run_files.read_json(run_dir / "mlflow.json")["run_id"])
    assert int(run.data.params["cluster.ranks"]) == min(len(cores), 2), "as it was begun"
    assert load_config(run_dir).cluster.ranks == 1, "as it was resumed"


def test_ctrl_c_stops_points_side_by_side_and_the_command_goes_on_one_by_one(launch, tmp_path):
    sweep = ("-m", "cluster.nodes=2,4", "cluster.ranks=1", "budget.steps=1200")
    first = launch(*sweep, "sweep.parallel=2")
    wait_for(lambda: training(tmp_path, "n2_") and training(tmp_path, "n4_"), "training of both")
    first.send_signal(signal.SIGINT)
    assert first.wait(WAIT_S) == EXIT_INTERRUPTED, first.output
    assert ranks_of(tmp_path) == []
    for name in ("n2_", "n4_"):
        assert list(tmp_path.glob(f"runs/test/{name}*/{run_files.CHECKPOINTS}/step-*"))
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert outcomes(store) == dict.fromkeys(("n=2", "n=4"), "KILLED")

    # Carried out in another way, which MLflow would not take as parameters of the same run.
    second = launch(*sweep, "checkpoint.keep=3")
    assert second.wait(WAIT_S) == 0, second.output
    assert outcomes(store) == dict.fromkeys(("n=2", "n=4"), "FINISHED")


def test_a_killed_rank_fails_its_point_and_the_rest_goes_on(launch, tmp_path):
    sweep = ("-m", "cluster.nodes=2,4", "cluster.ranks=2", "budget.steps=600")
    process = launch(*sweep)
    wait_for(lambda: training(tmp_path, "n2_"), "training")
    os.kill(ranks_of(tmp_path)[-1].pid, signal.SIGKILL)
    assert process.wait(WAIT_S) == EXIT_FAILED, process.output
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert outcomes(store) == {"n=2": "FAILED", "n=4": "FINISHED"}
    (run_dir,) = tmp_path.glob("runs/test/n2_*")
    failed = store.get_run(run_files.read_json(run_dir / "mlflow.json")["run_id"])
    assert "SIGKILL" in failed.data.tags["ffn_scaling.reason"]
    assert ranks_of(tmp_path) == []


def test_a_killed_rank_is_tried_again_when_retries_are_allowed(launch, tmp_path):
    process = launch("cluster.nodes=2", "cluster.ranks=1", "budget.steps=600", "sweep.retries=1")
    wait_for(lambda: training(tmp_path, "n2_"), "training")
    os.kill(ranks_of(tmp_path)[0].pid, signal.SIGKILL)
    assert process.wait(WAIT_S) == 0, process.output
    assert "trying again" in process.output


def test_ranks_end_when_the_command_is_killed_outright(launch, tmp_path):
    process = launch("cluster.nodes=2", "cluster.ranks=2", "budget.steps=100000")
    wait_for(lambda: training(tmp_path, "n2_"), "training")
    assert len(ranks_of(tmp_path)) == 2
    process.kill()
    wait_for(lambda: not ranks_of(tmp_path), "end of the ranks")


def test_fail_fast_leaves_the_rest_out(launch, tmp_path):
    process = launch(
        "-m", "model.checkpoint=nowhere,null", "budget.steps=5", "sweep.fail_fast=true"
    )
    assert process.wait(WAIT_S) == EXIT_FAILED
    assert "left out (not started" in process.output
    assert not list(tmp_path.glob(f"runs/test/*/{run_files.RESULT}"))


@contextlib.contextmanager
def refusing(database: Path) -> Iterator[None]:
    """Let a SQLite store refuse what is new of a run; at a lock each call would wait for 20 s."""
    tables = ("metrics", "latest_metrics", "params", "tags")
    with contextlib.closing(sqlite3.connect(database, timeout=30.0)) as connection:
        for table in tables:
            connection.execute(
                f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        yield
        for table in tables:
            connection.execute(f"DROP TRIGGER refuse_{table}")


def metric_rows(database: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT run_uuid, key, step, value, timestamp FROM metrics ORDER BY 1, 2, 3, 5"
        return connection.execute(query).fetchall()


def test_a_store_that_refuses_loses_nothing_and_import_completes_it_once(
    launch, tmp_path, monkeypatch
):
    database = tmp_path / "mlflow.db"
    process = launch("cluster.ranks=1", "budget.steps=300")
    wait_for(lambda: training(tmp_path, "n4_"), "training")
    wait_for(lambda: metric_rows(database), "metrics in MLflow")
    with refusing(database):
        assert process.wait(WAIT_S) == 0, "training ends well without the store"
        assert "experiments.import_runs" in process.output
    (run_dir,) = tmp_path.glob("runs/test/n4_*")
    recorded = sum(len(r.metrics) for r in read_records(run_dir / run_files.METRICS))
    assert len(metric_rows(database)) < recorded

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    contents = []
    for _ in range(2):
        assert import_runs.main(["runs"]) == 0
        contents.append(metric_rows(database))
    assert len(contents[0]) == recorded
    assert contents[0] == contents[1]
    store = MlflowClient(f"sqlite:///{database}")
    assert outcomes(store) == {"n=4": "FINISHED"}


def test_two_sweeps_at_once_on_one_store_lose_nothing(launch, tmp_path):
    both = [
        launch("-m", "cluster.ranks=1", "budget.steps=60", f"cluster.nodes={nodes}")
        for nodes in ("2", "4")
    ]
    for process in both:
        assert process.wait(WAIT_S) == 0, process.output
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert outcomes(store) == dict.fromkeys(("n=2", "n=4"), "FINISHED")
    recorded = sum(
        len(record.metrics)
        for path in tmp_path.glob(f"runs/test/*/{run_files.METRICS}")
        for record in read_records(path)
    )
    rows = metric_rows(tmp_path / "mlflow.db")
    assert len([row for row in rows if not row[1].startswith("sweep/")]) == recorded
