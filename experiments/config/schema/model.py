"""The network, and how its field of view moves over a training canvas."""

from __future__ import annotations

from dataclasses import dataclass, field

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, as_zyx
from ffn_core.limits.ranges import Range, described, number, option
from ffn_core.model_size import PRECISIONS, ModelSize

WEIGHTS = ("averaged", "raw")
"""Which weights of a checkpoint: their moving average, if it has one, or those of its last step."""

FOV_EDGE = Range(at_least=1, at_most=1023)
DELTA = Range(at_least=0, at_most=511)


@dataclass(frozen=True)
class ModelConfig:
    """The network and its field of view; ``checkpoint`` starts from given weights.

    ``checkpoint`` is a run by its name or directory (its best checkpoint, without one its newest),
    a checkpoint folder in one, or a TensorFlow 1 checkpoint without extension;
    ``checkpoint_weights``, one of `WEIGHTS`, says which weights of it. Nothing else of the
    earlier run is taken up.
    ``micro_batch_size`` is the most FOVs in one forward and backward pass: what is fastest depends
    on the size of the network, and the result does not depend on it. ``precision`` is that of the
    convolutions: bfloat16 is faster on CPUs that have it natively, and changes the result a little.
    """

    name: str = field(metadata=described("what the network is called in tables"))
    fov_zyx: list[int] = field(
        metadata=described("edges of the field of view in voxels, each odd", FOV_EDGE)
    )
    deltas_zyx: list[int] = field(
        metadata=described("voxels of one move along each axis, up to half the FOV", DELTA)
    )
    depth: int = field(
        metadata=described("modules of two convolutions", Range(at_least=1, at_most=1000))
    )
    features: int = field(
        metadata=described("channels of each convolution", Range(at_least=1, at_most=8192))
    )
    micro_batch_size: int = number(
        1, "most FOVs in one forward and backward pass", at_least=1, at_most=10**6
    )
    checkpoint: str | None = option(None, "run by name or folder, or checkpoint to start from")
    precision: str = option("float32", f"of the convolutions: {' | '.join(PRECISIONS)}")
    checkpoint_weights: str = option("averaged", f"which of it: {' | '.join(WEIGHTS)}")

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(
                f"model.precision={self.precision!r} is unknown; choose from "
                f"{', '.join(PRECISIONS)}"
            )
        if self.checkpoint_weights not in WEIGHTS:
            raise InputError(
                f"model.checkpoint_weights={self.checkpoint_weights!r} is unknown; choose from "
                f"{', '.join(WEIGHTS)}"
            )

    @property
    def geometry(self) -> FovGeometry:
        """FOV and deltas, checked."""
        return FovGeometry(
            as_zyx(self.fov_zyx, "model.fov_zyx"), as_zyx(self.deltas_zyx, "model.deltas_zyx")
        )

    @property
    def size(self) -> ModelSize:
        """Depth and features, checked."""
        return ModelSize(self.depth, self.features)

    def require_size(self, found: ModelSize, source: str) -> None:
        """Check that weights are of this network.

        Args:
            found: size of the network they are of.
            source: where they come from, as the user gave it.

        Raises:
            InputError: they are not.
        """
        if found != self.size:
            raise InputError(
                f"{source} has depth {found.depth} and {found.features} features, the config "
                f"{self.depth} and {self.features}: choose the model it was trained with"
            )

    @property
    def training_flops(self) -> int:
        """Floating-point operations of training on one FOV."""
        return self.size.training_flops(self.geometry.fov_voxels)


@dataclass(frozen=True)
class MovementConfig:
    """How the FOV moves over a training canvas."""

    policy: str = option("fixed", "rule by which the next position is chosen")
    shuffle: bool = option(True, "the fixed policy visits its positions in random order")
