"""Points of a sweep side by side, for real: the same outcomes and records as one after another."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from mlflow.tracking import MlflowClient

from experiments.config.hydra_app import CONF, register_schema, to_config
from experiments.config.naming import run_directory
from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store
from experiments.reporting.records import read_records
from ffn_core.files import REPOSITORY
from tests.run_commands import Command

pytestmark = pytest.mark.ranks

LIMIT_S = 250.0
NODES = (1, 2, 4)
FAILING = 2
TIMING = ("time/", "throughput/", "system/")


@pytest.fixture(scope="module")
def sweep(micro_overrides, tmp_path_factory):
    """Carry out three points, of which one fails, in a folder of its own; returns that."""
    store = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store(f"sqlite:///{store}").experiment_id("Default")

    def carry_out(folder: Path, *overrides: str) -> tuple[Path, str]:
        shutil.copy(store, folder / "mlflow.db")
        given = [
            *micro_overrides,
            *("cluster.ranks=1", "cluster.threads_per_rank=1", "budget.steps=6"),
            f"runs_dir={folder / 'runs'}",
            *overrides,
        ]
        GlobalHydra.instance().clear()
        register_schema()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            failing = to_config(compose("config", [*given, f"cluster.nodes={FAILING}"]))
        # A folder stands where its record file should be, so that its rank crashes.
        (run_directory(failing) / run_files.METRICS).mkdir(parents=True)
        nodes = f"cluster.nodes={','.join(str(n) for n in NODES)}"
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        environment["PYTHONPATH"] = str(REPOSITORY)
        words = ["python", "-m", "experiments.train", "-m", *given, nodes]
        command = Command(words, folder, folder / "printed", environment)
        code = command.wait(LIMIT_S)
        command.kill()
        assert code == 1, command.output
        return folder, command.output

    return carry_out


@pytest.fixture(scope="module")
def one_by_one(sweep, tmp_path_factory):
    return sweep(tmp_path_factory.mktemp("one_by_one"))


@pytest.fixture(scope="module")
def side_by_side(sweep, tmp_path_factory):
    return sweep(tmp_path_factory.mktemp("side_by_side"), "sweep.parallel=2")


def run_dir(folder: Path, nodes: int) -> Path:
    (found,) = folder.glob(f"runs/test/n{nodes}_*")
    return found


def learned(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Step and values of each record, without what depends on the clock."""
    return [
        (r.step, {k: v for k, v in r.metrics.items() if not k.startswith(TIMING)})
        for r in read_records(path / run_files.METRICS)
    ]


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    store = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = store.get_experiment_by_name("test")
    return {
        run.data.params["cluster.nodes"]: (run.info.status, run.data.tags["ffn_scaling.outcome"])
        for run in store.search_runs([experiment.experiment_id])
        if run.data.tags["ffn_scaling.kind"] == "point"
    }


def test_records_and_weights_are_those_of_points_one_after_another(
    one_by_one, side_by_side, final_weights
):
    for nodes in (n for n in NODES if n != FAILING):
        alone, beside = (run_dir(folder, nodes) for folder, _ in (one_by_one, side_by_side))
        assert alone.name == beside.name
        assert learned(alone) == learned(beside)
        assert len(learned(alone)) > 1
        np.testing.assert_array_equal(final_weights(alone), final_weights(beside))


def test_outcomes_and_store_are_those_of_points_one_after_another(one_by_one, side_by_side):
    expected = {str(n): ("FINISHED", "finished") for n in NODES} | {
        str(FAILING): ("FAILED", "input")
    }
    for folder, printed in (one_by_one, side_by_side):
        assert outcomes(folder) == expected
        for nodes in NODES:
            outcome = expected[str(nodes)][1]
            said = outcome if outcome == "finished" else ""  # bad input says what is wrong
            assert f"n={nodes}: {said}" in printed
        failed = run_dir(folder, FAILING)
        failure = run_files.read_json(failed / run_files.FAILURE)
        assert run_files.METRICS in failure["message"]
        store = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        run = store.get_run(run_files.read_json(failed / "mlflow.json")["run_id"])
        assert run.data.tags["ffn_scaling.reason"] == failure["message"]
        assert run_files.FAILURE in {a.path for a in store.list_artifacts(run.info.run_id)}


def test_two_run_at_a_time(side_by_side):
    """The second starts before the first is finished, the third when one of them has ended."""
    folder, _ = side_by_side
    first, second, third = (run_dir(folder, nodes) for nodes in NODES)

    def at(path: Path) -> float:
        return path.stat().st_mtime

    assert at(second / run_files.PROVENANCE) < at(first / run_files.RESULT)
    ends = at(first / run_files.RESULT), at(second / run_files.FAILURE)
    assert at(third / run_files.PROVENANCE) > min(ends)
