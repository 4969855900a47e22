"""What MLflow's client is asked to do differently."""

import socket
import time

import pytest

from experiments.reporting.mlflow_store import Store, StoreError


def test_a_server_that_refuses_is_given_up_within_seconds():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed again before it is asked
    begun = time.monotonic()
    with pytest.raises(StoreError):
        Store(f"http://127.0.0.1:{port}").experiment_id("study")
    assert time.monotonic() - begun < 20
