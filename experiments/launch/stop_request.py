"""Being asked to stop: by SIGTERM, or by a file in the run directory that works across hosts."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

from experiments.reporting import run_files


class StopRequest:
    """Whether this rank has been asked to save and end."""

    FILE_CHECK_S = 0.5

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / run_files.STOP
        self._event = threading.Event()
        self._next_check = 0.0

    def listen(self) -> None:
        """Take SIGTERM, the warning before preemption, as a request; main thread only."""
        signal.signal(signal.SIGTERM, lambda *_: self._event.set())

    def is_set(self) -> bool:
        """Cheap enough for every step: the file is looked for now and then."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + self.FILE_CHECK_S
            if self._path.exists():
                self._event.set()
        return self._event.is_set()
