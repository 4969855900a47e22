"""Limits that several sections of a configuration share."""

from __future__ import annotations

from typing import Any

from ffn_core.errors import InputError


def at_least_one(section: str, config: Any, *names: str) -> None:
    """Check that options are at least 1; None, an option left open, passes.

    Raises:
        InputError: names the first that is not, with its value.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and value < 1:
            raise InputError(f"{section}.{name}={value} must be at least 1")
