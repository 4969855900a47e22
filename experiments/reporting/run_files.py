"""The files of a run directory: the truth about a run, whatever happens to other stores.

``config.yaml``     resolved configuration, enough to start a rank
``metrics.jsonl``   one JSON object per record, append only
``segmentation.jsonl`` the same, scores of checkpoints that were segmented afterwards
``scaling.jsonl``   the same, speed-up and parallel efficiency among the runs of a study
``progress.json``   how far the run is, replaced a few times a second
``failure.json``    why a rank ended badly, if one did
``result.json``     outcome and summary; there once the run is complete
``provenance.json`` versions, commit, host
``identity.json``   name, parameters and tags, as in MLflow
``checkpoints/``   what the run continues from
``best/``           weights of its best evaluation, a checkpoint without example streams
``start/``          weights and optimizer state of another run, which it began with
``lineage.json``    which run that was, or whose budget it raised
``canvases/``       pictures of held-out canvases along the run
``stop``            there while the ranks are asked to save and end
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
PROGRESS = "progress.json"
FAILURE = "failure.json"
RESULT = "result.json"
PROVENANCE = "provenance.json"
IDENTITY = "identity.json"
STOP = "stop"
CHECKPOINTS = "checkpoints"
BEST = "best"
START = "start"
LINEAGE = "lineage.json"
CANVASES = "canvases"
SEGMENTATIONS = "segmentations"
SEGMENTATION_SCORES = "segmentation.jsonl"
SCALING = "scaling.jsonl"
LOGS = "logs"


@dataclass(frozen=True)
class Record:
    """Metrics as of one optimizer step.

    Attributes:
        step: optimizer steps done.
        fovs: FOVs processed, summed over nodes.
        elapsed_s: training wall time, without evaluation and checkpoints.
        unix_s: when the record was made.
        metrics: values by name.
    """

    step: int
    fovs: int
    elapsed_s: float
    unix_s: float
    metrics: dict[str, float]


class Recorder(Protocol):
    """Where a rank reports; only rank 0's goes anywhere."""

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Keep a record."""

    def progress(self, **values: Any) -> None:
        """Tell how far the run is; may be dropped."""


class NullRecorder:
    """For ranks other than 0."""

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Do nothing."""

    def progress(self, **values: Any) -> None:
        """Do nothing."""


class FileRecorder:
    """Writes a run directory. Steps that an interrupted run has recorded already are not repeated.

    A resumed run repeats the steps after its checkpoint exactly: the first record of them stands.
    """

    def __init__(self, run_dir: Path, progress_every_s: float = 0.25) -> None:
        self._path = run_dir / METRICS
        self._progress_path = run_dir / PROGRESS
        self._progress_every_s = progress_every_s
        self._last_progress = float("-inf")
        repair(self._path)
        self._last_step = max((r.step for r in read_records(self._path)), default=-1)

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Append one line and flush it to the file system."""
        if step <= self._last_step:
            return
        self._last_step = step
        append(self._path, Record(step, fovs, elapsed_s, time.time(), metrics))

    def progress(self, **values: Any) -> None:
        """Replace the progress file, at most every ``progress_every_s`` seconds."""
        now = time.monotonic()
        if now - self._last_progress >= self._progress_every_s:
            self._last_progress = now
            with contextlib.suppress(OSError):  # a full disk ends a run where it matters
                write_json(self._progress_path, values)


def append(path: Path, record: Record) -> None:
    """Add one line and flush it to the file system."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def repair(path: Path) -> None:
    """Cut a last line off that a crash left incomplete."""
    if path.is_file():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            with path.open("r+b") as file:
                file.truncate(whole)


def read_records(path: Path) -> list[Record]:
    """The complete records of a ``metrics.jsonl``; none if the file is not there."""
    return parse(path.read_text()) if path.is_file() else []


def parse(lines: str) -> list[Record]:
    """Records of complete lines; an incomplete last one is left out."""
    return [
        Record(**json.loads(line)) for line in lines.splitlines(keepends=True) if line[-1] == "\n"
    ]


def to_json(values: Any) -> str:
    """Text of a JSON file of a run directory."""
    return json.dumps(values, indent=1)


def write_json(path: Path, values: Any) -> None:
    """Replace ``path`` atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(to_json(values))
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Content of ``path``; None if it is not there."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
