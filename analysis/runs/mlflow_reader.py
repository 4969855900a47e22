"""Read point runs from an MLflow store into `Runs`."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from analysis.runs.mlflow_tables import (
    PointRun,
    history_by_query,
    points_by_query,
    restore_infinity,
)
from analysis.runs.runs import CLOCK_METRICS, Runs, column_of, runs_from_records
from ffn_core import metric_names as names
from ffn_core.errors import InputError
from ffn_core.files.checked import database_damage
from ffn_core.inference.sample import SegmentedSample
from ffn_core.runtime import unusable

_POINT_RUNS = f"tags.`{names.KIND}` = '{names.POINT}'"
_SAMPLE = f"{names.SEGMENTATION_FOLDER}/{names.SAMPLE_FILE}"
_REST_SCHEMES = ("http", "https", "databricks")


def load_runs(
    tracking_uri: str, experiment: str | None = None, metrics: Collection[str] | None = None
) -> Runs:
    """Load the point runs of one experiment, or of all.

    System metrics are left out. Where a run holds several values of a metric at one step (it was
    resumed from an earlier checkpoint), the latest counts.

    Args:
        tracking_uri: of an MLflow store, such as `sqlite:////absolute/mlflow.db` or a server URL.
        experiment: MLflow experiment name; None for every experiment with point runs.
        metrics: what to read of their histories, beside `CLOCK_METRICS`; None for everything.

    Raises:
        InputError: no store, no such experiment, no point run in it, or a damaged database.
    """
    _check_database(tracking_uri)
    wanted_metrics = None if metrics is None else {*metrics, *CLOCK_METRICS}
    try:
        client = MlflowClient(tracking_uri)
        experiments = _experiment_names(client)
        if experiment is not None and experiment not in experiments.values():
            known = ", ".join(sorted(experiments.values())) or "none"
            raise InputError(f"no experiment {experiment!r} in {tracking_uri}; there are: {known}")
        wanted = [i for i, name in experiments.items() if experiment in (None, name)]
        if tracking_uri.startswith(_REST_SCHEMES):
            runs = _point_runs(client, wanted)
            history = _history_by_client(client, runs, wanted_metrics)
        else:
            runs = points_by_query(tracking_uri, wanted)
            history = history_by_query(tracking_uri, wanted, runs, wanted_metrics)
        if not runs:
            raise InputError(_no_runs_message(client, tracking_uri, experiment, experiments))
        samples = _samples(client, runs)
        loaded = runs_from_records([_record(run, experiments) for run in runs], history)
    except InputError:
        raise
    except Exception as error:  # of a damaged database anything may be read, and stumbled over
        if damage := database_damage(tracking_uri):
            raise damage from error
        if not isinstance(error, MlflowException | sqlalchemy.exc.SQLAlchemyError):
            raise
        first_line = str(error).strip().splitlines()[0]
        raise InputError(f"cannot read the MLflow store {tracking_uri}: {first_line}") from error
    return replace(loaded, samples=samples)


def _check_database(uri: str) -> None:
    """Refuse a missing or foreign SQLite file: MLflow would create its tables there instead."""
    if ":" not in uri and not uri.startswith(_REST_SCHEMES):
        raise InputError(f"{uri!r} is no tracking URI: write sqlite:///{Path(uri).resolve()}")
    if not uri.startswith("sqlite"):
        return
    if said := unusable(uri):
        raise InputError(said)
    path = sqlalchemy.make_url(uri).database or ""
    if not Path(path).is_file():
        raise InputError(
            f"no MLflow store at {path or uri}: run an experiment first, or name another store"
        )
    engine = sqlalchemy.create_engine(uri)
    try:
        known = sqlalchemy.inspect(engine).has_table("experiments")
    except sqlalchemy.exc.DatabaseError as error:
        if damage := database_damage(uri):
            raise damage from error
        raise InputError(f"{path} cannot be read: {error.orig}") from error
    finally:
        engine.dispose()
    if not known:
        raise InputError(f"{path} is an SQLite database without MLflow tables: name another store")


def _experiment_names(client: MlflowClient) -> dict[str, str]:
    experiments: dict[str, str] = {}
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        experiments |= {experiment.experiment_id: experiment.name for experiment in page}
        token = page.token
        if not token:
            return experiments


def _point_runs(client: MlflowClient, experiment_ids: list[str]) -> list[PointRun]:
    runs: list[PointRun] = []
    token = None
    while experiment_ids:
        page = client.search_runs(
            experiment_ids,
            _POINT_RUNS,
            max_results=1000,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        runs += [
            PointRun(
                run.info.run_id,
                run.info.run_name,
                run.info.experiment_id,
                run.info.status,
                run.info.start_time,
                run.data.params,
                run.data.tags,
                run.data.metrics,
            )
            for run in page
        ]
        token = page.token
        if not token:
            break
    return runs


def _no_runs_message(
    client: MlflowClient, uri: str, experiment: str | None, experiments: dict[str, str]
) -> str:
    if experiment is None:
        return f"no recorded points in {uri}: run an experiment first, or name another store"
    filled = [name for i, name in experiments.items() if _point_runs(client, [i])]
    where = ", ".join(sorted(filled)) or "no other experiment either"
    return f"experiment {experiment!r} has no recorded points; points are in: {where}"


def _record(run: PointRun, experiments: dict[str, str]) -> dict[str, object]:
    tags = run.tags
    parameters = {
        column_of(key): None if value == "None" else value for key, value in run.params.items()
    }
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": experiments[run.experiment_id],
        "parent_id": tags.get(names.PARENT),
        "status": run.status,
        "outcome": tags.get(names.OUTCOME),
        "emulated": tags.get(names.EMULATED) == "true",
        "run_dir": tags.get(names.RUN_DIR),
        "start_time": pd.Timestamp(run.start_ms, unit="ms"),
        **parameters,
        "sweep_parallel": int(tags.get(names.PARALLEL_POINTS, 1)),
    }


def _samples(client: MlflowClient, runs: list[PointRun]) -> dict[str, SegmentedSample]:
    """Samples of the runs whose checkpoints were segmented, as far as their artifacts are here."""
    samples = {}
    for run in runs:
        if names.SEGMENTATION_ARE not in run.metrics:
            continue
        run_id = run.run_id
        try:
            found = {file.path for file in client.list_artifacts(run_id, names.SEGMENTATION_FOLDER)}
            if _SAMPLE not in found:
                continue
            with tempfile.TemporaryDirectory() as target:
                path = client.download_artifacts(run_id, _SAMPLE, target)
                samples[run_id] = SegmentedSample.load(Path(path))
        except (MlflowException, OSError):
            continue  # a store that was moved without its artifacts still has its numbers
    return samples


def _history_by_client(
    client: MlflowClient, runs: list[PointRun], metrics: Collection[str] | None
) -> pd.DataFrame:
    """One call per run and metric, several under way at once: all that a server offers."""

    def read(request: tuple[str, str]) -> list[tuple[str, str, int, int, float]]:
        run_id, key = request
        found = client.get_metric_history(run_id, key)
        return [(run_id, key, m.timestamp, m.step, m.value) for m in found]

    requests = [
        (run.run_id, key)
        for run in runs
        for key in run.metrics
        if not key.startswith(names.SYSTEM) and (metrics is None or key in metrics)
    ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        rows = [row for found in pool.map(read, requests) for row in found]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "timestamp", "fovs", "value"])
    history = history.sort_values(["timestamp", "value"], ignore_index=True)
    return history.drop(columns="timestamp").assign(value=restore_infinity(history["value"]))
