from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from analysis.runs.runs import Runs, runs_from_records
from ffn_core.inference.sample import SegmentedSample

PARAMETERS: dict[str, Any] = {
    "cluster.nodes": 1,
    "cluster.ranks": 1,
    "cluster.local_batch_size": 1,
    "optimizer.name": "adam",
    "learning_rate.base": 0.001,
    "learning_rate.rule": "sqrt",
    "learning_rate.peak": 0.001,
    "learning_rate.warmup": "none",
    "seed": 0,
    "model.depth": 4,
    "model.features": 8,
    "model.fov_zyx": "13,13,13",
    "model.deltas_zyx": "3,3,3",
    "budget": "400 fovs",
    "data.name": "synthetic",
}


@pytest.fixture(scope="session")
def make_runs() -> Callable[..., Runs]:
    """Builds Runs from (columns of one run, {metric: [(fovs, value), ...]}) pairs."""

    def build(*points: tuple[dict[str, Any], dict[str, Sequence[tuple[int, float]]]]) -> Runs:
        records, history = [], []
        for index, (columns, metrics) in enumerate(points):
            nodes = columns.get("nodes", 1)
            ranks = columns.get("ranks", nodes)
            record = {
                "run_id": f"run{index:05d}",
                "name": f"point {index}",
                "experiment": "study",
                "parent_id": None,
                "status": "FINISHED",
                "emulated": nodes is not None and ranks < nodes,
                "run_dir": None,
                "start_time": pd.Timestamp(index, unit="s"),
                "nodes": nodes,
                "ranks": nodes,
                "local_batch_size": 1,
                "optimizer": "adam",
                "lr_base": 0.001,
                "lr_rule": "sqrt",
                "lr_peak": 0.001,
                "warmup": "none",
                "seed": 0,
            } | columns
            records.append(record)
            history += [
                (record["run_id"], metric, fovs, value)
                for metric, values in metrics.items()
                for fovs, value in values
            ]
        columns = ["run_id", "metric", "fovs", "value"]
        return runs_from_records(records, pd.DataFrame(history, columns=columns))

    return build


class StoreWriter:
    """Writes point runs as the recorder does, with values chosen by the test."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.client = MlflowClient(uri)

    def sweep(self, name: str) -> tuple[str, str]:
        experiment = self.client.create_experiment(name)
        parent = self.client.create_run(experiment, run_name=name)
        self.client.set_tag(parent.info.run_id, "ffn_scaling.kind", "sweep")
        self.client.set_terminated(parent.info.run_id)
        return experiment, parent.info.run_id

    def point(
        self,
        experiment: str,
        parent: str,
        name: str,
        parameters: dict[str, Any],
        metrics: Sequence[Metric],
        status: str = "FINISHED",
    ) -> str:
        run = self.client.create_run(experiment, run_name=name)
        known = PARAMETERS | parameters
        emulated = known["cluster.ranks"] < known["cluster.nodes"]
        tags = {
            "ffn_scaling.kind": "point",
            "mlflow.parentRunId": parent,
            "cluster.emulated": str(emulated).lower(),
            "ffn_scaling.run_dir": f"/runs/{name}",
        }
        self.client.log_batch(
            run.info.run_id,
            metrics=metrics,
            params=[Param(key, str(value)) for key, value in known.items()],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )
        self.client.set_terminated(run.info.run_id, status)
        return run.info.run_id


def point_metrics(nodes: int, ranks: int, gain: float) -> list[Metric]:
    """Eight evaluations, 50 FOVs apart, at 10 FOVs/s per rank; F1 rises by `gain` each time."""
    rate = 10.0 * ranks
    metrics = []
    for index in range(1, 9):
        fovs = 50 * index
        values = {
            "validation/f1": gain * index,
            "validation/accuracy": 0.6 + 0.4 * gain * index,
            "train/f1": gain * index,
            "throughput/fovs_per_second": rate,
            "time/elapsed_s": fovs / rate,
            "optimizer_step": fovs // nodes,
            "time/step_s": nodes / rate,
            "time/compute_s": 0.8 * nodes / rate,
            "time/allreduce_s": 0.1 * nodes / rate,
            "time/straggler_wait_s": 0.05 * nodes / rate,
            "time/slowest_rank": float(ranks > 1 and index % 4 == 0),
            "noise_scale/simple": 10.0 + index,
            "segmentation/are": 1.0,
            "segmentation/assigned_are": 1.0 - gain * index,
            "segmentation/assigned_voi_split": 4.0 - index / 4,
            "segmentation/assigned_voi_merge": 2.0 - gain * index,
            "segmentation/coverage": index / 10,
        }
        metrics += [Metric(key, value, 1000 + index, fovs) for key, value in values.items()]
    return metrics


def sample(nodes: int) -> SegmentedSample:
    """Two objects side by side, as segmented by training on some nodes: split into so many."""
    truth = np.zeros((4, 10, 10), np.uint32)
    truth[:, :, :5], truth[:, :, 6:] = 1, 2
    split = np.arange(10, dtype=np.uint32)[:, None] * nodes // 10
    ids = np.where(truth == 0, 0, 10 * truth + split)
    return SegmentedSample(ids.astype(np.uint32), truth, truth[2] * 40, 2, (0, 0, 0), nodes)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of a real MLflow store: 13 points in one experiment, 1 and 0 in others."""
    path: Path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    writer = StoreWriter(f"sqlite:///{path}")
    experiment, parent = writer.sweep("demo_sweep")
    for nodes in (1, 2, 8):
        for rule, gain in (("linear", 0.1), ("sqrt", 0.11)):
            for seed in (0, 1):
                parameters = {
                    "cluster.nodes": nodes,
                    "cluster.ranks": min(nodes, 2),
                    "learning_rate.rule": rule,
                    "learning_rate.peak": 0.001 * (nodes if rule == "linear" else nodes**0.5),
                    "seed": seed,
                }
                metrics = point_metrics(nodes, min(nodes, 2), gain + 0.002 * seed)
                name = f"n={nodes} {rule} s{seed}"
                run_id = writer.point(experiment, parent, name, parameters, metrics)
                if (rule, seed) == ("sqrt", 0):
                    sample(nodes).save(path.with_name("sample.h5"))
                    writer.client.log_artifact(
                        run_id, str(path.with_name("sample.h5")), "segmentation"
                    )
    broken = [Metric("validation/f1", float("nan"), 1, 50), Metric("train/loss", 1e400, 1, 50)]
    broken.append(Metric("system/cpu_utilization_percentage", 50.0, 1, 0))
    # A resumed run: the step after the checkpoint is recorded twice, the later value counts.
    broken += [Metric("train/f1", 0.9, 1, 50), Metric("train/f1", 0.4, 2, 50)]
    writer.point(experiment, parent, "broken", {"seed": 2}, broken, "FAILED")
    single, parent = writer.sweep("single")
    writer.point(single, parent, "alone", {}, [Metric("validation/f1", 0.5, 1, 50)])
    writer.sweep("empty")
    return writer.uri
