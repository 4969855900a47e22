"""Secrets out of whatever is recorded or printed.

A secret is the value of an option or variable whose name says so, and the password of a URL.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "***"

_SECRET = r"(?:token|passw|secret|credential|(?<![a-z])(?:api)?keys?(?![a-z]))"
_NAME = re.compile(_SECRET, re.IGNORECASE)
_URL = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s@]+@", re.IGNORECASE)
_VALUE = r"(\"[^\"]*\"|'[^']*'|[^\s,&;}\]'\"]+)"
# NAME=VALUE anywhere, NAME: VALUE in what looks like a dictionary.
_ASSIGNED = re.compile(rf"([\w.-]*{_SECRET}[\w.-]*=){_VALUE}", re.IGNORECASE)
# A key that is only called so, as in {'key': 'seed'}, is the name of something.
_PLAIN_KEY = r"(?!['\"]?keys?['\"]?\s*:)"
_ENTRY = re.compile(
    rf"([{{,]\s*{_PLAIN_KEY}['\"]?[\w.-]*{_SECRET}[\w.-]*['\"]?\s*:\s*){_VALUE}", re.IGNORECASE
)
_REFERENCE = re.compile(r"=[\"']?[$`]\S*")


def is_secret(name: str) -> bool:
    """Whether an option or environment variable of this name holds a secret."""
    return _NAME.search(name) is not None


def holds_secret(text: str) -> bool:
    """Whether `redacted_text` would mask something other than a reference such as ``KEY=$KEY``."""
    text = _REFERENCE.sub("=", text)
    return redacted_text(text) != text


def redacted_text(text: str) -> str:
    """``text`` with secrets in URLs, assignments and dictionaries masked."""
    text = _URL.sub(rf"\1:{MASK}@", text)
    return _ENTRY.sub(rf"\1{MASK}", _ASSIGNED.sub(rf"\1{MASK}", text))


def redacted(values: Any, name: str = "") -> Any:
    """Plain nested values with secrets masked; empty ones and those not set stay as they are."""
    if isinstance(values, Mapping):
        return {key: redacted(value, str(key)) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [redacted(value, name) for value in values]
    if values and is_secret(name):
        return MASK
    return redacted_text(values) if isinstance(values, str) else values


def typed_command(module: str, arguments: Sequence[str]) -> str:
    """The command line that runs a module, without secrets."""
    return shlex.join(["python", "-m", module, *(redacted_text(text) for text in arguments)])
