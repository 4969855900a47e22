"""The seed: the canvas of object-mask logits that the network reads and writes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx


def logit(probability: float) -> float:
    """Inverse of the logistic function, ln(p / (1 - p)), for 0 < p < 1."""
    return math.log(probability / (1.0 - probability))


@dataclass(frozen=True)
class SeedValues:
    """Probabilities of the published FFN (Januszewski et al. 2018) that shape a seed canvas.

    Attributes:
        init: probability at the center voxel, where the object is known to be.
        pad: probability everywhere not yet visited.
        move: a position is visited only once its probability has reached this value.
    """

    init: float = 0.95
    pad: float = 0.05
    move: float = 0.9

    def __post_init__(self) -> None:
        for name in ("init", "pad", "move"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise InputError(f"seed_values.{name}={value} is not a probability between 0 and 1")
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
