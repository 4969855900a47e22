"""Files that appear complete or not at all, and one line where they cannot be written."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ffn_core.errors import FileError, InputError, errno_of, file_error

REPOSITORY = Path(__file__).resolve().parents[2]
"""Root of the checkout: the packages and ``conf`` lie in it."""


def digest(text: str) -> str:
    """SHA-256 of a text, 64 hexadecimal digits."""
    return digest_of_bytes(text.encode())


def digest_of_bytes(content: bytes) -> str:
    """SHA-256 of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def beside(path: Path, suffix: bool = True) -> Path:
    """A new hidden name in the same folder; with the same suffix, where others go by that."""
    end = path.suffix[:16] if suffix else ""
    return path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}{end}")


class _PatientFile(io.FileIO):
    """A file that takes all that is written, as if a full disk had room; ``error`` says if not."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or make the file as long as if that had been possible."""
        rest = memoryview(data).cast("B")
        size, end = len(rest), self.tell() + len(rest)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        if self.error is not None:
            with contextlib.suppress(OSError):
                self.truncate(max(end, self.seek(0, os.SEEK_END)))
                self.seek(end)
        return size


@contextlib.contextmanager
def patient_file(path: Path) -> Iterator[io.FileIO]:
    """Open a new file for a library that does not take it well when it cannot be written.

    On a full disk HDF5 cannot close its file, and takes the process with it; zipfile prints errors
    of its own. This one lets them end, and what they wrote is flushed to the disk.

    Raises:
        OSError: When the block ends, if not all could be written.
    """
    with _PatientFile(path, "w+") as file:
        try:
            yield file
        finally:
            if file.error is not None:
                raise file.error
        os.fsync(file.fileno())


@contextlib.contextmanager
def whole_file(path: str | Path, lasting: bool = False) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block ends without an error.

    Readers see the old file, no file, or the whole new one. Folders are made as needed.

    Args:
        path: of the file.
        lasting: wait until it is on the disk, so that a power failure leaves the old one or the
            new one too.

    Raises:
        FileError: It cannot be written.
    """
    path = Path(path)
    partial = beside(path, suffix=False)
    with writing(path, partial):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if lasting:
                _flush(partial)
            partial.replace(path)
        finally:
            with contextlib.suppress(OSError):  # there is an error that says more
                partial.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Make what the file system says while ``path`` is written one line that names it.

    What it says of other files is left as it is.

    Args:
        path: the file, or a folder with all that is in it.
        partial: what it is called meanwhile.

    Raises:
        FileError: It cannot be written.
    """
    try:
        yield
    except InputError as error:
        if partial is None or str(partial) not in str(error):
            raise
        named = type(error)(str(error).replace(str(partial), str(path)))
        if isinstance(named, FileError):
            named.errno = errno_of(error)
        raise named from error
    except Exception as error:
        said = getattr(error, "filename2", None) or getattr(error, "filename", None)
        ours = said is None or _lies_in(Path(os.fsdecode(said)), path, partial)
        if not ours or (errno_of(error) is None and not isinstance(error, OSError)):
            raise
        raise file_error("write", path, error) from error


def _lies_in(named: Path, path: Path, partial: Path | None) -> bool:
    """Whether a name is of the file, of the folders it lies in, or of what lies in it."""
    return any(
        named == one or named in one.parents or one in named.parents
        for one in (path, partial)
        if one is not None
    )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
