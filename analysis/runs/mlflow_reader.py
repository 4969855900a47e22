"""Read point runs from an MLflow store into `Runs`; the only analysis module importing mlflow."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.dbmodels.models import SqlMetric, SqlRun
from mlflow.tracking import MlflowClient

from analysis.runs.runs import Runs, column_of, runs_from_records
from ffn_core import metric_names as names
from ffn_core.errors import InputError
from ffn_core.inference.sample import SegmentedSample
from ffn_core.tracking_uri import unusable

_POINT_RUNS = f"tags.`{names.KIND}` = '{names.POINT}'"
_SAMPLE = f"{names.SEGMENTATION_FOLDER}/{names.SAMPLE_FILE}"
_REST_SCHEMES = ("http", "https", "databricks")


def load_runs(tracking_uri: str, experiment: str | None = None) -> Runs:
    """Load the point runs of one experiment, or of all.

    System metrics are left out. Where a run holds several values of a metric at one step (it was
    resumed from an earlier checkpoint), the latest counts.

    Args:
        tracking_uri: of an MLflow store, such as `sqlite:////absolute/mlflow.db` or a server URL.
        experiment: MLflow experiment name; None for every experiment with point runs.

    Raises:
        InputError: no store, no such experiment, or no point run in it.
    """
    _check_database(tracking_uri)
    try:
        client = MlflowClient(tracking_uri)
        experiments = _experiment_names(client)
        if experiment is not None and experiment not in experiments.values():
            known = ", ".join(sorted(experiments.values())) or "none"
            raise InputError(f"no experiment {experiment!r} in {tracking_uri}; there are: {known}")
        wanted = [i for i, name in experiments.items() if experiment in (None, name)]
        runs = _point_runs(client, wanted)
        if not runs:
            raise InputError(_no_runs_message(client, tracking_uri, experiment, experiments))
        if tracking_uri.startswith(_REST_SCHEMES):
            history = _history_by_client(client, runs)
        else:
            history = _history_by_query(tracking_uri, wanted, runs)
        samples = _samples(client, runs)
    except MlflowException as error:
        first_line = str(error).strip().splitlines()[0]
        raise InputError(f"cannot read the MLflow store {tracking_uri}: {first_line}") from error
    loaded = runs_from_records([_record(run, experiments) for run in runs], history)
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
        raise InputError(f"{path} is not an SQLite database: name an MLflow store") from error
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


def _point_runs(client: MlflowClient, experiment_ids: list[str]) -> list[Run]:
    runs: list[Run] = []
    token = None
    while experiment_ids:
        page = client.search_runs(
            experiment_ids,
            _POINT_RUNS,
            max_results=1000,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        runs += page
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


def _record(run: Run, experiments: dict[str, str]) -> dict[str, object]:
    tags = run.data.tags
    parameters = {
        column_of(key): None if value == "None" else value for key, value in run.data.params.items()
    }
    return {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "experiment": experiments[run.info.experiment_id],
        "parent_id": tags.get(names.PARENT),
        "status": run.info.status,
        "outcome": tags.get(names.OUTCOME),
        "emulated": tags.get(names.EMULATED) == "true",
        "run_dir": tags.get(names.RUN_DIR),
        "start_time": pd.Timestamp(run.info.start_time, unit="ms"),
        **parameters,
        "sweep_parallel": int(tags.get(names.PARALLEL_POINTS, 1)),
    }


def _samples(client: MlflowClient, runs: list[Run]) -> dict[str, SegmentedSample]:
    """Samples of the runs whose checkpoints were segmented, as far as their artifacts are here."""
    samples = {}
    for run in runs:
        if names.SEGMENTATION_ARE not in run.data.metrics:
            continue
        run_id = run.info.run_id
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


def _history_by_query(uri: str, experiment_ids: list[str], runs: list[Run]) -> pd.DataFrame:
    """One query over MLflow's own metric table.

    Measured on 198 runs with 82,000 values in SQLite: 0.1 s, against 2.0 s for MLflow's bulk
    history (one object per value) and 2.8 s for one history call per run and metric.
    """
    of_experiments: sqlalchemy.Select = sqlalchemy.select(SqlRun.run_uuid).where(
        SqlRun.experiment_id.in_([int(i) for i in experiment_ids])
    )
    query = (
        sqlalchemy.select(
            SqlMetric.run_uuid.label("run_id"),
            SqlMetric.key.label("metric"),
            SqlMetric.step.label("fovs"),
            SqlMetric.value,
            SqlMetric.is_nan,
        )
        .where(SqlMetric.run_uuid.in_(of_experiments), SqlMetric.key.not_like(f"{names.SYSTEM}%"))
        .order_by(SqlMetric.timestamp, SqlMetric.value)
    )
    engine = sqlalchemy.create_engine(uri)
    try:
        history = pd.read_sql_query(query, engine)
    finally:
        engine.dispose()
    history = history[history["run_id"].isin([run.info.run_id for run in runs])]
    value = history["value"].mask(history["is_nan"].astype(bool))
    return history.assign(value=_restore_infinity(value)).drop(columns="is_nan")


def _history_by_client(client: MlflowClient, runs: list[Run]) -> pd.DataFrame:
    """One call per run and metric, several under way at once: all that a server offers."""

    def read(request: tuple[str, str]) -> list[tuple[str, str, int, int, float]]:
        run_id, key = request
        found = client.get_metric_history(run_id, key)
        return [(run_id, key, m.timestamp, m.step, m.value) for m in found]

    requests = [
        (run.info.run_id, key)
        for run in runs
        for key in run.data.metrics
        if not key.startswith(names.SYSTEM)
    ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        rows = [row for found in pool.map(read, requests) for row in found]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "timestamp", "fovs", "value"])
    history = history.sort_values(["timestamp", "value"], ignore_index=True)
    return history.drop(columns="timestamp").assign(value=_restore_infinity(history["value"]))


def _restore_infinity(values: pd.Series) -> pd.Series:
    """MLflow's databases hold the largest float in place of an infinity."""
    largest = float(np.finfo(float).max)
    return values.astype(float).replace({largest: np.inf, -largest: -np.inf})
