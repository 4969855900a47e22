"""The numbers that steer inference, as published for FIB-25."""

from __future__ import annotations

from dataclasses import dataclass, field

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.seed import SeedValues, logit


@dataclass(frozen=True)
class FloodSettings:
    """How one object is filled, and when it is kept (google/ffn ``inference_training_sample2``).

    Attributes:
        seed_values: Probabilities at the seed point and where nothing was predicted yet, and the
            one a position must have reached to be visited.
        segment: A voxel belongs to the object if its final probability reaches this value.
        min_segment_size: Objects with fewer voxels are dropped.
        min_boundary_dist_zyx: A seed point this many voxels or fewer away from an object (in the
            maximum norm, per axis) is not tried.
        disco_seed_threshold: Once more than this fraction of the FOV has reached the move
            probability, a voxel that was below 0.5 may not rise again: what was separated stays
            separated. 0 is google/ffn's default and applies almost always; negative turns it off.
    """

    seed_values: SeedValues = field(default_factory=SeedValues)
    segment: float = 0.6
    min_segment_size: int = 1000
    min_boundary_dist_zyx: Zyx = (1, 1, 1)
    disco_seed_threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.segment < 1.0:
            raise InputError(f"flood.segment={self.segment} is not a probability between 0 and 1")
        if self.min_segment_size < 1:
            raise InputError(f"flood.min_segment_size={self.min_segment_size} must be at least 1")
        if min(self.min_boundary_dist_zyx) < 0:
            raise InputError(
                f"flood.min_boundary_dist_zyx={self.min_boundary_dist_zyx} must not be negative"
            )

    @property
    def segment_logit(self) -> float:
        """``segment`` as a logit."""
        return logit(self.segment)
