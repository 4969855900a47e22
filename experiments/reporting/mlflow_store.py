"""MLflow, and nothing else of it among the experiments.

A run directory is the truth; this module makes an MLflow store say the same. Everything here may be
repeated: metrics carry the time at which they were recorded, and MLflow keeps equal rows once.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import sqlalchemy
from alembic.util import CommandError
from mlflow.entities import Experiment, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from experiments.reporting.mlflow_view import experiment_tags, run_page
from experiments.reporting.records import Record
from experiments.reporting.redaction import redacted_text
from ffn_core import metric_names as names
from ffn_core.errors import file_error
from ffn_core.files import digest, inside
from ffn_core.files.outputs import require_writable
from ffn_core.runtime import sqlite_path, unusable

# The client would ask a telemetry host and show its own progress; neither is wanted.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A server that does not answer must not hold a run, whose records are sent again later anyway. The
# client's own patience, seven tries of two minutes for every request, adds up to 17 minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

_METRICS_PER_BATCH = 1000  # the tracking API's limit
_PARAMS_PER_BATCH = 100
_ARTIFACTS = "mlartifacts"

StoreError = (MlflowException, CommandError, SQLAlchemyError, OSError)
"""What any method may raise when the store cannot be reached, is locked or refuses."""


@contextmanager
def _alone_with(uri: str) -> Iterator[None]:
    """Keep other processes from creating the schema of the same SQLite store meanwhile.

    Migrations that run twice at once fail half-way. The folder itself is locked, so that nothing
    is left behind.
    """
    if (database := sqlite_path(uri)) is None:
        yield
        return
    folder = os.open(database.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _require_database(path: Path) -> None:
    """Check that a database can be written or made: the client would try for minutes.

    Raises:
        FileError: It cannot.
    """
    if not path.exists():
        require_writable(path)
    elif not os.access(path, os.R_OK | os.W_OK):
        raise file_error("write", path, OSError(errno.EACCES, ""))


def local_path(uri: str) -> Path | None:
    """The path that a ``file:`` URI names on this machine; None for any other URI."""
    scheme, _, rest = uri.partition("://")
    return Path(unquote(rest)) if scheme == "file" and rest.startswith("/") else None


def _replace_prefix(
    connection: sqlalchemy.Connection,
    column: Any,
    experiment: Experiment,
    old: str,
    new: str,
) -> None:
    """Let what begins with ``old`` begin with ``new``, in the rows of one experiment."""
    table = column.class_
    connection.execute(
        sqlalchemy.update(table)
        .where(table.experiment_id == int(experiment.experiment_id))
        .where(column.startswith(old, autoescape=True))
        .values({column: new + sqlalchemy.func.substr(column, len(old) + 1)})
    )


class Store:
    """An MLflow tracking store."""

    def __init__(self, uri: str, create: bool = True) -> None:
        """Connect; creates the schema of a new SQLite store, which takes some seconds.

        Raises:
            MlflowException: MLflow cannot keep a store there; says what to do.
            FileNotFoundError: there is no such SQLite store, and none is to be created.
        """
        self.uri = uri
        if said := unusable(uri):
            raise MlflowException(said)
        database = sqlite_path(uri)
        if database is not None and not create and not database.is_file():
            raise FileNotFoundError(f"no file {database}")
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if database is not None:
            _require_database(database)
        with _alone_with(uri):
            self._client = MlflowClient(uri)

    def experiment_id(self, name: str) -> str:
        """Id of the experiment ``name``, created if need be.

        Raises:
            MlflowException: it was deleted, and MLflow keeps its name; says how to restore it.
        """
        database = sqlite_path(self.uri)
        location = None if database is None else inside(database.parent / _ARTIFACTS, name)
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            try:
                where = None if location is None else location.as_uri()
                return self._client.create_experiment(name, where, experiment_tags())
            except MlflowException:  # another process was first
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage != "active":
            raise MlflowException(
                f"experiment {name!r} was deleted: name another tracking.experiment, or restore it "
                f"with MLFLOW_TRACKING_URI={redacted_text(self.uri)} mlflow experiments restore -x "
                f"{experiment.experiment_id}"
            )
        if location is not None:
            self._follow_move(experiment, location)
        return experiment.experiment_id

    def _follow_move(self, experiment: Experiment, location: Path) -> None:
        """Look for artifacts beside a SQLite store that was moved or copied together with them.

        MLflow keeps their absolute path, and would make the old folder again, or write into the
        store that this one is a copy of. Places that somebody else chose stay as they are.
        """
        old, new = experiment.artifact_location, location.as_uri()
        where = local_path(old)
        ours = str(inside(Path("/") / _ARTIFACTS, experiment.name))
        if old == new or where is None or not str(where).endswith(ours):
            return
        if where.exists() and not location.exists():
            return  # only the database is new here
        engine = sqlalchemy.create_engine(self.uri)
        try:
            with engine.begin() as connection:
                _replace_prefix(connection, SqlExperiment.artifact_location, experiment, old, new)
                _replace_prefix(connection, SqlRun.artifact_uri, experiment, old, new)
        finally:
            engine.dispose()

    def experiments(self) -> dict[str, str]:
        """Id of each experiment by its name, the one that was changed last first."""
        found = self._client.search_experiments(order_by=["last_update_time DESC"])
        return {experiment.name: experiment.experiment_id for experiment in found}

    def newest_run(self, experiment_id: str, kind: str) -> str | None:
        """Id of the newest run of a kind, a point or a sweep, in an experiment; None without."""
        wanted = f"tags.`{names.KIND}` = '{kind}'"
        newest = ["attributes.start_time DESC"]
        found = self._client.search_runs([experiment_id], wanted, max_results=1, order_by=newest)
        return found[0].info.run_id if found else None

    def has_run(self, run_id: str) -> bool:
        """Whether the store knows ``run_id`` and it is not deleted."""
        try:
            return self._client.get_run(run_id).info.lifecycle_stage == "active"
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def run_page(self, run_id: str) -> str | None:
        """Path of a run's page below the address of the UI; None if the store has it not."""
        if not self.has_run(run_id):
            return None
        experiment = self._client.get_run(run_id).info.experiment_id
        return run_page(experiment, run_id).removeprefix("/")

    def start_run(
        self, experiment: str, name: str, tags: Mapping[str, str], parent: str | None = None
    ) -> str:
        """Create a run, as a child of ``parent`` if given; returns its id."""
        all_tags = dict(tags)
        if parent is not None:
            all_tags[names.PARENT] = parent
        all_tags |= _noted(all_tags.pop(names.NOTE, ""))
        run = self._client.create_run(self.experiment_id(experiment), tags=all_tags, run_name=name)
        return run.info.run_id

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Record parameters that are not recorded yet.

        MLflow takes no second value: a run that is resumed on other hosts or ranks keeps the first.
        """
        known = self._client.get_run(run_id).data.params
        entities = [Param(key, str(value)) for key, value in params.items() if key not in known]
        for i in range(0, len(entities), _PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=entities[i : i + _PARAMS_PER_BATCH])

    def log_records(self, run_id: str, records: Iterable[Record]) -> None:
        """Record metrics with FOVs as the step and the time at which they were measured."""
        metrics = [
            Metric(key, value, round(record.unix_s * 1000), record.fovs)
            for record in records
            for key, value in record.metrics.items()
        ]
        for i in range(0, len(metrics), _METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=metrics[i : i + _METRICS_PER_BATCH])

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""
        self._client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def describe_run(self, run_id: str, note: str) -> None:
        """Set the description of a run, in Markdown, unless a person has edited it."""
        if _may_note(self._client.get_run(run_id).data.tags):
            self.set_tags(run_id, _noted(note))

    def describe_experiment(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment; a description among them as in `describe_run`."""
        tags = dict(tags)
        note = tags.pop(names.NOTE, "")
        known = self._client.get_experiment(experiment_id).tags
        if _may_note(known):
            tags |= _noted(note)
        for key, value in tags.items():
            if known.get(key) != value:
                self._client.set_experiment_tag(experiment_id, key, value)

    def log_artifact(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy a file, or the content of a folder, to the run's artifacts."""
        if path.is_dir():
            self._client.log_artifacts(run_id, str(path), folder)
        else:
            self._client.log_artifact(run_id, str(path), folder)

    def set_status(self, run_id: str, status: str, end_unix_s: float | None = None) -> None:
        """Set RUNNING, FINISHED, FAILED or KILLED, the last three with an end (default: now)."""
        if status == "RUNNING":
            self._client.update_run(run_id, status=status)
        else:
            end_ms = None if end_unix_s is None else round(end_unix_s * 1000)
            self._client.set_terminated(run_id, status, end_ms)


_NOTE_LIMIT = 8000
"""Characters of a tag that every store takes."""


def _noted(note: str) -> dict[str, str]:
    """Tags of a description, by which an edited one can be known; none of an empty one."""
    note = note[:_NOTE_LIMIT]
    return {names.NOTE: note, names.NOTE_DIGEST: digest(note)} if note else {}


def _may_note(tags: Mapping[str, str]) -> bool:
    """Whether there is no description yet, or it is still the one that was written here."""
    note = tags.get(names.NOTE)
    return not note or tags.get(names.NOTE_DIGEST) == digest(note)
