"""A tracking server may do anything: no caller waits longer than it chose to."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.mlflow_sync import MlflowSync, RunIdentity
from experiments.reporting.records import Record
from experiments.reporting.run_files import RunDirectory
from experiments.reporting.store_calls import StoreCalls, reason

ANSWERS = {
    "refuses to say who": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
    "unavailable": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "hangs": b"",
    "drips": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
}


@contextmanager
def server(answer: bytes, drips: bool) -> Iterator[str]:
    """Address of a server that answers every request alike, and closes no connection."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        with suppress(OSError):
            while drips and not over.wait(0.1):
                connection.sendall(b" ")

    def accept(listening: socket.socket, kept: list[socket.socket]) -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            kept.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []
        threading.Thread(target=accept, args=(listening, kept), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def test_a_locked_database_is_named_and_not_where_it_was_noticed():
    said = reason(
        RuntimeError(
            "(raised as a result of Query-invoked autoflush; consider using a block)\n"
            "(sqlite3.OperationalError) database is locked\n[SQL: INSERT]"
        )
    )
    assert said == "(sqlite3.OperationalError) database is locked"


@pytest.mark.parametrize("what", ANSWERS)
def test_a_run_is_never_held_by_its_server(what, tmp_path):
    with server(ANSWERS[what], what == "drips") as uri:
        begun_s = time.monotonic()
        sync = MlflowSync(uri, tmp_path, RunIdentity("study", "run", {}, {}), patience_s=0.5)
        sync.restart()
        RunDirectory(tmp_path).append(Record(1, 8, 0.1, 1.0, {"train/loss": 0.5}))
        assert [record.step for record in sync.poll()] == [1]
        assert time.monotonic() - begun_s < 1, "training starts as without a server"
        assert not sync.finish("FINISHED", {}, {})
        assert sync.error
        assert time.monotonic() - begun_s < 4


def test_what_came_meanwhile_is_sent_in_order_once(tmp_path):
    """A real store, called in a thread as a server is."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    calls = StoreCalls(uri)
    calls.in_background = True
    entered, go = threading.Event(), threading.Event()

    def slow(store: Store) -> str:
        entered.set()
        go.wait()
        return store.start_run("study", "run", {})

    first = calls.submit(slow)
    second = calls.submit(lambda store: store.experiment_id("study"))
    assert entered.wait(60)
    assert not calls.wait(second, 0.05)
    go.set()
    assert calls.wait(second, 60)
    assert first.over.is_set()
    assert second.result() == "1"
    assert calls.answers


def _nothing(_store: Store) -> None:
    pass


def test_a_file_is_written_before_the_call_returns(tmp_path):
    calls = StoreCalls(f"sqlite:///{tmp_path}/no folder/mlflow.db")
    assert calls.submit(_nothing).over.is_set()
    with pytest.raises(StoreError):
        calls.call(_nothing)
    assert calls.answers is False


def test_missing_credentials_are_named_with_their_variables():
    said = reason(RuntimeError("API request failed with error code 401 != 200. Response: 'no'\nx"))
    assert "MLFLOW_TRACKING_USERNAME" in said
    assert "\n" not in said


RETRIED = (
    "API request to http://h:1/api failed with exception HTTPConnectionPool(host='h', port=1): "
    "Max retries exceeded with url: /api (Caused by {})"
)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            "ResponseError('too many 503 error responses')",
            "the server answers 503 Service Unavailable",
        ),
        ("ResponseError('too many 599 error responses')", "the server answers 599"),
        (
            "NewConnectionError('<x>: Failed to establish a new connection: "
            "[Errno 111] Connection refused')",
            "the server cannot be reached: Connection refused",
        ),
        (
            "NameResolutionError(\"Failed to resolve 'h' ([Errno -2] Name or service not known)\")",
            "the server cannot be reached: Name or service not known",
        ),
        ("SSLError('x')", RETRIED.format("SSLError('x')")),
    ],
)
def test_what_a_server_did_is_said_without_the_classes_that_report_it(cause, said):
    assert reason(RuntimeError(RETRIED.format(cause))) == said
