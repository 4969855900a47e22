"""A claim, what the runs say about it, and the numbers that rests on. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from analysis.stats.intervals import Interval

SUPPORTED: Final = "supported"
NOT_SUPPORTED: Final = "not supported"
UNDECIDED: Final = "undecided"

UNKNOWN: Final = Interval(math.nan, math.nan, math.nan, 0)

MEASURED: Final = "measured"
MODELLED: Final = "modelled"


@dataclass(frozen=True)
class Verdict:
    """What the runs say about one claim.

    Attributes:
        key: short name, for files and tables.
        claim: a sentence that can be true or false.
        verdict: SUPPORTED, NOT_SUPPORTED or UNDECIDED.
        effect: size with its confidence bounds; `count` is the seeds (or points) it rests on.
        measure: what `effect` is, with its unit.
        rule: which bounds support or refute the claim.
        kind: whether the effect is measured or modelled, and on what.
        basis: runs it rests on, or why it is undecided.
        evidence: the numbers behind it, tidy.
    """

    key: str
    claim: str
    verdict: str
    effect: Interval
    measure: str
    rule: str
    kind: str
    basis: str
    evidence: pd.DataFrame = field(default_factory=pd.DataFrame)


def decide(effect: Interval, supported_above: float, refuted_below: float) -> str:
    """Supported or not where the whole interval lies on one side; else, or unbounded, undecided.

    Args:
        effect: oriented so that large values speak for the claim.
        supported_above: supported when the lower bound exceeds this.
        refuted_below: not supported when the upper bound is below this. Where both hold (an effect
            beyond doubt but too small to matter) the claim is not supported.
    """
    if math.isnan(effect.low) or math.isnan(effect.high):
        return UNDECIDED
    if effect.high < refuted_below:
        return NOT_SUPPORTED
    return SUPPORTED if effect.low > supported_above else UNDECIDED


def decide_within(effect: Interval, low: float, high: float) -> str:
    """Supported when the interval lies inside [low, high], not supported when it misses it."""
    if math.isnan(effect.low) or math.isnan(effect.high):
        return UNDECIDED
    if effect.high < low or effect.low > high:
        return NOT_SUPPORTED
    return SUPPORTED if low <= effect.low and effect.high <= high else UNDECIDED


def power_of_two(logs: Interval) -> Interval:
    """Interval of a ratio from that of its base-2 logarithm."""
    estimate, low, high = (float(np.exp2(v)) for v in (logs.estimate, logs.low, logs.high))
    return Interval(estimate, low, high, logs.count)
