"""What a person sees of a study: a real MLflow server, asked by a real browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from experiments.mlflow_pages import main, pages
from experiments.reporting.mlflow_store import Store
from experiments.reporting.mlflow_view import charts_page, experiment_tags, table_page
from experiments.reporting.point_summary import results_shown, settings_shown
from experiments.reporting.records import Record
from ffn_core import metric_names as names

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
SCORES = {"n=8 sqrt s1": 0.61234, "n=8 linear s1": 0.51234, "n=2 sqrt s1": 0.71234}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """URI and experiment of a store with a sweep of three points, the best one last."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
    parent = store.start_run("study", "lr_rules 2026-01-01 12:00", {names.KIND: names.SWEEP})
    for name, final in SCORES.items():
        params = {names.NODES: name[2], names.RATE_RULE: name.split()[1], names.SEED: 1}
        params |= {names.WARMUP: "0.1 fraction", names.OPTIMIZER: "adam"}
        found = {names.SCORE_FINAL: final, names.SCORE_BEST: final + 0.1}
        curve = {names.AVERAGED_F1: final, names.LEARNING_RATE: 0.1, names.THROUGHPUT: 123.456}
        curve |= {"time/step_s": 0.1, "system/host_of_rank0_cpu_percent": 50.0}
        records = [Record(1, fovs, 1.0, 1.0 + fovs, curve) for fovs in (0, 500)]
        shown = settings_shown(params, emulated=name[2] == "8")
        shown |= results_shown("finished", found, records)
        run_id = store.start_run("study", name, {names.KIND: names.POINT} | shown, parent)
        store.log_params(run_id, params)
        store.log_records(run_id, [*records, Record(1, 500, 1.0, 600.0, found)])
    experiment = store.experiment_id("study")
    tags = experiment_tags([names.NODES, names.RATE_RULE], 3, note="Which rule?")
    store.describe_experiment(experiment, tags)
    return store.uri, experiment


@pytest.fixture(scope="module")
def address(study, tmp_path_factory):
    """Address of an MLflow server on that store."""
    if BROWSER is None:
        pytest.skip("no Chromium: install it to look at MLflow's pages")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--backend-store-uri", study[0]],
        cwd=tmp_path_factory.mktemp("server"),
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not answers(f"{address}/health"):
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "no server after 120 s"
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def seen(url: str, profile, *awaited: str) -> str:
    """Text of the page in the order of its source, loaded with more patience until all is there."""
    for budget in (20_000, 60_000, 180_000):
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--window-size=1900,3000", f"--user-data-dir={profile}"]
        command += [f"--virtual-time-budget={budget}", "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
        page = re.sub(r"<(style|script)\b.*?</\1>", "", done.stdout, flags=re.DOTALL)
        text = re.sub(r"(\s*<[^>]*>\s*)+", " | ", page)
        if all(one in text for one in awaited):
            break
    return text


def test_the_table_shows_points_best_first_with_rounded_values(study, address, tmp_path):
    text = seen(f"{address}{table_page(study[1])}", tmp_path, *SCORES)
    assert "lr_rules 2026-01-01" not in text, "the sweep is no row among its points"
    by_score = sorted(SCORES, key=SCORES.__getitem__, reverse=True)
    places = [text.index(name) for name in by_score]
    assert places == sorted(places)
    for shown in ("nodes", "rule", "warm-up", "machine", "emulated", "real", "0.712", "FOVs/s"):
        assert f" {shown} " in text, shown
    assert "0.71234" not in text
    assert "Traces 0" not in text


def test_the_charts_open_with_the_score_and_end_with_the_system(study, address, tmp_path):
    order = ("Against FOVs (= step)", "Against nodes", "What varies", "| time", "System metrics")
    charts = ("averaged/f1", "learning_rate", "Parallel Coordinates")
    text = seen(f"{address}{charts_page(study[1])}", tmp_path, *order, *charts)
    places = [text.index(section) for section in order]
    assert places == sorted(places)
    opened = text[places[0] : places[3]]
    for chart in charts:
        assert chart in opened
    assert "host_of_rank0" not in text, "what comes last is folded up"


def test_every_address_opens_on_training_runs(study):
    lines = pages(study[0])
    addresses = [line for line in lines if "http" in line]
    assert len(addresses) == 3
    assert all("workflowType=machine_learning" in line for line in addresses)


def test_no_store_is_made_where_there_is_none(tmp_path, capsys):
    assert main(["--uri", f"sqlite:///{tmp_path}/none.db"]) == 2
    assert "none.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
