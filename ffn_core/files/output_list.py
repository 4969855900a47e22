"""The list of what the commands of this project wrote to a folder, kept in that folder."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffn_core.files.checked import damaged, read_json, write_json

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
    remedy = "remove it, and what it should list, or name another folder"
    values = read_json(path, remedy)
    try:
        return {name: Entry(**entry) for name, entry in ({} if values is None else values).items()}
    except (TypeError, AttributeError):
        raise damaged(path, "it is no list of outputs", remedy) from None


def write_list(folder: Path, entries: dict[str, Entry]) -> None:
    """Replace the list of a folder, whole or not at all."""
    write_json(folder / LIST, {name: dataclasses.asdict(entries[name]) for name in sorted(entries)})


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
