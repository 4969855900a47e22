"""The files of a run directory: the truth about a run, whatever happens to other stores.

``config.yaml``     resolved configuration, enough to start a rank
``metrics.jsonl``   one JSON object per record, append only
``segmentation.jsonl`` the same, scores of checkpoints that were segmented afterwards
``scaling.jsonl``   the same, speed-up and parallel efficiency among the runs of a study
``progress.json``   how far the run is, replaced a few times a second
``failure.json``    why a rank ended badly, if one did
``result.json``     outcome and summary; there once the run is complete
``provenance.json`` versions, commit, host
``device.json``     what the ranks compute on, as the first of them found it
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

import yaml

from ffn_core.errors import InputError
from ffn_core.files import digest, whole_file

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
PROGRESS = "progress.json"
FAILURE = "failure.json"
RESULT = "result.json"
PROVENANCE = "provenance.json"
DEVICE = "device.json"
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

_HEAD = "# sha256 of what follows: "


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
    """Where a rank's records go; only those of rank 0 are kept."""

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Keep a record."""

    def progress(self, **values: Any) -> None:
        """Say how far the run is; may be dropped."""


class NullRecorder:
    """For ranks other than 0."""

    def record(self, step: int, fovs: int, elapsed_s: float, metrics: dict[str, float]) -> None:
        """Do nothing."""

    def progress(self, **values: Any) -> None:
        """Do nothing."""


class FileRecorder:
    """Write a run directory. Steps that an interrupted run has recorded already are not repeated.

    A resumed run repeats the steps after its checkpoint exactly: the first record of them stands.
    """

    def __init__(self, run_dir: Path, progress_every_s: float = 0.25) -> None:
        self._path = run_dir / METRICS
        self._directory = RunDirectory(run_dir)
        self._progress_every_s = progress_every_s
        self._last_progress = float("-inf")
        repair(self._path)
        self._last_step = max((r.step for r in self._directory.records()), default=-1)

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
                self._directory.write_progress(values)


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
    """The complete records of a ``jsonl`` file; none if it is not there."""
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


@dataclass(frozen=True)
class RunDirectory:
    """One run's files, read and written.

    Each call looks at the file again. Contents of a JSON file that is not there are an empty
    dictionary; files are replaced whole or not at all.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of what the run continues from."""
        return self.path / CHECKPOINTS

    @property
    def best(self) -> Path:
        """Folder of the weights of the best evaluation."""
        return self.path / BEST

    @property
    def logs(self) -> Path:
        """Folder of what launcher and ranks print."""
        return self.path / LOGS

    @property
    def finished(self) -> bool:
        """Whether the run has a result."""
        return (self.path / RESULT).is_file()

    def config(self) -> dict[str, Any]:
        """Options, nested. A file without a checksum (written by hand) is taken as it is.

        A file cut short is often still valid YAML, and what is missing would silently become a
        default; hence the checksum.

        Raises:
            InputError: The file cannot be read, is damaged, or holds no options.
        """
        path = self.path / CONFIG
        advice = "repeat the training command, which writes it again"
        try:
            head, _, text = path.read_text().partition("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read ({error}); {advice}") from None
        if not head.startswith(_HEAD):
            text = f"{head}\n{text}"
        elif head.removeprefix(_HEAD) != digest(text):
            raise InputError(
                f"{path} is damaged or was edited (checksum differs); {advice}, or remove its first"
                " line if the change is meant"
            )
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            said = " ".join(str(error).split())
            raise InputError(f"{path} is damaged ({said}); {advice}") from None
        if not isinstance(values, dict):
            raise InputError(f"{path} is damaged (holds no options); {advice}")
        return values

    def write_config(self, values: dict[str, Any], private: bool = False) -> None:
        """Write options; in a ``private`` file only its owner may read them."""
        text = yaml.safe_dump(values, sort_keys=False)
        with whole_file(self.path / CONFIG) as partial:
            partial.touch(mode=0o600 if private else 0o666)  # less what the umask takes
            partial.write_text(f"{_HEAD}{digest(text)}\n{text}")

    def result(self) -> dict[str, Any]:
        """Outcome and summary of a complete run."""
        return self._read(RESULT)

    def write_result(self, values: dict[str, Any]) -> None:
        """Replace the result."""
        write_json(self.path / RESULT, values)

    def failure(self) -> dict[str, Any]:
        """Why the run ended badly."""
        return self._read(FAILURE)

    def write_failure(self, values: dict[str, Any]) -> None:
        """Replace the reason."""
        write_json(self.path / FAILURE, values)

    def forget_failure(self) -> None:
        """Remove the reason: the run is tried once more."""
        (self.path / FAILURE).unlink(missing_ok=True)

    def progress(self) -> dict[str, Any]:
        """How far the run is, as of `Recorder.progress`."""
        return self._read(PROGRESS)

    def write_progress(self, values: dict[str, Any]) -> None:
        """Replace the progress."""
        write_json(self.path / PROGRESS, values)

    def progress_age_s(self) -> float:
        """Seconds since the progress was written; infinite if it never was."""
        try:
            return time.time() - (self.path / PROGRESS).stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def identity(self) -> dict[str, Any]:
        """Name, parameters and tags, as in MLflow."""
        return self._read(IDENTITY)

    def write_identity(self, values: dict[str, Any]) -> None:
        """Replace name, parameters and tags."""
        write_json(self.path / IDENTITY, values)

    def write_provenance(self, facts: dict[str, str]) -> None:
        """Replace versions, commit and host."""
        write_json(self.path / PROVENANCE, facts)

    def device(self) -> dict[str, str]:
        """What the ranks compute on; empty before they have started."""
        return self._read(DEVICE)

    def write_device(self, facts: dict[str, str]) -> None:
        """Replace what the ranks compute on."""
        write_json(self.path / DEVICE, facts)

    def records(self, name: str = METRICS) -> list[Record]:
        """Complete records of one of the ``jsonl`` files; none if it is not there."""
        return read_records(self.path / name)

    def append(self, record: Record, name: str = METRICS) -> None:
        """Add a record to one of the ``jsonl`` files, after what a crash left of the last one."""
        repair(self.path / name)
        append(self.path / name, record)

    def request_stop(self) -> None:
        """Ask the ranks to save and end."""
        (self.path / STOP).touch()

    def withdraw_stop(self) -> None:
        """Ask for it no longer."""
        (self.path / STOP).unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any]:
        return read_json(self.path / name) or {}


def run_directories(root: Path, holding: str = IDENTITY) -> list[RunDirectory]:
    """Run directories in or below a folder that hold a file of this name, sorted by path."""
    return [RunDirectory(path) for path in sorted(file.parent for file in root.rglob(holding))]
