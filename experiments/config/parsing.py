"""Plain nested values to dataclasses and back, naming whatever does not fit."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from experiments.config.options import closest, expected
from experiments.reporting.redaction import holds_secret
from ffn_core.errors import InputError
from ffn_core.limits.ranges import ANY, Range, range_of, shown

T = TypeVar("T")


def from_dict(cls: type[T], values: dict[str, Any], path: str = "") -> T:
    """Build the dataclass ``cls`` from nested plain values.

    This is where every number of a configuration is checked against the range that stands with
    its option, see `ffn_core.limits.ranges`.

    Raises:
        InputError: for a key that is unknown or missing, or a value of the wrong type or out of
            range; the message names it by its dotted path, and says what it may be.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            hint = closest(key, fields) or f"; choose from {', '.join(fields)}"
            raise InputError(f"unknown option {path}{key}{hint}")
    kwargs = {
        key: _convert(hints[key], value, f"{path}{key}", range_of(fields[key]))
        for key, value in values.items()
    }
    for name, f in fields.items():
        no_default = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if no_default and name not in kwargs:
            raise InputError(f"option {path}{name} is missing")
    return cls(**kwargs)


def _convert(hint: Any, value: Any, path: str, limits: Range | None) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (of,) = (a for a in args if a is not type(None))
        return _convert(of, value, path, limits)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value, f"{path}.")  # type: ignore[arg-type]
    if origin is list and isinstance(value, list | tuple):
        return [_convert(args[0], v, f"{path}[{i}]", limits) for i, v in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {str(k): _convert(args[1], v, f"{path}.{k}", limits) for k, v in value.items()}
    if hint in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        whole = isinstance(value, int) or value.is_integer()
        if (limits or ANY).holds(value) and (hint is float or whole):
            return hint(value)
    elif hint in (str, bool) and type(value) is hint:
        return value
    raise InputError(f"{path}={shown(value)} must be {expected(hint, limits)}")


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


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
