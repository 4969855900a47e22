"""Folders that a user names: what lies below one, and one line where it cannot be used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ffn_core.errors import FileError, InputError, errno_of, file_error


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
    """Within this context, what the file system refuses below ``folder`` names the option.

    Args:
        option: by which the user named the folder.
        folder: in which files or folders are made.

    Raises:
        FileError: names option, folder and reason, and the path if it is another one.
    """
    try:
        yield
    except FileError as error:  # which names the path
        if str(Path(folder).absolute()) not in str(error):
            raise
        named = FileError(f"{option}={folder}: {error}")
        named.errno = errno_of(error)
        raise named from error
    except InputError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        path, root = Path(os.fsdecode(error.filename)).absolute(), Path(folder).absolute()
        if not (path.is_relative_to(root) or root.is_relative_to(path)):
            raise
        where = f"{option}={folder}" + (f" ({path})" if path != root else "")
        raise file_error("use", where, error) from error
