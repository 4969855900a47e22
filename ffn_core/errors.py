"""The exceptions a user is meant to read, and one line for those of the file system."""

from __future__ import annotations

import errno
import os
import re

_ADVICE = {
    errno.ENOSPC: "free some and repeat the command",
    errno.EDQUOT: "free some and repeat the command",
    errno.EROFS: "name a place that can be written to",
    errno.EACCES: "name a place that is yours, or change its permissions",
    errno.EPERM: "name a place that is yours, or change its permissions",
    errno.EEXIST: "something else is in the way, name another place",
    errno.ENOTDIR: "something else is in the way, name another place",
    errno.ENAMETOOLONG: "give a shorter name",
}
NO_PLACE = frozenset(_ADVICE) - {errno.EEXIST, errno.ENOTDIR}
"""Numbers of the system's errors that say that nothing can be written in a place."""

_HDF5_ERRNO = re.compile(r"errno = (\d+)")


class InputError(ValueError):
    """A value the user gave that cannot work.

    The message is one line that names the value and says what to change. Entry points print it
    as ``error: ...`` and end with exit code 2; nothing else is printed and nothing is lost.
    """


class FileError(InputError, OSError):
    """A file or folder that cannot be written or read, where the user wants it to be.

    To code that looks after files it is the `OSError` that it was, with its ``errno``.
    """


class DamagedError(InputError):
    """A file that is not as it was written. The message says what to do."""


class DivergedError(RuntimeError):
    """The loss or a weight is no longer finite; continuing is pointless."""


def file_error(what: str, path: object, error: BaseException) -> FileError:
    """The error of the file system that is at the bottom of ``error``, in one line.

    Args:
        what: verb of the message: ``write``, ``read``, ``make``.
        path: what the user knows it by.
        error: raised by the operating system, or by a library because of it.
    """
    number = errno_of(error)
    if number is None:
        lines = str(error).splitlines() or [type(error).__name__]
        return FileError(f"cannot {what} {path}: {lines[0]}")
    advice = _ADVICE.get(number)
    made = FileError(f"cannot {what} {path}: {os.strerror(number)}{f'; {advice}' * bool(advice)}")
    made.errno = number
    return made


def errno_of(error: BaseException | None) -> int | None:
    """Number of the system's error that led to ``error``; None if there was none.

    HDF5, Arrow and TensorFlow give it in their text alone, and what a library says while it cleans
    up after an error may hide that error, so those that came before count too.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        text = str(error)
        if found := _HDF5_ERRNO.search(text):
            return int(found[1])
        for number in NO_PLACE:
            if os.strerror(number) in text:
                return number
        error = error.__cause__ or error.__context__
    return None


def in_one_line(error: InputError | OSError) -> str:
    """What an entry point prints of an error, after ``error: ``."""
    if isinstance(error, InputError) or error.filename is None:
        return " ".join(str(error).split())
    return str(file_error("use", os.fsdecode(error.filename), error))
