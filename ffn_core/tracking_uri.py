"""Which MLflow store is meant, and where a SQLite store lies."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SQLITE = "sqlite:///"
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|[?]")


def default_tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working directory, by absolute path."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{Path.cwd() / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """File of a SQLite store; None for any other store."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def absolute_uri(uri: str | None) -> str:
    """``uri`` with a relative SQLite path made absolute; None is `default_tracking_uri`.

    A relative path would name another store from every working directory.
    """
    if uri is None:
        return default_tracking_uri()
    path = sqlite_path(uri)
    return uri if path is None else f"{_SQLITE}{path.absolute()}"


def unusable(uri: str) -> str | None:
    """Why MLflow cannot keep a SQLite store at a path, in one line; None where it can.

    SQLAlchemy reads ``?`` and ``%20`` as parts of a URI, MLflow does not and would make a folder of
    another name, and it writes the path into SQL between quotes of one kind or the other.
    """
    path = str(sqlite_path(uri) or "")
    if found := _ESCAPED.search(path):
        what = found.group()
    elif "'" in path and '"' in path:
        what = "both kinds of quotes"
    else:
        return None
    return (
        f"MLflow cannot keep a store at a path with {what}: {path}; name another, by tracking.uri="
        "sqlite:////ANOTHER/FOLDER/mlflow.db or MLFLOW_TRACKING_URI"
    )
