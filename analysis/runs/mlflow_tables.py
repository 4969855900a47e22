"""Points of an MLflow database, read by queries over MLflow's own tables.

MLflow's client makes an object of every parameter and value, which takes many times as long.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy
from mlflow.store.tracking.dbmodels.models import (
    SqlLatestMetric,
    SqlMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)

from ffn_core import metric_names as names

_ROWS_AT_ONCE = 20_000
# Of the run's number, the metric's number, time stamp, FOVs, value and whether it is NaN.
_TYPES = np.int32, np.int32, np.int64, np.int64, np.float64, np.bool_


@dataclass(frozen=True)
class PointRun:
    """What the store says of one point, but for its metrics.

    Attributes:
        run_id: MLflow's id.
        name: shown to people.
        experiment_id: of the experiment it belongs to.
        status: MLflow's.
        start_ms: when it began, Unix time.
        params: as recorded, strings.
        tags: likewise.
        metrics: names of those it has.
    """

    run_id: str
    name: str
    experiment_id: str
    status: str
    start_ms: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Collection[str]


def points_by_query(uri: str, experiment_ids: list[str]) -> list[PointRun]:
    """Point runs of experiments, the first to begin first, without most names of their metrics."""
    points = _point_ids(experiment_ids)
    columns = SqlRun.run_uuid, SqlRun.name, SqlRun.experiment_id, SqlRun.status, SqlRun.start_time
    of_points: sqlalchemy.Select = sqlalchemy.select(*columns).where(SqlRun.run_uuid.in_(points))
    segmented = sqlalchemy.select(SqlLatestMetric.run_uuid).where(
        SqlLatestMetric.run_uuid.in_(points), SqlLatestMetric.key == names.SEGMENTATION_ARE
    )
    with _reading(uri) as connection:
        params = _by_run(connection, SqlParam, points)
        tags = _by_run(connection, SqlTag, points)
        scored = set(connection.execute(segmented).scalars())
        rows = connection.execute(of_points.order_by(SqlRun.start_time, SqlRun.run_uuid)).all()
    return [
        PointRun(
            row.run_uuid,
            row.name,
            str(row.experiment_id),
            row.status,
            row.start_time,
            params.get(row.run_uuid, {}),
            tags.get(row.run_uuid, {}),
            {names.SEGMENTATION_ARE} if row.run_uuid in scored else (),
        )
        for row in rows
    ]


def _point_ids(experiment_ids: list[str]) -> sqlalchemy.Select:
    """Query for the ids of point runs that are not deleted."""
    return (
        sqlalchemy.select(SqlRun.run_uuid)
        .join(SqlTag, SqlTag.run_uuid == SqlRun.run_uuid)
        .where(
            SqlTag.key == names.KIND,
            SqlTag.value == names.POINT,
            SqlRun.experiment_id.in_([int(i) for i in experiment_ids]),
            SqlRun.lifecycle_stage == "active",
        )
    )


def _by_run(
    connection: sqlalchemy.Connection, table: Any, points: sqlalchemy.Select
) -> dict[str, dict[str, str]]:
    """Keys and values of a table of parameters or tags, by run id; equal texts are one object."""
    query = sqlalchemy.select(table.run_uuid, table.key, table.value)
    found: dict[str, dict[str, str]] = {}
    for run_id, key, value in connection.execute(query.where(table.run_uuid.in_(points))):
        found.setdefault(run_id, {})[sys.intern(key)] = sys.intern(value)
    return found


@contextmanager
def _reading(uri: str) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def history_by_query(
    uri: str, experiment_ids: list[str], runs: list[PointRun], metrics: Collection[str] | None
) -> pd.DataFrame:
    """One query over MLflow's own metric table; run ids and names as categories.

    Measured on 198 runs with 82,000 values in SQLite: 0.1 s, against 2.0 s for MLflow's bulk
    history (one object per value) and 2.8 s for one history call per run and metric.
    """
    wanted: sqlalchemy.ColumnElement[bool] = SqlMetric.key.not_like(f"{names.SYSTEM}%")
    if metrics is not None:
        wanted = sqlalchemy.and_(wanted, SqlMetric.key.in_(sorted(metrics)))
    query = sqlalchemy.select(
        SqlMetric.run_uuid,
        SqlMetric.key,
        SqlMetric.timestamp,
        SqlMetric.step,
        SqlMetric.value,
        SqlMetric.is_nan,
    ).where(SqlMetric.run_uuid.in_(_point_ids(experiment_ids)), wanted)
    run_codes = {run.run_id: code for code, run in enumerate(runs)}
    metric_codes: dict[str, int] = {}
    parts: list[tuple[np.ndarray, ...]] = []
    with _reading(uri) as connection:
        for chunk in _plain_rows(connection, query):
            run_ids, keys, *numbers = zip(*chunk, strict=True)
            codes = [run_codes.get(run_id, -1) for run_id in run_ids]
            kinds = [metric_codes.setdefault(key, len(metric_codes)) for key in keys]
            given = zip((codes, kinds, *numbers), _TYPES, strict=True)
            parts.append(tuple(np.array(values, kind) for values, kind in given))
    if not parts:
        parts.append(tuple(np.empty(0, kind) for kind in _TYPES))
    run, metric, timestamp, fovs, value, is_nan = map(np.concatenate, zip(*parts, strict=True))
    del parts
    order = np.lexsort((value, timestamp))
    order = order[run[order] >= 0]  # a point may have come since the runs were read
    categories = pd.Categorical.from_codes
    history = pd.DataFrame(
        {
            "run_id": categories(run[order], list(run_codes)),
            "metric": categories(metric[order], list(metric_codes)),
            "fovs": fovs[order],
            "value": np.where(is_nan[order], np.nan, value[order]),
        }
    )
    return history.assign(value=restore_infinity(history["value"]))


def _plain_rows(
    connection: sqlalchemy.Connection, query: sqlalchemy.Select
) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Rows of a query by `_ROWS_AT_ONCE`, as the database's driver has them: of these, millions."""
    text = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(str(text))
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows


def restore_infinity(values: pd.Series) -> pd.Series:
    """MLflow's databases hold the largest float in place of an infinity."""
    largest = float(np.finfo(float).max)
    return values.astype(float).replace({largest: np.inf, -largest: -np.inf})
