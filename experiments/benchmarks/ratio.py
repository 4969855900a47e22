"""A performance claim: a ratio, both of whose sides were measured in one run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A measured value beside what it should be.

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


def ratio(name: str, other_side: str, values: Sequence[float], target: float | None) -> Claim:
    """A claim about a ratio that should be at least ``target``."""
    return Claim(name, other_side, tuple(values), "%", target)


def median_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Median over rounds of one rate over another, both measured in each."""
    return statistics.median(v / o for v, o in zip(values, others, strict=True))


def bound(name: str, values: Sequence[float], unit: str, target: float) -> Claim:
    """A claim about a quantity that should be at most ``target``."""
    return Claim(name, "", tuple(values), unit, target, at_least=False)


COLUMNS = ["what", "against", "median (lowest - highest)", "target", "met"]


def row(claim: Claim) -> list[str]:
    """Cells of a table, in `COLUMNS`."""
    sign = "≥" if claim.at_least else "≤"
    low, high = min(claim.values), max(claim.values)
    value = _text(claim.median, claim.unit)
    if len(claim.values) > 1:
        value += f" ({_text(low, claim.unit)} - {_text(high, claim.unit)})"
    return [
        claim.name,
        claim.other_side or "-",
        value,
        "-" if claim.target is None else f"{sign} {_text(claim.target, claim.unit)}",
        {True: "yes", False: "no", None: "-"}[claim.met],
    ]


def markdown(claims: Sequence[Claim], facts: dict[str, str]) -> str:
    """A page with the table and what it was measured on."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(claim)) + " |" for claim in claims]
    about = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(["# Benchmark", "", *lines, "", "Measured with:", "", *about, ""])


def _text(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:.3g} {unit}"
