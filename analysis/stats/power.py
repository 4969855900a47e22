"""Which difference a number of seeds detects, and how many seeds a difference needs. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import optimize, stats

from analysis.stats.hypothesis_tests import Deaths, fisher_exact

POWER: Final = 0.8
MOST_SEEDS: Final = 1000
"""Beyond this many seeds the answer is that the question needs another design."""


def power_of_difference(difference: float, sd: float, seeds: int, level: float = 0.95) -> float:
    """Chance that a t interval over seeds lies on the right side of 0.

    From the noncentral t distribution; the negligible chance of the wrong side is left out.

    Args:
        difference: true mean difference.
        sd: standard deviation of the paired differences, > 0.
        seeds: number of pairs, >= 2.
        level: of the interval.
    """
    quantile = stats.t.ppf((1 + level) / 2, seeds - 1)
    shift = abs(difference) / sd * math.sqrt(seeds)
    return float(stats.nct.sf(quantile, seeds - 1, shift))


def power_of_equivalence(margin: float, sd: float, seeds: int, level: float = 0.95) -> float:
    """Chance that a t interval lies within +-margin where the true difference is 0.

    Given the sample's spread s the mean must lie within margin - t s / sqrt(n): the normal chance
    of that, averaged over the distribution of s.
    """
    freedom = seeds - 1
    quantile = stats.t.ppf((1 + level) / 2, freedom)
    # The middle of 400 equally likely slices of s.
    shares = (np.arange(400) + 0.5) / 400
    spreads = sd * np.sqrt(stats.chi2.ppf(shares, freedom) / freedom)
    room = np.maximum(margin * math.sqrt(seeds) - quantile * spreads, 0) / sd
    return float(np.mean(2 * stats.norm.cdf(room) - 1))


def seeds_needed(
    difference: float,
    sd: float,
    power: float = POWER,
    of: Callable[[float, float, int], float] = power_of_difference,
) -> int | None:
    """Fewest seeds with that power; None where there is no difference or it takes too many.

    Args:
        difference: to be seen, or for `power_of_equivalence` the margin; its sign is ignored.
        sd: standard deviation of the paired differences; 0 takes two seeds.
        power: wanted.
        of: power at a difference, spread and number of seeds.
    """
    if difference == 0:
        return None
    if sd == 0:
        return 2
    if of(abs(difference), sd, MOST_SEEDS) < power:
        return None
    low, high = 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        enough = middle > 1 and of(abs(difference), sd, middle) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def detectable_difference(sd: float, seeds: int, power: float = POWER) -> float | None:
    """The difference that this many seeds detect with that power; None for fewer than two seeds."""
    if seeds < 2:
        return None
    if sd == 0:
        return 0.0
    found = optimize.brentq(lambda d: power_of_difference(d, sd, seeds) - power, 0, 100 * sd)
    return float(found)


def deaths_that_decide(runs: int, level: float = 0.95) -> int | None:
    """Fewest deaths of `runs`, against none of as many, that the exact test sees; None if none."""
    counts = range(1, runs + 1)
    return next((d for d in counts if fisher_exact(Deaths(d, runs, 0, runs)) < 1 - level), None)


def runs_for_deaths(deaths: Deaths, level: float = 0.95) -> int | None:
    """Runs a side at which the shares seen would decide the exact test; None if none would."""
    if deaths.value is None or deaths.value == 0:
        return None
    shares = deaths.dead / deaths.runs, deaths.other_dead / deaths.other_runs
    for runs in range(2, MOST_SEEDS + 1):
        one, other = (round(share * runs) for share in shares)
        if fisher_exact(Deaths(one, runs, other, runs)) < 1 - level:
            return runs
    return None
