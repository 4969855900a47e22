"""Calls to an MLflow store that never hold the caller: a server may be slow, hang or be gone.

A store in a file here is called at once. Any other has one thread, which makes all calls of this
process to it, one after another; callers wait for as long as they choose. Whatever a server does
(no answer, an error, a byte now and then, which no time-out of a request ends) costs a caller that
long and no longer; the thread is left behind when the process ends.
"""

from __future__ import annotations

import functools
import queue
import re
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from experiments.reporting.mlflow_store import Store
from ffn_core.runtime import sqlite_path

T = TypeVar("T")

PATIENCE_S = 10.0
"""How long to wait for a server that has not answered yet, or has failed."""

PATIENCE_IN_USE_S = 120.0
"""How long to wait for a sign of life of a server that answers: it may be taking a large file."""


class Call(Generic[T]):
    """A call under way."""

    def __init__(self, action: Callable[[Store], T]) -> None:
        self.action = action
        self.over = threading.Event()
        self.begun_s = time.monotonic()
        self._result: T | None = None
        self._error: BaseException | None = None

    def carry_out(self, store: Callable[[], Store]) -> bool:
        """Call the store; whether it did what was asked."""
        self.begun_s = time.monotonic()
        try:
            self._result = self.action(store())
        except BaseException as error:
            self._error = error
        self.over.set()
        return self._error is None

    def result(self) -> T:
        """What the store said, once the call is `over`.

        Raises:
            StoreError: it refused.
        """
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


class StoreCalls:
    """The calls of this process to one store; get it by `calls_to`."""

    def __init__(self, uri: str, create: bool = True) -> None:
        """Nothing is called yet; ``create`` as of `Store`."""
        self.uri = uri
        self._create = create
        self.in_background = sqlite_path(uri) is None
        self._store: Store | None = None
        self._waiting: queue.SimpleQueue[Call[Any]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._under_way: Call[Any] | None = None
        self._heard_s = float("-inf")
        self.answers: bool | None = None
        """Whether the newest call succeeded; None before there was one."""

    @property
    def does_not_answer(self) -> bool:
        """Whether this is a server that has not answered yet, or whose newest answer was an error.

        Who only reads from it, or shows where to look, then does without.
        """
        return self.in_background and not self.answers

    def submit(self, action: Callable[[Store], T]) -> Call[T]:
        """Have ``action`` carried out: before this returns for a file, else after earlier calls."""
        call = Call(action)
        if not self.in_background:
            self.answers = call.carry_out(self._connected)
            return call
        self._waiting.put(call)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="MLflow store")
            self._thread.start()
        return call

    def heard(self) -> None:
        """Note a sign of life, within an action of several steps."""
        self._heard_s = time.monotonic()

    def wait(self, call: Call[Any], patience_s: float = PATIENCE_S) -> bool:
        """Whether ``call`` is over, given ``patience_s`` (more while the server gives answers)."""
        begun_s = time.monotonic()
        while not call.over.wait(0.05):
            now_s, under_way = time.monotonic(), self._under_way
            stuck_s = now_s - (under_way.begun_s if under_way else now_s)
            if self.answers or self._heard_s > begun_s:
                over = min(stuck_s, now_s - self._heard_s) > PATIENCE_IN_USE_S
            else:
                over = max(stuck_s, now_s - begun_s) > patience_s
            if over:
                return False
        return True

    def call(self, action: Callable[[Store], T], patience_s: float = PATIENCE_S) -> T:
        """Carry ``action`` out and wait for it.

        Raises:
            StoreError: the store refused, or does not answer; the action may yet be carried out.
        """
        call = self.submit(action)
        if not self.wait(call, patience_s):
            raise self.silent(patience_s)
        return call.result()

    def silent(self, patience_s: float = PATIENCE_S) -> TimeoutError:
        """The error of a store that does not answer."""
        return TimeoutError(f"the server does not answer (waited {patience_s:g} s)")

    def _connected(self) -> Store:
        if self._store is None:
            self._store = Store(self.uri, self._create)
        return self._store

    def _work(self) -> None:
        while True:
            self._under_way = None
            self._under_way = call = self._waiting.get()
            self.answers = call.carry_out(self._connected)
            if self.answers:
                self.heard()


@functools.cache
def calls_to(uri: str) -> StoreCalls:
    """The calls of this process to the store ``uri``."""
    return StoreCalls(uri)


def reason(error: BaseException) -> str:
    """Why a store did not do what was asked, in one line."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    # SQLAlchemy may say first at which point of its own work the cause came up.
    line = next((one for one in lines if not one.startswith("(raised as a result of")), lines[0])
    if "Max retries exceeded" in line:  # urllib3 names them in three layers
        line = _reason_of_retries(line)
    if any(f"error code {code}" in line for code in (401, 403)):
        line += (
            "; it wants to know who you are: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    return line


def _reason_of_retries(line: str) -> str:
    """What a server did each time it was tried, without the classes that report it."""
    if answered := re.search(r"too many (\d{3}) error responses", line):
        code = int(answered.group(1))
        known = {status.value: status.phrase for status in HTTPStatus}
        return f"the server answers {code} {known.get(code, '')}".rstrip()
    if failed := re.search(r"\[Errno -?\d+\] ([^'\")]+)", line):
        return f"the server cannot be reached: {failed.group(1)}"
    return line
