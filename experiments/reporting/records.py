"""Metrics over the steps of a run: lines of its ``jsonl`` files, append only, with checksums.

A crash leaves at most a last line incomplete, which is cut off before the next one is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ffn_core.files import checked, writing

_REMEDY: Final = (
    "leave that line empty: its values are missing from then on, and the rest stands; what MLflow "
    "has of it already is whole there"
)


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


def write_records(path: Path, records: Sequence[Record], after: int = 0) -> None:
    """Add lines to a file that has ``after`` of them, and flush them to the file system.

    Raises:
        FileError: It cannot be written.
    """
    lines = [checked.to_line(asdict(one), n) for n, one in enumerate(records, after + 1)]
    with writing(path), path.open("a") as file:
        file.write("".join(lines))


def append(path: Path, record: Record) -> None:
    """Add one line, after what a crash left of the last one; otherwise as `write_records`."""
    with writing(path):
        write_records(path, [record], repair(path))


def repair(path: Path) -> int:
    """Cut a last line off that a crash left incomplete; returns the number of the others."""
    if not path.is_file():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return content.count(b"\n")


def read_records(path: Path) -> list[Record]:
    """The complete records of a ``jsonl`` file; none if it is not there.

    Raises:
        InputError: A record is damaged.
    """
    return parse(path.read_bytes(), path) if path.is_file() else []


def parse(lines: bytes, path: Path, after: int = 0) -> list[Record]:
    """Records of complete lines of ``path`` that follow the first ``after``.

    An incomplete last line is left out, and so are empty ones.

    Raises:
        InputError: A record is damaged.
    """
    records = []
    for number, line in enumerate(lines.split(b"\n")[:-1], after + 1):
        if not line:
            continue
        try:
            record = Record(**checked.from_line(line.decode(), number))
            if not isinstance(record.metrics, dict):
                raise ValueError("metrics have no names")
        except (ValueError, TypeError) as error:
            raise checked.damaged(path, f"line {number}: {error}", _REMEDY) from None
        records.append(record)
    return records
