"""What a command writes for its user: never over, into or through anything it did not make.

Every folder that is written to keeps a hidden list, `LIST`, of what the commands of this project
wrote there: name, digest of the content, command and time. What is not in the list, or no longer
has that content, belongs to the user and stays as it is. What is in it is replaced on request
only, by the command that wrote it. Outputs are written under a temporary name in the same folder
and moved into place, so that an interrupted command leaves no half of one.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ffn_core.errors import InputError, file_error
from ffn_core.files.output_list import LIST, Entry, digest, locked, read_list, write_list
from ffn_core.files.whole import REPOSITORY, beside, writing


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that can replace what they wrote before."""
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what this command wrote there before; other files are never replaced",
    )


def clash(path: Path, inputs: Iterable[Path]) -> str:
    """How an output would touch an input, by inode; empty if it does not.

    An output may be no input, by whatever name or link; lie in no folder that is one; and be no
    folder that one lies in.
    """
    here = _inode(path)
    above = {_inode(parent) for parent in path.parents}
    for given in inputs:
        known = _inode(given)
        if known is None:
            continue  # reading it will say so
        if known == here:
            return f"{path} is the input {given}, or a link to it"
        if known in above:
            return f"{path} lies in the input {given}"
        if here in {_inode(parent) for parent in given.resolve().parents}:
            return f"{path} holds the input {given}"
    return ""


def committed(path: Path) -> bool:
    """Whether git can bring this content of one of the project's own files back."""
    if not path.is_relative_to(REPOSITORY) or not (REPOSITORY / ".git").exists():
        return False
    command = ["git", "--literal-pathspecs", "--no-optional-locks", "status", "--porcelain"]
    try:
        status = subprocess.run(
            [*command, "--ignored", "--", str(path)],
            cwd=REPOSITORY,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return status.returncode == 0 and not status.stdout


class Outputs:
    """What one call of a command writes."""

    def __init__(
        self,
        command: str,
        inputs: Iterable[Path] = (),
        overwrite: bool = False,
        say: Callable[[str], object] = print,
        flag: str = "--overwrite",
        restorable: Callable[[Path], bool] = lambda _: False,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            command: name of the command, as in the list.
            inputs: files and folders it reads.
            overwrite: replace what the same command wrote before.
            say: where to say what is replaced.
            flag: how the user asks for ``overwrite``.
            restorable: tells other files that may be replaced then, as `committed` does.
        """
        self._command = command
        self._inputs = [Path(path) for path in inputs]
        self._overwrite = overwrite
        self._say = say
        self._flag = flag
        self._restorable = restorable
        self._placed: set[Path] = set()

    def check(self, paths: Sequence[Path]) -> None:
        """Refuse now, with nothing touched, what `place` would refuse; say what it will replace.

        Raises:
            InputError: A path touches an input, something else is there, or nothing can be
                written there.
        """
        real = [real_path(path) for path in paths]
        if len(set(real)) < len(real):
            raise InputError("two outputs have the same path: " + ", ".join(map(str, paths)))
        replaced: dict[Path, list[str]] = {}
        for path in real:
            if self._check(path):
                replaced.setdefault(path.parent, []).append(path.name)
            require_writable(path)
        for folder, names in replaced.items():
            self._say(f"replacing in {folder}: {', '.join(names)}")

    def made(self, path: Path) -> bool:
        """Whether the same command wrote what is there now."""
        path = real_path(path)
        entry = read_list(path.parent).get(path.name)
        return (
            entry is not None
            and entry.command == self._command
            and digest(path) in (entry.digest, entry.replaced)
        )

    @contextlib.contextmanager
    def place(self, path: Path) -> Iterator[Path]:
        """Yield a temporary path for a file or a folder, which becomes ``path`` at the end.

        Raises:
            InputError: See `check`; or the folder cannot be written to.
        """
        path = real_path(path)
        self._check(path)
        partial = beside(path)
        with writing(path, partial):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                yield partial
                self._put(partial, path)
            finally:
                with contextlib.suppress(OSError):  # there is an error that says more
                    _remove(partial)

    def remove(self, path: Path) -> None:
        """Remove an earlier output, if it is one and replacing was asked for."""
        path = real_path(path)
        if _look(path) is None or not self._overwrite or not self._ours(path):
            return
        with writing(path):
            _remove(path)
            with locked(path.parent):
                entries = read_list(path.parent)
                if entries.pop(path.name, None) is not None:
                    write_list(path.parent, entries)

    def _check(self, path: Path) -> bool:
        """Refuse a real path; returns whether something is there that may be replaced."""
        if path.name == LIST:
            raise InputError(f"{path} would hide the list of what was written there")
        if reason := clash(path, self._inputs):
            raise InputError(f"{reason}; name another output")
        found = _look(path)
        if found is None:
            return False
        if path in self._placed:
            return True
        if stat.S_ISLNK(found.st_mode):
            raise InputError(f"{path} is a symbolic link; name another output, or remove it")
        if not self._ours(path):
            raise InputError(
                f"{path} is there, and not as {self._command} wrote it; name another output, or"
                " move it away"
            )
        if not self._overwrite:
            raise InputError(
                f"{path} is there from before; add {self._flag} to replace it, or name another"
                " output"
            )
        return True

    def _ours(self, path: Path) -> bool:
        try:
            return self.made(path) or self._restorable(path)
        except OSError as error:
            raise file_error("read", path, error) from error

    def _put(self, partial: Path, path: Path) -> None:
        """List an output and move it into place."""
        new = digest(partial)
        with locked(path.parent):
            again = self._check(path)  # something may have appeared in the meantime
            before = digest(path) if again else ""
            entries = read_list(path.parent)
            there = {n: e for n, e in entries.items() if _look(path.parent / n) is not None}
            known = there.get(path.name)
            if known is None or (known.command, known.digest) != (self._command, new):
                now = datetime.now(UTC).isoformat(timespec="seconds")
                there[path.name] = Entry(new, self._command, now, before)
            if there != entries:
                write_list(path.parent, there)
            (_exchange if again else _move)(partial, path)
        self._placed.add(path)


def new_folder(path: Path) -> Path:
    """Make a folder that is not there yet.

    Raises:
        InputError: Something is there, or it cannot be made.
    """
    path = real_path(path)
    if _look(path) is not None:
        raise InputError(f"{path} is there already; name a new folder, or move it away")
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise file_error("make", path, error) from error
    return path


def work_folder(path: Path) -> Path:
    """Make a folder for files that are kept for a while, or find it again as it was made.

    Raises:
        InputError: Another one is there, or it cannot be made.
    """
    path = real_path(path)
    if not (path / LIST).is_file():
        new_folder(path)
        write_list(path, {})
    return path


def real_path(path: Path) -> Path:
    """Absolute, with every link followed but a last one, which an output would replace."""
    try:
        for parent in path.absolute().parents:
            if parent.is_symlink() and not parent.exists():
                raise InputError(f"cannot write {path}: {parent} is a link to nothing")
            if parent.exists() and not parent.is_dir():
                raise InputError(f"cannot write {path}: {parent} is a file, not a folder")
        return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    except (OSError, RuntimeError) as error:
        raise file_error("write", path, error) from error


def require_writable(path: Path) -> None:
    """Check that a file or folder can be made, as far as that is known without trying.

    Raises:
        FileError: The nearest folder above that is there takes no files.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        raise file_error("write", path, OSError(errno.EROFS if read_only else errno.EACCES, ""))


def _look(path: Path) -> os.stat_result | None:
    """What is at a path itself, not where it leads; None if nothing is."""
    try:
        return path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error("look at", path, error) from error


def _inode(path: Path) -> tuple[int, int] | None:
    """What identifies a file under all its names."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _move(partial: Path, path: Path) -> None:
    """Move to a free path; fails if it no longer is."""
    if partial.is_dir():
        partial.rename(path)  # fails unless free or an empty folder
        return
    try:
        path.hardlink_to(partial)  # unlike renaming, fails if something is there
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if _look(path) is not None:
            raise FileExistsError(f"{path} has just appeared") from None
        partial.rename(path)


def _exchange(partial: Path, path: Path) -> None:
    """Replace what is there."""
    if not partial.is_dir() and not path.is_dir():
        partial.replace(path)
        return
    old = beside(path)
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
