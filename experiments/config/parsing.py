"""Plain nested values to dataclasses and back, naming whatever does not fit."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from experiments.reporting.redaction import holds_secret
from ffn_core.errors import InputError

T = TypeVar("T")


def from_dict(cls: type[T], values: dict[str, Any], path: str = "") -> T:
    """Build the dataclass ``cls`` from nested plain values.

    Raises:
        InputError: for a key that is unknown or missing, or a value of the wrong type; the
            message names it by its dotted path.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise InputError(
                f"unknown option {path}{key}; {path or 'the config'} has {list(fields)}"
            )
    kwargs = {key: _convert(hints[key], value, f"{path}{key}") for key, value in values.items()}
    for name, f in fields.items():
        no_default = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if no_default and name not in kwargs:
            raise InputError(f"option {path}{name} is missing")
    return cls(**kwargs)


def _convert(hint: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (a for a in args if a is not type(None))
        return _convert(hint, value, path)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value, f"{path}.")  # type: ignore[arg-type]
    if origin is list and isinstance(value, list | tuple):
        return [_convert(args[0], v, f"{path}[{i}]") for i, v in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {str(k): _convert(args[1], v, f"{path}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    wanted = getattr(hint, "__name__", str(hint))
    raise InputError(f"{path}={value!r} should be of type {wanted}")


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def at_least_one(section: str, config: Any, *names: str) -> None:
    """Check that options are at least 1; None, an option left open, passes.

    Raises:
        InputError: names the first that is not, with its value.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and value < 1:
            raise InputError(f"{section}.{name}={value} must be at least 1")


def no_secret(option: str, values: Sequence[str], where: str) -> None:
    """Check that no value of ``option`` holds a secret, which others could read ``where`` it goes.

    Raises:
        InputError: says what to do instead.
    """
    if any(holds_secret(value) for value in values):
        raise InputError(
            f"{option} holds a secret, which other users could read {where}: set it as a variable "
            "of your environment, and name it there without its value"
        )
