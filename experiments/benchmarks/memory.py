"""Memory that the processes of a command take together, seen from outside while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def largest_memory(word: str, every_s: float) -> Iterator[Callable[[], int]]:
    """Look at the descendants of this process while the block runs.

    Args:
        word: of their command lines: others are not counted.
        every_s: how often to look, in seconds.

    Yields:
        What returns the largest sum seen so far, in bytes. A page that several of them share
        counts once (proportional set size).
    """
    seen = [0]
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


def memory_of(word: str) -> int:
    """Proportional set size of the descendants of this process with a word, in bytes."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if word in process.cmdline():
                total += process.memory_full_info().pss
        except psutil.Error:  # it has ended in between
            continue
    return total
