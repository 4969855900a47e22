"""The files of a run directory: the truth about a run, whatever happens to other stores.

``config.yaml``     resolved configuration, enough to start a rank
``metrics.jsonl``   one JSON object per record, append only
``segmentation.jsonl`` the same, scores of checkpoints that were segmented afterwards
``scaling.jsonl``   the same, speed-up and parallel efficiency among the runs of a study
``progress.json``   how far the run is, replaced a few times a second
``failure.json``    why a rank ended badly, if one did
``result.json``     outcome and summary; there once the run is complete
``inputs.json``     state of the files of its volumes when it began
``provenance.json`` versions, commit, host
``device.json``     what the ranks compute on, as the first of them found it
``identity.json``   name, parameters and tags, as in MLflow
``checkpoints/``   what the run continues from
``best/``           weights of its best evaluation, a checkpoint without example streams
``start/``          weights and optimizer state of another run, which it began with
``lineage.json``    which run that was, or whose budget it raised
``canvases/``       pictures of held-out canvases along the run
``stop``            there while the ranks are asked to save and end

The small files carry checksums, see `ffn_core.files.checked`: one that is damaged is named in one
line with what to do, and never taken for whole. Those of older versions are read without.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from experiments.reporting.records import Record, append, read_records
from ffn_core.errors import InputError
from ffn_core.files import checked

T = TypeVar("T")

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
PROGRESS = "progress.json"
FAILURE = "failure.json"
RESULT = "result.json"
INPUTS = "inputs.json"
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

LINK = "mlflow.json"

_TRAIN = "repeat the training command, which writes it again"
_REMEDIES: Final = {
    CONFIG: _TRAIN,
    RESULT: "remove it and repeat the command: it continues from what is saved and writes it again",
    PROGRESS: "it is replaced when the run continues; or remove it",
    FAILURE: "see the logs for why the run ended; repeating the command forgets it",
    IDENTITY: _TRAIN,
    PROVENANCE: _TRAIN,
    LINEAGE: "remove it: the run no longer says which one it began with, and continues",
    LINK: "remove it: the run is sent to MLflow once more, as another run",
}
_MISSING_REMEDY: Final = (
    "the weights are whole; bring the file back from a copy or from MLflow's artifacts, or remove "
    "the run directory and train again"
)
_NEEDED: Final[Mapping[str, Mapping[str, type]]] = {
    RESULT: {"outcome": str},
    PROGRESS: {"step": int},
    FAILURE: {"message": str},
    IDENTITY: {"params": dict, "tags": dict},
    LINK: {"run_id": str, "uri": str},
}


def write_json(path: Path, values: Any, lasting: bool = True) -> None:
    """Replace ``path`` whole or not at all, see `ffn_core.files.checked`."""
    checked.write_json(path, values, lasting)


def read_json(
    path: Path, remedy: str | None = None, needed: Mapping[str, type | tuple] = MappingProxyType({})
) -> Any:
    """Content of ``path``; None if it is not there.

    Raises:
        InputError: It is damaged, or lacks what is ``needed``; says what to do. By the name of the
            file, where no ``remedy`` is given.
    """
    if remedy is not None:
        return checked.read_json(path, remedy, needed)
    known = _REMEDIES.get(path.name, checked.REPEAT)
    return checked.read_json(path, known, _NEEDED.get(path.name, {}))


def build(cls: type[T], values: dict[str, Any], path: Path) -> T:
    """Build a dataclass of the content of ``path``.

    Raises:
        InputError: It holds other names.
    """
    try:
        return cls(**values)
    except TypeError as error:
        said = _REMEDIES.get(path.name, checked.REPEAT)
        raise checked.damaged(path, str(error).replace("__init__() ", ""), said) from None


@dataclass(frozen=True)
class RunDirectory:
    """One run's files, read and written.

    Each call looks at the file again. Contents of a JSON file that is not there are an empty
    dictionary; files are replaced whole or not at all. Whatever reads raises `InputError` where a
    file is damaged, whatever writes `FileError` where that is not possible.

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

        Raises:
            InputError: The file cannot be read, is damaged, or holds no options.
        """
        path = self.path / CONFIG
        values = checked.read_yaml(path, _TRAIN)
        if values is None:
            raise InputError(f"{path} cannot be read (it is not there); {_TRAIN}")
        return values

    def write_config(self, values: dict[str, Any], private: bool = False) -> None:
        """Write options; in a ``private`` file only its owner may read them."""
        checked.write_yaml(self.path / CONFIG, values, private)

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
        write_json(self.path / PROGRESS, values, lasting=False)

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
        """Complete records of one of the ``jsonl`` files; none if it is not there.

        Raises:
            InputError: One is damaged, or records of a complete run are missing.
        """
        found, path = read_records(self.path / name), self.path / name
        made = self.result().get("records", 0) if name == METRICS else 0
        if len(found) < made:
            missing = f"{made - len(found)} of {made} records are missing"
            raise checked.damaged(path, missing, _MISSING_REMEDY)
        return found

    def append(self, record: Record, name: str = METRICS) -> None:
        """Add a record to one of the ``jsonl`` files, after what a crash left of the last one."""
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
