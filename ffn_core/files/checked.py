"""Files that say themselves whether they are whole: JSON, YAML, lines of JSON, and others.

Each carries a checksum of all its other bytes, where other programs do not stumble over it:

- JSON: a last member ``"sha256"`` (what is no object becomes the member ``"values"`` of one);
- YAML: a first line, which is a comment;
- a line of JSON: a last member ``"crc32"``;
- Parquet: between the last column and the footer, where its readers skip what no offset leads to.

A file without a checksum was written by an older version or by hand, and is taken as it is. A
checksum that is itself damaged is not mistaken for none.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from ffn_core.errors import DamagedError, file_error
from ffn_core.files.whole import digest, digest_of_bytes, whole_file

REPEAT: Final = "remove it and repeat the command that wrote it"
"""What to do where no better is known."""

_JSON_SEAL: Final = re.compile(r',?\n "sha256": "([0-9a-f]{64})"\n\}\n\Z')
_JSON_NAME: Final = re.compile(r'"sha256"\s*:\s*"')
_JSON_LAST: Final = re.compile(r'"([^"]*)"\s*\}\s*\Z')
_YAML_HEAD: Final = "# sha256 of what follows: "
_LINE_SEAL: Final = re.compile(r', "line": (\d+), "crc32": "([0-9a-f]{8})"\}\Z')
_PARQUET_MARK: Final = b"sha256 of all but this: "
_SQLITE: Final = "sqlite:///"
_STORE_REMEDY: Final = (
    "bring it back from a copy, or move it away and fill a new one from the run directories: "
    "python -m experiments.import_runs FOLDER_OF_RUNS --uri sqlite:///mlflow.db"
)
_PARQUET_END: Final = 8  # size of the footer, and the magic bytes


def damaged(path: Path, reason: str, remedy: str) -> DamagedError:
    """The error of a file that is not as it was written, in one line."""
    return DamagedError(f"{path} is damaged ({' '.join(reason.split())}); {remedy}")


def to_json(values: Any) -> str:
    """Text of a JSON file with its checksum."""
    if not isinstance(values, dict):
        values = {"values": values}
    text = json.dumps(values, indent=1).removesuffix("}").removesuffix("\n")
    return f'{text}{"," if values else ""}\n "sha256": "{digest(text)}"\n}}\n'


def from_json(text: str) -> Any:
    """Values of `to_json`, or of a JSON text without a checksum.

    Raises:
        ValueError: It is damaged.
    """
    found = _JSON_SEAL.search(text)
    if found is None:
        last = _JSON_LAST.search(text)
        if _JSON_NAME.search(text) or (last and _is_like_a_digest(last[1])):
            raise ValueError("its checksum is not as it was written")
        return json.loads(text)
    text = text[: found.start()]
    if digest(text) != found[1]:
        raise ValueError("checksum differs")
    values = json.loads(f"{text}}}")
    return values["values"] if list(values) == ["values"] else values


def write_json(path: Path, values: Any, lasting: bool = True) -> None:
    """Replace a JSON file, whole or not at all; ``lasting`` as for `whole_file`.

    Raises:
        FileError: It cannot be written.
    """
    with whole_file(path, lasting) as partial:
        partial.write_text(to_json(values))


def read_json(path: Path, remedy: str = REPEAT, needed: Mapping[str, type | tuple] = {}) -> Any:
    """Values of a JSON file; None if it is not there.

    Args:
        path: of the file.
        remedy: what to do where it is damaged.
        needed: members it must have, and their types; ``{}`` takes anything.

    Raises:
        DamagedError: It is not as it was written.
        FileError: It cannot be read.
    """
    text = _read_text(path, remedy)
    if text is None:
        return None
    try:
        values = from_json(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error) if text.strip("\0 \n") else "empty", remedy) from None
    if values is None or (needed and not isinstance(values, dict)):
        raise damaged(path, "it holds no names", remedy)
    for name, kind in needed.items():
        if not isinstance(values.get(name), kind):
            raise damaged(path, f"without a valid {name!r}", remedy)
    return values


def write_yaml(path: Path, values: dict[str, Any], private: bool = False) -> None:
    """Replace a YAML file, whole or not at all; in a ``private`` one only its owner may read.

    Raises:
        FileError: It cannot be written.
    """
    text = yaml.safe_dump(values, sort_keys=False)
    with whole_file(path, lasting=True) as partial:
        partial.touch(mode=0o600 if private else 0o666)  # less what the umask takes
        partial.write_text(f"{_YAML_HEAD}{digest(text)}\n{text}")


def read_yaml(path: Path, remedy: str = REPEAT) -> dict[str, Any] | None:
    """Values of a YAML file; None if it is not there.

    A file cut short is often still valid YAML, and what is missing would silently become a
    default. That is why there is a checksum.

    Raises:
        DamagedError: It is not as it was written, or holds no names.
        FileError: It cannot be read.
    """
    text = _read_text(path, remedy)
    if text is None:
        return None
    head, _, rest = text.partition("\n")
    if head.startswith(_YAML_HEAD):
        if head.removeprefix(_YAML_HEAD) != digest(rest):
            edited = "or remove its first line if a change is meant"
            raise DamagedError(
                f"{path} is damaged or was edited (checksum differs); {remedy}, {edited}"
            )
    elif head.startswith(_YAML_HEAD[:8]) or any(
        map(_is_like_a_digest, re.split(r"[\s\"'\0]+", text[:200]))
    ):
        raise damaged(path, "its checksum is not as it was written", remedy)
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise damaged(path, str(error), remedy) from None
    if (
        not values
        or not isinstance(values, dict)
        or not all(isinstance(name, str) for name in values)
    ):
        raise damaged(path, "holds no options", remedy)
    return dict(values)


def to_line(values: dict[str, Any], number: int) -> str:
    """The line of JSON with its checksum that is to be line ``number`` of a file, from 1."""
    text = f'{json.dumps(values).removesuffix("}")}, "line": {number}'
    return f'{text}, "crc32": "{_crc(text)}"}}\n'


def from_line(line: str, number: int) -> dict[str, Any]:
    """Values of `to_line`, or of an object that ends with another and has no checksum.

    Raises:
        ValueError: It is damaged, or was another line of the file.
    """
    line = line.removesuffix("\n")
    if found := _LINE_SEAL.search(line):
        if _crc(line[: found.end(1)]) != found[2]:
            raise ValueError("checksum differs")
        if int(found[1]) != number:
            raise ValueError(f"it was line {found[1]}: lines are missing, or there are too many")
        line = f"{line[: found.start()]}}}"
    elif not line.endswith("}}"):
        raise ValueError("its checksum is not as it was written")
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("holds no names")
    return values


def seal_parquet(path: Path) -> None:
    """Put a checksum into a Parquet file; its readers do not see it."""
    content = path.read_bytes()
    end = _footer(content)
    mark = _PARQUET_MARK + digest_of_bytes(content).encode()
    path.write_bytes(content[:end] + mark + content[end:])


def check_parquet(path: Path, remedy: str = REPEAT) -> None:
    """Check a Parquet file; one without a checksum passes.

    Raises:
        DamagedError: It is not as it was written.
        FileError: It cannot be read, or is not there.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise file_error("read", path, error) from None
    size = len(_PARQUET_MARK) + 64
    start = _footer(content) - size
    mark = content[start : start + size] if start >= 0 else b""
    if not mark.startswith(_PARQUET_MARK):
        if _PARQUET_MARK in content or _is_like_a_digest(mark[-64:].decode("latin-1")):
            raise damaged(path, "its checksum is not as it was written", remedy)
        return
    if mark[-64:].decode("latin-1") != digest_of_bytes(content[:start] + content[start + size :]):
        raise damaged(path, "checksum differs", remedy)


def database_damage(uri: str) -> DamagedError | None:
    """What is wrong with the SQLite database of an MLflow store; None if nothing is found.

    SQLite keeps no checksums: this looks at all of its structure, but values may be others than
    were written.
    """
    path = Path(uri.removeprefix(_SQLITE))
    if not uri.startswith(_SQLITE) or not path.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            found = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        return None  # locked, or not to be read at all
    except (sqlite3.Error, UnicodeDecodeError) as error:
        found = str(error)
    return None if found == "ok" else damaged(path, found, _STORE_REMEDY)


def _footer(content: bytes) -> int:
    """Where the footer of a Parquet file begins, as its end says."""
    size = int.from_bytes(content[-_PARQUET_END : len(content) - 4], "little")
    return len(content) - _PARQUET_END - size


def _read_text(path: Path, remedy: str) -> str | None:
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise file_error("read", path, error) from None
    except UnicodeDecodeError:
        raise damaged(path, "no text", remedy) from None


def _is_like_a_digest(word: str) -> bool:
    """Whether a word is a SHA-256 in which at most some digits are wrong, missing or too many."""
    digits = sum(char in "0123456789abcdef" for char in word)
    return 56 <= len(word) <= 72 and digits >= 0.85 * len(word)


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
