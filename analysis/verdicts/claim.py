"""A claim: its sentence, its measure, and the region of the effect that decides it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.stats.power import (
    POWER,
    deaths_that_decide,
    detectable_difference,
    power_of_difference,
    power_of_equivalence,
    seeds_needed,
)


@dataclass(frozen=True)
class Region:
    """Where an effect supports a claim, and where it refutes it.

    Attributes:
        low, high: supported where the whole interval lies between them.
        least, most: refuted where it lies wholly below the one or above the other. An effect beyond
            doubt but too small to matter (above `low`, below `least`) refutes.
        apart: distance from the edge that the seeds must be able to see; None where the ends say.
    """

    low: float = -math.inf
    high: float = math.inf
    least: float = -math.inf
    most: float = math.inf
    apart: float | None = None

    def words(self) -> str:
        """Which intervals support and which refute."""
        if self.low == -math.inf:
            return f"supported: interval below {self.high:g}; refuted: above {self.most:g}"
        if self.high == math.inf:
            return f"supported: interval above {self.low:g}; refuted: below {self.least:g}"
        return f"supported: interval within {self.low:g} to {self.high:g}; refuted: outside it"

    def log2(self) -> Region:
        """The region of the base-2 logarithm of a ratio."""
        ends = (self.low, self.high, self.least, self.most)
        return Region(*(math.log2(end) if end > 0 else -math.inf for end in ends))


def above(low: float, least: float | None = None, apart: float | None = None) -> Region:
    """Supported above `low`, refuted below `least` (by default the same)."""
    return Region(low=low, least=low if least is None else least, apart=apart)


def below(high: float, apart: float) -> Region:
    """Supported below, refuted above."""
    return Region(high=high, most=high, apart=apart)


def within(low: float, high: float) -> Region:
    """Supported inside, refuted outside."""
    return Region(low, high, low, high)


@dataclass(frozen=True)
class Claim:
    """One claim and what decides it.

    Attributes:
        key: short name, for files and tables.
        claim: a sentence that can be true or false.
        finding: what was published that it tests.
        part: of the study.
        studies: presets whose runs decide it.
        measure: what the effect is, with its unit.
        region: of `measure`; None where this machine cannot test the claim.
        family: claims that Holm corrects together; None where no test over runs decides.
        seeds: planned at each node count.
        spread: standard deviation over seeds of the (paired) effect, as measured before the study;
            None where none was.
        ratio: whether `measure` is a ratio, judged in its logarithm.
        deaths: whether it is a difference of death rates, judged by the exact test.
        sign: whether the co-primary must agree in sign.
        takes: what it would take, of a claim that is not testable here.
    """

    key: str
    claim: str
    finding: str
    part: str
    studies: tuple[str, ...]
    measure: str
    region: Region | None
    family: str | None
    seeds: int = 8
    spread: float | None = None
    ratio: bool = False
    deaths: bool = False
    sign: bool = False
    takes: str = ""

    @property
    def testable(self) -> bool:
        """Whether runs on this machine can decide it."""
        return self.region is not None

    def scaled(self) -> Region:
        """The region on the scale that is judged: of a ratio, its base-2 logarithm."""
        assert self.region is not None
        return self.region.log2() if self.ratio else self.region

    def rule(self) -> str:
        """The decision rule in words."""
        if self.region is None:
            return f"not testable on this machine; it would take {self.takes}"
        words = self.region.words()
        if self.deaths:
            words += " (support by Fisher's exact test)"
        if self.sign:
            words += "; to be supported, the co-primary score must agree in sign"
        return words

    def power(self) -> str:
        """The difference that this many seeds can detect, in words."""
        if self.deaths:
            count = deaths_that_decide(self.seeds)
            return f"{count} deaths of {self.seeds} against none are decided"
        if self.spread is None or self.region is None or self.family is None:
            return "not known before"
        region = self.scaled()
        if math.isfinite(region.low) and math.isfinite(region.high):
            half = (region.high - region.low) / 2
            chance = power_of_equivalence(half, self.spread, self.seeds)
            return f"equality within the margin is shown with {chance:.0%} power"
        seen = detectable_difference(self.spread, self.seeds)
        assert seen is not None
        size = f"a ratio of {2**seen:.3g}" if self.ratio else f"a difference of {seen:.2g}"
        return f"{size} is seen with {POWER:.0%} power"


def separation(region: Region) -> tuple[float, bool]:
    """What an interval must tell apart to decide: a distance, or half an equivalence region.

    Returns:
        The distance, and whether it is half the width of a region with two ends.
    """
    if math.isfinite(region.low) and math.isfinite(region.high):
        return (region.high - region.low) / 2, True
    if region.apart is not None:
        return region.apart, False
    return (region.least - region.low) or abs(region.low), False


def seeds_to_decide(region: Region, spread: float) -> int | None:
    """Seeds that would decide with `POWER` given a spread over seeds; None if too many or unknown.

    Judged at the smallest difference that matters, not at the one that was seen.
    """
    distance, equal = separation(region)
    power = power_of_equivalence if equal else power_of_difference
    return seeds_needed(distance, spread, of=power)
