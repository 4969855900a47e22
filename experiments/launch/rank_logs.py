"""What went wrong with ranks that left no reason themselves, read from what they printed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

KILLED: Final = "a rank was killed by SIGKILL: out of memory, or killed by hand"

_PREFIX = re.compile(
    r"^(?:\w{3} \w{3} +\d+ [\d:]+ \d{4})?"  # horovodrun's date
    r"(?:\[[\d,]+\]<std(?:err|out)>: ?|\[[\d,]+\]: ?|\s*\d+: )"  # rank: of horovodrun, mpirun, srun
)
_KILLED = re.compile(r"Exit code: (137|-9)\b|signal 9\b|\bKilled\b")
_PYTHON_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*(?:\w*(?:Error|Exception)|KeyboardInterrupt)\b")
_OTHER_ERROR = re.compile(
    r"^(?:error|fatal(?: error)?|srun: error|ssh|mpirun|horovodrun)[: ]|command not found"
    r"|No such file or directory|cannot open shared object|Segmentation fault|Illegal instruction"
    r"|core dumped",
    re.IGNORECASE,
)
_OF_THE_LAUNCHER = "Exit code:"
_CONSEQUENCE = re.compile(r"Exit code:|one or more processes exited|another rank is gone")
"""What is said of an error elsewhere."""


def without_prefix(line: str) -> str:
    """A line without the number of the rank that printed it, which launchers put before it."""
    return _PREFIX.sub("", line, count=1).rstrip()


def reason_of(log: str) -> str:
    """Why ranks ended, in one line, from the log of their launcher.

    The last error that a rank printed; of those in Python the exception, not its traceback. A
    launcher only says which code its ranks ended with: that counts where nothing else was said.
    """
    printed = [line for line in log.splitlines() if without_prefix(line).strip()]
    lines = [without_prefix(line) for line in printed]
    if any(_KILLED.search(line) for line in lines):
        return KILLED
    by_ranks = [line for line, whole in zip(lines, printed, strict=True) if line != whole.rstrip()]
    if error := _last_error(by_ranks) or _last_error(lines):
        return f"a rank ended with: {error}"
    for line in reversed(lines):
        if _OF_THE_LAUNCHER in line:
            return f"the launcher reports: {line.strip()}"
    return f"the ranks ended without a result; last line: {lines[-1].strip() if lines else 'none'}"


def _last_error(lines: Sequence[str]) -> str:
    """The last exception of Python, else the last line of another program's error; or empty."""
    own = [line for line in lines if not _CONSEQUENCE.search(line)]
    for pattern in (_PYTHON_ERROR, _OTHER_ERROR):
        for line in reversed(own):
            if pattern.search(line):
                return line.strip()
    return ""
