"""The list of what the commands of this project wrote to a folder, kept in that folder."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffn_core.errors import InputError

LIST: Final = ".ffn-scaling-outputs.json"


@dataclass(frozen=True)
class Entry:
    """What a list says of one output.

    Attributes:
        digest: of its content, see `digest`.
        command: that wrote it.
        written: UTC, ISO 8601.
        replaced: digest of what it replaced, empty if nothing was there: the content that is found
            when a command was killed between listing and moving.
    """

    digest: str
    command: str
    written: str
    replaced: str = ""


def digest(path: Path) -> str:
    """BLAKE2b of a file's bytes, or of the names and digests in a folder; links are not followed.

    Raises:
        OSError: It cannot be read.
    """
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode):
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
    if stat.S_ISDIR(mode):
        whole = hashlib.blake2b(digest_size=20)
        for entry in sorted(path.iterdir()):
            whole.update(os.fsencode(f"{entry.name}\0{digest(entry)}\n"))
        return f"folder {whole.hexdigest()}"
    return "neither file nor folder"


def read_list(folder: Path) -> dict[str, Entry]:
    """What commands have written to a folder, by name; empty without a list.

    Raises:
        InputError: The list is damaged.
    """
    path = folder / LIST
    try:
        return {name: Entry(**values) for name, values in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError):
        raise InputError(
            f"{path}, the list of what was written there, is damaged: remove it, and what it"
            " should list, or name another folder"
        ) from None


def write_list(folder: Path, entries: dict[str, Entry]) -> None:
    """Replace the list of a folder, whole or not at all."""
    path = folder / LIST
    partial = beside(path)
    values = {name: dataclasses.asdict(entries[name]) for name in sorted(entries)}
    try:
        partial.write_text(json.dumps(values, indent=1) + "\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time changes a folder's list, where the file system can lock."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def beside(path: Path) -> Path:
    """A new hidden name in the same folder, with the same suffix."""
    return path.with_name(f".{path.stem[:80]}.{secrets.token_hex(4)}{path.suffix[:16]}")
