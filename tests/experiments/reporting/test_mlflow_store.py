"""What MLflow's client is asked to do differently."""

import contextlib
import shutil
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.mlflow_sync import MlflowSync, RunIdentity, linked_run
from experiments.reporting.records import Record
from experiments.reporting.run_files import RunDirectory


def test_a_server_that_refuses_is_given_up_within_seconds():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed again before it is asked
    begun = time.monotonic()
    with pytest.raises(StoreError):
        Store(f"http://127.0.0.1:{port}").experiment_id("study")
    assert time.monotonic() - begun < 20


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """A database with MLflow's tables, which take seconds to make."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    Store(f"sqlite:///{path}")
    return path


def store_in(folder: Path, database: Path) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(database, folder / "mlflow.db")
    return Store(f"sqlite:///{folder}/mlflow.db")


def artifact(store: Store, folder: Path, name: str) -> str:
    """Start a run of the experiment ``a b/50%`` with an artifact; returns its id."""
    file = folder / name
    file.write_text(name)
    run_id = store.start_run("a b/50%", name, {})
    store.log_artifact(run_id, file)
    return run_id


def test_artifacts_follow_a_store_that_was_moved(tmp_path, empty_store):
    old, new = tmp_path / "old", tmp_path / "new it's"
    first = artifact(store_in(old, empty_store), old, "first.txt")
    old.rename(new)
    moved = Store(f"sqlite:///{new}/mlflow.db")
    second = artifact(moved, new, "second.txt")
    assert not old.exists()
    client = MlflowClient(moved.uri)
    for run_id, name in ((first, "first.txt"), (second, "second.txt")):
        kept = new / "mlartifacts" / "a b" / "50%" / run_id / "artifacts" / name
        assert kept.read_text() == name
        assert Path(client.download_artifacts(run_id, name)).read_text() == name


def test_a_copy_of_a_store_does_not_write_into_the_first(tmp_path, empty_store, everything):
    old, new = tmp_path / "old", tmp_path / "new"
    artifact(store_in(old, empty_store), old, "first.txt")
    before = everything(old)
    shutil.copytree(old, new)
    artifact(Store(f"sqlite:///{new}/mlflow.db"), new, "second.txt")
    assert everything(old) == before


def test_artifacts_that_somebody_keeps_elsewhere_stay_there(tmp_path, empty_store):
    store = store_in(tmp_path / "here", empty_store)
    elsewhere = (tmp_path / "elsewhere").as_uri()
    MlflowClient(store.uri).create_experiment("study", elsewhere)
    store.start_run("study", "run", {})
    found = MlflowClient(store.uri).get_experiment_by_name("study")
    assert found.artifact_location == elsewhere


def test_an_experiment_that_was_deleted_says_how_to_restore_it(tmp_path, empty_store):
    store = store_in(tmp_path, empty_store)
    number = store.experiment_id("study")
    MlflowClient(store.uri).delete_experiment(number)
    with pytest.raises(StoreError, match=f"mlflow experiments restore -x {number}"):
        store.start_run("study", "run", {})


@pytest.mark.parametrize("content", [b"no database", b""])
def test_what_cannot_be_opened_is_an_error_of_the_store(tmp_path, content):
    path = tmp_path / ("garbage.db" if content else "no folder/mlflow.db")
    if content:
        path.write_bytes(content)
    with pytest.raises(StoreError):
        Store(f"sqlite:///{path}").experiment_id("study")


def test_a_path_that_mlflow_misreads_is_refused_and_nothing_made(tmp_path):
    (tmp_path / "p%20q").mkdir()
    with pytest.raises(StoreError, match=r"p%20q.*tracking\.uri="):
        Store(f"sqlite:///{tmp_path}/p%20q/mlflow.db")
    assert [path.name for path in tmp_path.rglob("*")] == ["p%20q"]


def test_what_a_locked_store_did_not_take_is_sent_later(tmp_path, empty_store):
    """Another program writes to it for longer than MLflow waits for it, which is 20 s."""
    uri = store_in(tmp_path, empty_store).uri
    sync = MlflowSync(uri, tmp_path, RunIdentity("study", "run", {}, {}))
    directory = RunDirectory(tmp_path)
    directory.append(Record(1, 8, 0.1, 1.0, {"train/loss": 0.5}))
    sync.poll()
    assert sync.error is None
    directory.append(Record(2, 16, 0.2, 2.0, {"train/loss": 0.4}))
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not sync.finish("FINISHED", {}, {})
    assert sync.error
    assert sync.finish("FINISHED", {}, {}), sync.error
    run_id = linked_run(tmp_path, uri)
    history = MlflowClient(uri).get_metric_history(run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(8, 0.5), (16, 0.4)]
