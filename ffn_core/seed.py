"""The seed: the canvas of object-mask logits that the network reads and writes back."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.limits.ranges import number, range_of


def logit(probability: float) -> float:
    """Inverse of the logistic function, ln(p / (1 - p)), for 0 < p < 1."""
    return math.log(probability / (1.0 - probability))


@dataclass(frozen=True)
class SeedValues:
    """Probabilities of the published FFN (Januszewski et al. 2018) that shape a seed canvas."""

    init: float = number(
        0.95, "probability at the center voxel, known to be object", above=0, below=1
    )
    pad: float = number(0.05, "probability everywhere not yet visited", above=0, below=1)
    move: float = number(
        0.9, "a position is visited only from this probability on", above=0, below=1
    )

    def __post_init__(self) -> None:
        for declared in fields(self):
            limits = range_of(declared)
            assert limits is not None
            limits.check(getattr(self, declared.name), f"seed_values.{declared.name}=")
        if self.init < self.move:
            raise InputError(
                f"seed_values.init={self.init} is below seed_values.move={self.move}: "
                "no FOV would ever be visited; raise init or lower move"
            )

    @property
    def move_logit(self) -> float:
        """``move`` as a logit; also the level above which a voxel counts as predicted object."""
        return logit(self.move)

    def canvas(self, shape_zyx: Zyx) -> np.ndarray:
        """Return a fresh seed: float32 logits of ``shape_zyx``, pad but for the center voxel."""
        seed = np.full(shape_zyx, logit(self.pad), dtype=np.float32)
        z, y, x = (size // 2 for size in shape_zyx)
        seed[z, y, x] = logit(self.init)
        return seed
