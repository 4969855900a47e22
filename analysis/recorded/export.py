"""Studies of an MLflow store written as small files."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from analysis.recorded import provenance
from analysis.recorded.shrink import samples_of_first_seed, thin, without_machine_paths
from analysis.runs.mlflow_reader import load_runs
from analysis.runs.presets import planned_points
from analysis.runs.runs import SAMPLES, Runs
from analysis.runs.sources import files_of
from ffn_core.errors import InputError
from ffn_core.files import inside
from ffn_core.files.checked import database_damage
from ffn_core.files.outputs import Outputs, committed
from ffn_core.runtime import sqlite_path

MOST_BYTES: Final = 400_000
"""Largest history a study may have before it is thinned."""

_COARSEST = 64


@contextmanager
def snapshot(uri: str) -> Iterator[str]:
    """URI of a consistent copy of a SQLite store, which may be being written; else the URI itself.

    Raises:
        InputError: the SQLite file is missing or not a database.
    """
    path = sqlite_path(uri)
    if path is None or not path.is_file():
        yield uri  # whatever is wrong with it, loading it says so
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        try:
            with (
                closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.DatabaseError as error:
            raise database_damage(uri) or InputError(f"cannot copy {path}: {error}") from error
        yield f"sqlite:///{copy}"


def export(
    uri: str,
    out: Path,
    experiment: str | None = None,
    size: str = "small",
    overwrite: bool = False,
) -> dict[str, dict[str, object]]:
    """Write the finished and failed points of one study, or of all, into a folder each.

    Points still under way are left out; exporting again with `overwrite` brings them in.

    Args:
        uri: of the MLflow store.
        out: folder of the studies' folders.
        experiment: name of the study; None for all.
        size: which values of conf/size the planned number of points follows from.
        overwrite: replace studies that were exported before, or that git can bring back.

    Returns:
        Provenance of each study written.

    Raises:
        InputError: no store, no such study, no point recorded, or files in the way.
    """
    with snapshot(uri) as copy:
        try:
            names = load_runs(copy, experiment).experiments()
            # One by one: a parameter that only other studies have is no column of this one.
            studies = {name: load_runs(copy, name) for name in names}
        except InputError as error:
            raise InputError(str(error).replace(copy, uri)) from error
    written = {}
    outputs = Outputs("analysis.recorded", files_of(uri), overwrite, restorable=committed)
    with tempfile.TemporaryDirectory() as scratch:
        for name, study in studies.items():
            ended = study.select(study.table["status"].isin(["FINISHED", "FAILED"]))
            if ended.table.empty:
                continue
            facts = provenance.describe(ended, study.table["status"], planned_points(name, size))
            folder = inside(Path(scratch), name)
            small = replace(samples_of_first_seed(ended), table=without_machine_paths(ended.table))
            kept = _write(small, folder)
            facts["exported"] = f"{datetime.now(UTC):%Y-%m-%d}"
            facts["records of train metrics kept"] = "all" if kept == 1 else f"one in {kept}"
            provenance.write(folder, facts)
            written[name] = facts
        _copy(Path(scratch), out, list(written), outputs)
    return written


def _copy(source: Path, out: Path, names: Sequence[str], outputs: Outputs) -> None:
    """Copy studies into place; samples of an earlier export do not stay beside newer ones."""
    files = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    outputs.check([out / file for file in files])
    for name in names:
        for sample in sorted((inside(out, name) / SAMPLES).glob("*.h5")):
            if sample.relative_to(out) not in files:
                outputs.remove(sample)
    for file in files:
        with outputs.place(out / file) as partial:
            shutil.copyfile(source / file, partial)


def _write(runs: Runs, folder: Path) -> int:
    """Write a study thinned no more than its size demands; returns which records were kept."""
    keep_every = 1
    while True:
        thin(runs, keep_every).to_parquet(folder)
        size = (folder / "history.parquet").stat().st_size
        if size <= MOST_BYTES or keep_every >= _COARSEST:
            return keep_every
        keep_every *= 2
