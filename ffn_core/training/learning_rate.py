"""Learning-rate scaling rules and warm-up: pure functions of what they are given."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ffn_core.errors import InputError

RULES = ("none", "linear", "sqrt", "power")


def scale_factor(rule: str, workers: float, power: float = 0.5) -> float:
    """Factor on the base rate when ``workers`` times the base batch is processed per step.

    ``none``: 1; ``linear``: k (Goyal et al. 2017); ``sqrt``: k^(1/2) (Krizhevsky 2014);
    ``power``: k^power.

    Raises:
        InputError: for an unknown rule or a non-positive ``workers``.
    """
    if rule not in RULES:
        raise InputError(f"learning_rate.rule={rule!r} is unknown; choose from {', '.join(RULES)}")
    if workers <= 0:
        raise InputError(f"learning-rate scaling needs a positive number of nodes, got {workers}")
    exponent = {"none": 0.0, "linear": 1.0, "sqrt": 0.5, "power": power}[rule]
    return float(workers**exponent)


@dataclass(frozen=True)
class Schedule:
    """Rate of each optimizer step: a linear ramp to ``peak``, then constant.

    Attributes:
        peak: rate after warm-up.
        start: rate the ramp begins at, before its first increment.
        warmup_steps: length of the ramp in optimizer steps; 0 for none.
    """

    peak: float
    start: float = 0.0
    warmup_steps: int = 0

    def __call__(self, step: int) -> float:
        """Rate applied in optimizer step ``step``, counted from 0."""
        if step >= self.warmup_steps:
            return self.peak
        return self.start + (self.peak - self.start) * (step + 1) / self.warmup_steps


@dataclass(frozen=True)
class Warmup:
    """Length of the ramp, given in exactly one unit; all None means no warm-up.

    Attributes:
        steps: optimizer steps.
        fovs: FOVs processed, summed over nodes.
        fraction: share of the run's budget.
    """

    steps: int | None = None
    fovs: int | None = None
    fraction: float | None = None

    def __post_init__(self) -> None:
        given = {
            name: value
            for name in ("steps", "fovs", "fraction")
            if (value := getattr(self, name)) is not None
        }
        if len(given) > 1:
            raise InputError(
                f"learning_rate.warmup has {len(given)} units {given}; keep one, null the rest"
            )
        for name, value in given.items():
            if value < 0 or (name == "fraction" and value > 1):
                raise InputError(f"learning_rate.warmup.{name}={value} is out of range")

    def in_steps(self, fovs_per_step: int, budget_steps: int | None) -> int:
        """Convert to optimizer steps, rounding up.

        Args:
            fovs_per_step: FOVs of one optimizer step, summed over nodes.
            budget_steps: length of the run; None where it is given in seconds.

        Raises:
            InputError: if a fraction is asked of a run whose length in steps is not known.
        """
        if self.steps is not None:
            return self.steps
        if self.fovs is not None:
            return math.ceil(self.fovs / fovs_per_step)
        if self.fraction is not None:
            if budget_steps is None:
                raise InputError(
                    f"learning_rate.warmup.fraction={self.fraction} needs a budget in steps or "
                    "fovs; a budget in seconds has no known number of steps"
                )
            # Rounded first: 0.07 * 100 is a little over 7 in binary.
            return math.ceil(round(self.fraction * budget_steps, 6))
        return 0

    @property
    def given(self) -> bool:
        """Whether there is a ramp at all."""
        return any(getattr(self, name) for name in ("steps", "fovs", "fraction"))

    def __str__(self) -> str:
        for name in ("steps", "fovs", "fraction"):
            if getattr(self, name) is not None:
                return f"{getattr(self, name)} {name}"
        return "none"
