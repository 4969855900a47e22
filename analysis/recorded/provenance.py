"""Where the runs of a study come from: configuration, commit, versions, hardware, counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.recorded.shrink import without_machine_paths
from analysis.runs.grouping import varies
from analysis.runs.runs import RUN_COLUMNS, Runs, is_among
from ffn_core.files.checked import damaged, read_json, write_json
from ffn_core.metric_names import RUN_LOCAL

FILE = "provenance.json"
NOTE = "note.md"
"""What a person has to say about how a study came about; exporting it again leaves it alone."""

_REMEDY = "take it from where it was copied, or remove it: then where the runs come from is unknown"
_UNKNOWN = "unknown"
# A run's own provenance.json holds more; the machine's name is private.
_FACTS = (
    *("version.", "git.", "tensorflow.", "device."),
    *("host.cpu", "host.gpus", "host.cores", "host.memory_gib", "host.system"),
)
_OF_A_RUN = (FILE, "device.json")
"""Files of a run's own folder: as of the command, and what its ranks computed on."""

FORMER_TENSORFLOW = "version.tensorflow-cpu"
"""Fact that held the version of TensorFlow while there was a single kind of it."""


def read(folder: Path) -> dict[str, Any]:
    """Provenance of a recorded study; empty where its folder holds none."""
    return _read(folder / FILE)


def _read(path: Path) -> dict[str, Any]:
    found = read_json(path, _REMEDY)
    if found is None:
        return {}
    if not found or not isinstance(found, dict):
        raise damaged(path, "it holds nothing", _REMEDY)
    return found


def note(folder: Path) -> str:
    """What was noted about a recorded study, in one line; empty where nothing was."""
    path = folder / NOTE
    return " ".join(path.read_text().split()) if path.is_file() else ""


def write(folder: Path, provenance: Mapping[str, Any]) -> None:
    """Write what `describe` returned."""
    write_json(folder / FILE, json.loads(json.dumps(provenance, default=str)))


def describe(runs: Runs, all_statuses: pd.Series, planned: int | None) -> dict[str, Any]:
    """What is to be known about a study beside its tables.

    Args:
        runs: those exported, with `run_dir` as recorded: each run's own provenance is read there
            and counts as unknown where the folder cannot be reached.
        all_statuses: status of every run in the store, exported or not.
        planned: points of the preset; None where not known.
    """
    table = without_machine_paths(runs.table)
    finished, failed = ((table["status"] == status).sum() for status in ("FINISHED", "FAILED"))
    parameters = [c for c in table.columns if c not in RUN_COLUMNS and not is_among(c, RUN_LOCAL)]
    started = pd.to_datetime(table["start_time"])
    return {
        "experiment": str(table["experiment"].iloc[0]),
        "points": {
            "planned": planned,
            "finished": int(finished),
            "failed": int(failed),
            "missing": None if planned is None else max(planned - len(table), 0),
            "under way or stopped": int((~all_statuses.isin(["FINISHED", "FAILED"])).sum()),
        },
        "emulated points": int(table["emulated"].sum()),
        "recorded": {"first": f"{started.min():%Y-%m-%d}", "last": f"{started.max():%Y-%m-%d}"},
        "produced by": _facts(runs.table["run_dir"].dropna()),
        "varied": {c: _listed(table[c]) for c in parameters if varies(table[c])},
        "same for all": {
            c: _plain(table[c].iloc[0])
            for c in parameters
            if not varies(table[c]) and table[c].notna().all()
        },
    }


def _facts(folders: Iterable[str]) -> dict[str, list[str]]:
    """Every value of every fact, over the runs whose folder can be read."""
    facts: dict[str, set[str]] = {}
    for folder in folders:
        own = [_read(Path(folder) / file).items() for file in _OF_A_RUN]
        for name, value in chain.from_iterable(own):
            if name.startswith(_FACTS):
                facts.setdefault(name, set()).add(str(value))
    return {name: sorted(values) for name, values in sorted(facts.items())}


def _listed(values: pd.Series) -> list[Any]:
    return sorted((_plain(v) for v in values.unique()), key=lambda v: (str(type(v)), v))


def _plain(value: Any) -> Any:
    """A value as JSON holds it; text of what is missing."""
    if pd.isna(value):
        return "none"
    return value.item() if hasattr(value, "item") else value


def one_fact(provenance: Mapping[str, Any], *names: str) -> str:
    """A fact of `produced by` as text, several values joined; `unknown` where not recorded.

    Args:
        provenance: of a study.
        names: of the fact, the first that is recorded counts.
    """
    produced = provenance.get("produced by", {})
    return next((", ".join(produced[name]) for name in names if produced.get(name)), _UNKNOWN)
