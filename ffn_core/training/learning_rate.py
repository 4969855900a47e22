"""Learning-rate scaling rules, warm-up and cooldown: pure functions of what they are given."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar, Self

from ffn_core.errors import InputError
from ffn_core.limits.ranges import MOST_FOVS, number, range_of

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
    """Rate of each optimizer step: a linear ramp to ``peak``, constant, a linear ramp to zero.

    Attributes:
        peak: rate after warm-up.
        start: rate the ramp begins at, before its first increment.
        warmup_steps: length of the ramp in optimizer steps; 0 for none.
        cooldown_steps: length of the ramp to zero; 0 for none. Its first step still has the full
            rate, the last of the run one such part of it, and zero would come next.
        total_steps: length of the run; None if unknown, when there can be no cooldown.

    Raises:
        InputError: the ramps overlap.
    """

    peak: float
    start: float = 0.0
    warmup_steps: int = 0
    cooldown_steps: int = 0
    total_steps: int | None = None

    def __post_init__(self) -> None:
        if not self.cooldown_steps:
            return
        if self.total_steps is None:
            raise ValueError("a cooldown needs the length of the run")
        if self.warmup_steps + self.cooldown_steps > self.total_steps:
            raise InputError(
                f"learning_rate.warmup takes {self.warmup_steps} and learning_rate.cooldown "
                f"{self.cooldown_steps} of the run's {self.total_steps} steps: shorten one of them,"
                " or lengthen the budget"
            )

    def __call__(self, step: float) -> float:
        """Rate applied in optimizer step ``step``, counted from 0.

        A run that began with a batch of another size may be between whole steps of its present one.
        """
        if step < self.warmup_steps:
            return self.start + (self.peak - self.start) * (step + 1) / self.warmup_steps
        if self.cooldown_steps and self.total_steps is not None:
            left = max(0, self.total_steps - step)
            return self.peak * min(1.0, left / self.cooldown_steps)
        return self.peak

    def agrees_with(self, other: Schedule, steps: int) -> bool:
        """Whether both give the same rates over the first ``steps`` steps."""
        # Between these both are straight, and so is their difference.
        corners = {0, steps - 1}
        for one in (self, other):
            corners |= {one.warmup_steps - 1, one.warmup_steps}
            if one.cooldown_steps and one.total_steps is not None:
                first = one.total_steps - one.cooldown_steps
                corners |= {first, one.total_steps}
        return all(self(step) == other(step) for step in corners if 0 <= step < steps)


@dataclass(frozen=True)
class _Ramp:
    """Length of a ramp, given in exactly one unit; all None means there is none."""

    OPTION: ClassVar[str]

    steps: int | None = number(None, "optimizer steps", at_least=0, at_most=MOST_FOVS)
    fovs: int | None = number(None, "FOVs over all nodes", at_least=0, at_most=MOST_FOVS)
    fraction: float | None = number(None, "share of the budget", at_least=0, at_most=1)

    def __post_init__(self) -> None:
        given = {
            declared.name: value
            for declared in fields(self)
            if (value := getattr(self, declared.name)) is not None
        }
        if len(given) > 1:
            units = " ".join(f"{self.OPTION}.{name}={value}" for name, value in given.items())
            raise InputError(f"{units}: keep one unit, and set the others to null")
        for declared in fields(self):
            limits = range_of(declared)
            if limits is not None and declared.name in given:
                limits.check(given[declared.name], f"{self.OPTION}.{declared.name}=")

    def in_steps(self, fovs_per_step: int, budget_steps: int | None) -> int:
        """Convert to whole optimizer steps.

        Args:
            fovs_per_step: FOVs of one optimizer step, summed over nodes.
            budget_steps: length of the run; None where it is given in seconds.

        Raises:
            InputError: if a fraction is asked of a run whose length in steps is not known.
        """
        if self.steps is not None:
            return self.steps
        if self.fovs is not None:
            return self._whole(self.fovs / fovs_per_step)
        if self.fraction is not None:
            if budget_steps is None:
                raise self._no_length()
            # Rounded first: 0.07 * 100 is a little over 7 in binary.
            return self._whole(round(self.fraction * budget_steps, 6))
        return 0

    def with_steps_of(self, fovs_per_step: int) -> Self:
        """The same ramp, in FOVs where it is given in steps, each of so many FOVs."""
        if self.steps is None:
            return self
        return type(self)(fovs=self.steps * fovs_per_step)

    @staticmethod
    def _whole(steps: float) -> int:
        """Steps of a ramp that ends within one."""
        return math.ceil(steps)

    def _no_length(self) -> InputError:
        name = next(n for n in ("steps", "fovs", "fraction") if getattr(self, n) is not None)
        return InputError(
            f"{self.OPTION}.{name}={getattr(self, name)} needs a budget in steps or fovs; a budget "
            "in seconds has no known number of steps"
        )

    @property
    def given(self) -> bool:
        """Whether there is a ramp at all."""
        return any(getattr(self, name) for name in ("steps", "fovs", "fraction"))

    def __str__(self) -> str:
        for name in ("steps", "fovs", "fraction"):
            if getattr(self, name) is not None:
                return f"{getattr(self, name)} {name}"
        return "none"


class Warmup(_Ramp):
    """The ramp from zero to the full rate at the start of a run."""

    OPTION = "learning_rate.warmup"


class Cooldown(_Ramp):
    """The ramp from the full rate to zero at the end of a run.

    It is rounded down where a warm-up is rounded up: fractions that add up to 1 never overlap.
    """

    OPTION = "learning_rate.cooldown"

    def in_steps(self, fovs_per_step: int, budget_steps: int | None) -> int:
        """As of a warm-up, but in any unit only where the end of the run is known.

        Raises:
            InputError: the budget is in seconds.
        """
        if self.given and budget_steps is None:
            raise self._no_length()
        return super().in_steps(fovs_per_step, budget_steps)

    @staticmethod
    def _whole(steps: float) -> int:
        return math.floor(steps)
