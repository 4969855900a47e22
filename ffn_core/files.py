"""Files that appear complete or not at all, and checksums of what they hold."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ffn_core.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[1]
"""Root of the checkout: the packages and ``conf`` lie in it."""


def digest(text: str) -> str:
    """SHA-256 of a text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def inside(folder: Path, name: str) -> Path:
    """Path below ``folder`` for a name with slashes, such as ``team/study`` or ``/Users/me/study``.

    Raises:
        InputError: the name leads out of the folder, or to the folder itself.
    """
    parts = [part for part in PurePosixPath(name).parts if part != "/"]
    if not parts or ".." in parts:
        raise InputError(
            f"{name!r} cannot be the name of a folder below {folder}: leave '..' out, and name one"
        )
    return folder.joinpath(*parts)


@contextlib.contextmanager
def folder_of(option: str, folder: str | Path) -> Iterator[None]:
    """Within this context, what the file system refuses below ``folder`` is bad input.

    Args:
        option: by which the user named the folder.
        folder: in which files or folders are made.

    Raises:
        InputError: names option, path and reason.
    """
    try:
        yield
    except OSError as error:
        path = Path(error.filename or "").absolute()
        root = Path(folder).absolute()
        if not (path.is_relative_to(root) or root.is_relative_to(path)):
            raise
        raise InputError(
            f"{option}={folder} cannot be used ({error.strerror}: {path}): name a folder in which "
            "you may write"
        ) from error


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block ends without an error.

    Readers see the old file, no file, or the whole new one. Folders are made as needed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
