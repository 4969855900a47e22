"""How weights are trained: optimizer, learning rate, average, length of the run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from ffn_core.errors import InputError
from ffn_core.limits.ranges import (
    MOST_FOVS,
    MOST_SECONDS,
    SMALLEST,
    Range,
    described,
    number,
    option,
)
from ffn_core.training.learning_rate import RULES, Cooldown, Warmup, scale_factor

BASE_RATE = Range(at_least=SMALLEST, at_most=1e6)


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer by name, with keyword arguments of its Keras class."""

    name: str = option("adam", "see conf/optimizer/")
    arguments: dict[str, float] = field(
        default_factory=dict,
        metadata=described(
            "arguments of its Keras class, each by +optimizer.arguments.NAME=",
            Range(at_least=-1e6, at_most=1e6),
        ),
    )
    clip: float | None = number(
        0.7,
        "each component of the gradient is cut off there; null: nowhere",
        at_least=SMALLEST,
        at_most=1e9,
    )


@dataclass(frozen=True)
class LearningRateConfig:
    """Base rate (of one node), scaling rule over nodes, warm-up and cooldown."""

    base: float = field(default=1e-3, metadata=described("rate of one node", BASE_RATE))
    rule: str = option("sqrt", f"how the rate grows with nodes: {' | '.join(RULES)}")
    power: float = number(0.5, "exponent of the rule power", at_least=-4, at_most=4)
    warmup: Warmup = field(default_factory=Warmup)
    cooldown: Cooldown = field(default_factory=Cooldown)

    def peak(self, nodes: int) -> float:
        """Rate after warm-up on ``nodes`` nodes."""
        return self.base * scale_factor(self.rule, nodes, self.power)


@dataclass(frozen=True)
class AveragingConfig:
    """The moving average of the weights."""

    half_life_fovs: int = number(
        1000, "FOVs in which it forgets half; 0 keeps none", at_least=0, at_most=MOST_FOVS
    )


@dataclass(frozen=True)
class BudgetConfig:
    """Length of a run in exactly one unit; in none for a run in stages, whose sum it is."""

    steps: int | None = number(None, "optimizer steps", at_least=1, at_most=MOST_FOVS)
    fovs: int | None = number(None, "FOVs over all nodes", at_least=1, at_most=MOST_FOVS)
    seconds: float | None = number(None, "of training", at_least=1e-3, at_most=MOST_SECONDS)

    def __post_init__(self) -> None:
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        if len(given) > 1:
            units = " ".join(f"budget.{name}={value}" for name, value in given.items())
            raise InputError(
                f"budget has {len(given)} units, {units}; set exactly one of steps, fovs, seconds"
                " and the others to null"
            )

    def in_steps(self, fovs_per_step: int) -> int | None:
        """Optimizer steps, rounded up; None for a budget in seconds."""
        if self.fovs is not None:
            return -(-self.fovs // fovs_per_step)
        return self.steps

    def __str__(self) -> str:
        given = dataclasses.asdict(self).items()
        return next((f"{value} {name}" for name, value in given if value is not None), "none")
