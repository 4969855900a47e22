"""Memory that the processes of a command take together, seen from outside while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil


class Memory(NamedTuple):
    """Memory of several processes, in bytes.

    Attributes:
        proportional: a page that several share counts once (sum of their proportional set sizes):
            what they take of the machine.
        resident: such a page counts for each of them (sum of their resident set sizes): what most
            tools show.
    """

    proportional: int
    resident: int


@contextmanager
def largest_memory(word: str, every_s: float) -> Iterator[Callable[[], Memory]]:
    """Look at the descendants of this process while the block runs.

    Args:
        word: of their command lines: others are not counted.
        every_s: how often to look, in seconds.

    Yields:
        What returns the largest memory seen so far, by its proportional size.
    """
    seen = [Memory(0, 0)]
    end = threading.Event()

    def look() -> None:
        while not end.wait(every_s):
            seen.append(memory_of(word))

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield lambda: max(seen)
    finally:
        seen.append(memory_of(word))
        end.set()
        thread.join()


def memory_of(word: str) -> Memory:
    """Memory of the descendants of this process with a word."""
    proportional = resident = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if word in process.cmdline():
                found = process.memory_full_info()
                proportional += found.pss
                resident += found.rss
        except psutil.Error:  # it has ended in between
            continue
    return Memory(proportional, resident)
