"""A performance ratio: both of its sides were measured in one run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A measured ratio, or a plain value, beside what it should be.

    Attributes:
        name: what was measured.
        other_side: what it is a ratio to; empty for a plain value.
        values: one for each repeat.
        unit: ``%`` for ratios, else of ``values``.
        target: the value to reach; None for what is only stated.
        at_least: whether more is better; else ``target`` is the most that is allowed.
    """

    name: str
    other_side: str
    values: tuple[float, ...]
    unit: str
    target: float | None
    at_least: bool = True

    @property
    def median(self) -> float:
        """Over the repeats."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.target is None:
            return None
        return self.median >= self.target if self.at_least else self.median <= self.target


def ratio(name: str, other_side: str, values: Sequence[float], target: float | None) -> Ratio:
    """A ratio that should be at least ``target``."""
    return Ratio(name, other_side, tuple(values), "%", target)


def median_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Median over rounds of one rate over another, both measured in each."""
    return statistics.median(v / o for v, o in zip(values, others, strict=True))


def bound(name: str, values: Sequence[float], unit: str, target: float) -> Ratio:
    """A plain value that should be at most ``target``."""
    return Ratio(name, "", tuple(values), unit, target, at_least=False)


COLUMNS = ["what", "against", "median (lowest - highest)", "target", "met"]


def row(one: Ratio) -> list[str]:
    """Cells of a table, in `COLUMNS`."""
    sign = "≥" if one.at_least else "≤"
    low, high = min(one.values), max(one.values)
    value = _text(one.median, one.unit)
    if len(one.values) > 1:
        value += f" ({_text(low, one.unit)} - {_text(high, one.unit)})"
    return [
        one.name,
        one.other_side or "-",
        value,
        "-" if one.target is None else f"{sign} {_text(one.target, one.unit)}",
        {True: "yes", False: "no", None: "-"}[one.met],
    ]


def markdown(ratios: Sequence[Ratio], facts: dict[str, str]) -> str:
    """A page with the table and what it was measured on."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(one)) + " |" for one in ratios]
    about = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(["# Benchmark", "", *lines, "", "Measured with:", "", *about, ""])


def _text(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:.3g} {unit}"
