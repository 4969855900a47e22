"""The sections of a run's configuration that say what is trained, how, and for how long."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from experiments.limits import at_least_one
from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry
from ffn_core.learning_rate import Warmup, scale_factor
from ffn_core.model_size import ModelSize


@dataclass(frozen=True)
class ModelConfig:
    """The network and its field of view; ``checkpoint`` starts from given weights.

    ``micro_batch_size`` is the most FOVs in one forward and backward pass: what is fastest depends
    on the size of the network, and the result does not depend on it.
    """

    name: str
    fov_zyx: list[int]
    deltas_zyx: list[int]
    depth: int
    features: int
    micro_batch_size: int = 1
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        at_least_one("model", self, "micro_batch_size")

    @property
    def geometry(self) -> FovGeometry:
        """FOV and deltas, checked."""
        return FovGeometry(tuple(self.fov_zyx), tuple(self.deltas_zyx))  # type: ignore[arg-type]

    @property
    def size(self) -> ModelSize:
        """Depth and features, checked."""
        return ModelSize(self.depth, self.features)

    @property
    def training_flops(self) -> int:
        """Floating-point operations of training on one FOV."""
        return self.size.training_flops(self.geometry.fov_voxels)


@dataclass(frozen=True)
class MovementConfig:
    """How the FOV moves over a training canvas."""

    policy: str = "fixed"
    shuffle: bool = True


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer by name, with keyword arguments of its Keras class."""

    name: str = "adam"
    arguments: dict[str, float] = field(default_factory=dict)
    clip: float | None = 0.7


@dataclass(frozen=True)
class LearningRateConfig:
    """Base rate (of one node), scaling rule over nodes, and warm-up."""

    base: float = 1e-3
    rule: str = "sqrt"
    power: float = 0.5
    warmup: Warmup = field(default_factory=Warmup)

    def peak(self, nodes: int) -> float:
        """Rate after warm-up on ``nodes`` nodes."""
        if self.base <= 0:
            raise InputError(f"learning_rate.base={self.base} must be above 0")
        return self.base * scale_factor(self.rule, nodes, self.power)


@dataclass(frozen=True)
class BudgetConfig:
    """Length of a run in exactly one unit."""

    steps: int | None = None
    fovs: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        if len(given) != 1:
            what = f"{len(given)} units {given}" if given else "no unit"
            raise InputError(f"budget has {what}; set exactly one of steps, fovs, seconds")
        for name, value in given.items():
            if value <= 0:
                raise InputError(f"budget.{name}={value} must be above 0")

    def in_steps(self, fovs_per_step: int) -> int | None:
        """Optimizer steps, rounded up; None for a budget in seconds."""
        if self.fovs is not None:
            return -(-self.fovs // fovs_per_step)
        return self.steps

    def __str__(self) -> str:
        given = dataclasses.asdict(self).items()
        return next(f"{value} {name}" for name, value in given if value is not None)
