"""Options with what they mean and the range of their numbers, kept in one place: the dataclass.

Every field of a configuration is made with `option`, `number` or `numbers` (or, where it has no
default, with `dataclasses.field` and `described`), so that its one-line description and its range
stand with it. Code that builds the dataclass from what a user gave checks the range
with `Range.check`; help and reference are written from the same metadata.
"""

from __future__ import annotations

import math
import sys
from dataclasses import Field, dataclass, field
from typing import Any, TypeVar

from ffn_core.errors import InputError

T = TypeVar("T")

MOST_SEED = 2**63 - 1
MOST_NODES = 2**20
MOST_FOVS = 10**15
"""More than any training; all counts up to it are exact in a double."""
MOST_EXTENT = 2**31 - 1
"""Voxels along one axis of a volume."""
MOST_THREADS = 1024
MOST_BYTES = 2**50
MOST_SECONDS = 10**8
"""Three years."""
SMALLEST = 1e-12
"""Least value of what must be above 0 and is used in float32."""

_DOC, _RANGE = "doc", "range"


@dataclass(frozen=True)
class Range:
    """Finite numbers between two limits, each included or not; one left out does not bound.

    Attributes:
        at_least: Smallest number.
        above: Limit that all numbers are greater than.
        at_most: Largest number.
        below: Limit that all numbers are smaller than.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def holds(self, value: float) -> bool:
        """Whether ``value`` is finite and in the range."""
        return (
            abs(value) <= sys.float_info.max  # false for NaN
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def check(self, value: float, option: str) -> None:
        """Check a number.

        Args:
            value: The number.
            option: How the user names and gives it, up to the value: ``cluster.nodes=``.

        Raises:
            InputError: It is not in the range; names option, value and range.
        """
        if not self.holds(value):
            kind = "an integer" if isinstance(value, int) else "a number"
            raise InputError(f"{option}{shown(value)} must be {kind} {self}".rstrip())

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"from {_grouped(self.at_least)} to {_grouped(self.at_most)}"
        parts = {"of at least": self.at_least, "above": self.above}
        parts |= {"at most": self.at_most, "below": self.below}
        given = [f"{word} {_grouped(v)}" for word, v in parts.items() if v is not None]
        return " and ".join(given)


ANY = Range()
"""Every finite number."""

VOXEL_NM = Range(at_least=1e-3, at_most=1e9)
"""Edges of a voxel in nm."""


def shown(value: object) -> str:
    """A value as its user wrote it; a long one is cut."""
    text = str(value)
    if isinstance(value, float) and math.isfinite(value):
        text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
        text += "" if {".", "e"} & set(text) else ".0"  # 2.0 is no integer
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} characters)"


def _grouped(value: float) -> str:
    """A limit as people read it: 1,048,576."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def described(doc: str, numbers: Range | None = None) -> dict[str, Any]:
    """Metadata of a field: one line that says what it is, and the range of its numbers."""
    return {_DOC: doc, _RANGE: numbers}


def option(default: T, doc: str) -> T:
    """A field that is no number."""
    return _field(default, doc, None)


def number(default: T, doc: str, **limits: float) -> T:
    """A field that holds a number, or is None; ``limits`` are those of `Range`."""
    return _field(default, doc, Range(**limits))


def numbers(default: list[T], doc: str, **limits: float) -> list[T]:
    """A field that holds a list (of lists) of numbers, each within ``limits``."""
    return _field(default, doc, Range(**limits))


def _field(default: T, doc: str, limits: Range | None) -> T:
    metadata = described(doc, limits)
    made: Any
    if isinstance(default, list | dict):
        made = field(default_factory=default.copy, metadata=metadata)
    else:
        made = field(default=default, metadata=metadata)
    return made  # as dataclasses.field: stands for the value of the field


def doc_of(declared: Field[Any]) -> str:
    """What a field is, on one line; empty for a section, whose class says it."""
    return str(declared.metadata.get(_DOC, ""))


def range_of(declared: Field[Any]) -> Range | None:
    """The range of a field's numbers; None for a field that has none."""
    found = declared.metadata.get(_RANGE)
    assert found is None or isinstance(found, Range)
    return found
