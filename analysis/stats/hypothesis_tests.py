"""Tests behind the verdicts: equivalence, Holm's correction, deaths. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from scipy import optimize, stats

from analysis.stats.intervals import Estimate


class Effect(Protocol):
    """A size with bounds and one-sided p-values; None where the data do not give them."""

    @property
    def value(self) -> float | None:
        """The estimate."""

    @property
    def count(self) -> int:
        """Seeds or points it rests on."""

    @property
    def reason(self) -> str:
        """Why something is None; empty where nothing is."""

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        """Both ends of the confidence interval."""

    def p_above(self, bound: float) -> float | None:
        """One-sided p-value against "the truth is at most `bound`"."""

    def p_below(self, bound: float) -> float | None:
        """One-sided p-value against "the truth is at least `bound`"."""


@dataclass(frozen=True)
class Inverted:
    """An effect known by its intervals: p-values are the levels at which they touch a bound.

    Attributes:
        value: the estimate.
        count: seeds it rests on.
        interval: (low, high) at a level in (0, 1); wider at higher levels.
        reason: as in `Effect`.
    """

    value: float | None
    count: int
    interval: Callable[[float], tuple[float, float]]
    reason: str = ""

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        """Both ends of the interval; None where there is no value."""
        return None if self.value is None else self.interval(level)

    def p_above(self, bound: float) -> float | None:
        """One-sided p-value against "the truth is at most `bound`"."""
        return self._touching(lambda level: self.interval(level)[0] - bound)

    def p_below(self, bound: float) -> float | None:
        """One-sided p-value against "the truth is at least `bound`"."""
        return self._touching(lambda level: bound - self.interval(level)[1])

    def _touching(self, apart: Callable[[float], float]) -> float | None:
        """Half of one minus the level at which `apart` falls to 0.

        Below one half (the bound lies on this side of the estimate) only; 1 stands for the rest.
        """
        if self.value is None:
            return None
        narrow, wide = 1e-6, 1 - 1e-9
        if not apart(narrow) > 0:
            return 1.0
        if apart(wide) > 0:
            return (1 - wide) / 2
        # Infinite ends have no zero to find: a sign is enough to bisect on.
        level = optimize.bisect(lambda at: 1.0 if apart(at) > 0 else -1.0, narrow, wide, xtol=1e-10)
        return (1 - float(level)) / 2


@dataclass(frozen=True)
class Weakest:
    """Several comparisons that must all hold, seen through the one that holds least.

    All are above a bound only if each is, so the largest p-value counts (intersection-union test,
    Berger 1982). One below it is enough to refute, so the smallest counts times their number.
    """

    parts: tuple[Estimate, ...]

    @property
    def _least(self) -> Estimate:
        bounds = [one.bounds() for one in self.parts]
        unknown = [one for one, ends in zip(self.parts, bounds, strict=True) if ends is None]
        if unknown:
            return unknown[0]
        known = [(ends[0], index) for index, ends in enumerate(bounds) if ends is not None]
        return self.parts[min(known)[1]]

    @property
    def index(self) -> int:
        """Which of `parts` holds least."""
        return self.parts.index(self._least)

    @property
    def value(self) -> float | None:
        """Of the comparison that holds least."""
        return self._least.value

    @property
    def count(self) -> int:
        """Likewise."""
        return self._least.count

    @property
    def reason(self) -> str:
        """Likewise."""
        return self._least.reason

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        """Likewise."""
        return self._least.bounds(level)

    def p_above(self, bound: float) -> float | None:
        """Of all being above a bound."""
        known = [one.p_above(bound) for one in self.parts]
        values = [p for p in known if p is not None]
        return max(values) if len(values) == len(known) else None

    def p_below(self, bound: float) -> float | None:
        """Of one being below a bound."""
        values = [p for one in self.parts if (p := one.p_below(bound)) is not None]
        return min(1.0, len(self.parts) * min(values)) if values else None


def equivalence(effect: Effect, low: float, high: float) -> float | None:
    """p-value of two one-sided tests (Schuirmann 1987) against "outside [low, high]"; None unknown.

    A level of 0.05 is the 90 % interval inside [low, high], 0.025 the 95 % one. Infinite ends are
    not tested.
    """
    sides = [effect.p_above(low) if low > -math.inf else 0.0]
    sides.append(effect.p_below(high) if high < math.inf else 0.0)
    known = [p for p in sides if p is not None]
    return max(known) if len(known) == 2 and effect.bounds() is not None else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted for their number by Holm's step-down (1979); None stays, and counts not."""
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for place, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - place) * p))
        adjusted[index] = largest
    return adjusted


@dataclass(frozen=True)
class Deaths:
    """How many more runs of one recipe died than of another: the difference of the shares.

    Attributes:
        dead, runs: of the recipe the claim is about.
        other_dead, other_runs: of the other.
    """

    dead: int
    runs: int
    other_dead: int
    other_runs: int

    @property
    def value(self) -> float | None:
        """Share of the one minus share of the other; None where one has no run."""
        if self.count == 0:
            return None
        return self.dead / self.runs - self.other_dead / self.other_runs

    @property
    def count(self) -> int:
        """Runs of the smaller side."""
        return min(self.runs, self.other_runs)

    @property
    def reason(self) -> str:
        """What is missing."""
        return "" if self.count else "one side has no run"

    def bounds(self, level: float = 0.95) -> tuple[float, float] | None:
        """Newcombe's (1998, method 10) interval of a difference of shares."""
        if self.value is None:
            return None
        low, high = wilson_interval(self.dead, self.runs, level)
        other_low, other_high = wilson_interval(self.other_dead, self.other_runs, level)
        one, other = self.dead / self.runs, self.other_dead / self.other_runs
        return (
            self.value - math.hypot(one - low, other_high - other),
            self.value + math.hypot(high - one, other - other_low),
        )

    def p_above(self, bound: float) -> float | None:
        """One-sided p-value: Fisher's exact one at a bound of 0, else by inverting the interval."""
        if self.value is None:
            return None
        if bound == 0:
            return fisher_exact(self, "greater")
        return self._inverted().p_above(bound)

    def p_below(self, bound: float) -> float | None:
        """Likewise."""
        if self.value is None:
            return None
        if bound == 0:
            return fisher_exact(self, "less")
        return self._inverted().p_below(bound)

    def _inverted(self) -> Inverted:
        def interval(level: float) -> tuple[float, float]:
            found = self.bounds(level)
            assert found is not None
            return found

        return Inverted(self.value, self.count, interval)


def fisher_exact(deaths: Deaths, alternative: str = "two-sided") -> float:
    """Fisher's exact test that both recipes die equally often, given the number of deaths.

    Args:
        deaths: of two recipes, a run or more each.
        alternative: ``two-sided``, ``greater`` (the first dies more often) or ``less``.
    """
    table = [
        [deaths.dead, deaths.runs - deaths.dead],
        [deaths.other_dead, deaths.other_runs - deaths.other_dead],
    ]
    return float(stats.fisher_exact(table, alternative).pvalue)


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's (1927) interval of a share; 0 to 1 where there was no trial."""
    if trials == 0:
        return 0.0, 1.0
    z = float(stats.norm.ppf((1 + level) / 2))
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    half = z / (1 + z**2 / trials) * spread
    return max(middle - half, 0.0), min(middle + half, 1.0)
