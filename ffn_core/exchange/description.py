"""What a program must know of a network beside its weights, for all formats alike."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from ffn_core.geometry import FovGeometry
from ffn_core.model_size import ModelSize
from ffn_core.seed import SeedValues

INPUTS: Final = ("image", "seed")
OUTPUT: Final = "logits"

SIGNATURE: Final = {
    "image": "(batch, z, y, x, 1) float32: intensities less mean, divided by stddev",
    "seed": "(batch, z, y, x, 1) float32: logits of the object mask so far",
    "logits": "(batch, z, y, x, 1) float32: the new logits of the mask; the seed of a later step",
}
"""Inputs and output of one step of the network at one position of its field of view."""


@dataclass(frozen=True)
class Description:
    """A network without its weights.

    Attributes:
        size: Depth and features.
        geometry: FOV and deltas of its training.
        mean: What is subtracted from intensities before they are given to it.
        stddev: What they are divided by afterwards.
        step: Optimizer steps it was trained for; 0 if unknown.
        source: Where the weights come from, for people.
        seed_values: Probabilities at a seed point, elsewhere, and for a move.
    """

    size: ModelSize
    geometry: FovGeometry
    mean: float
    stddev: float
    step: int = 0
    source: str = ""
    seed_values: SeedValues = field(default_factory=SeedValues)

    def values(self) -> dict[str, Any]:
        """The same in plain values, with the signature in words; JSON-ready."""
        return {
            "network": "flood-filling network, convolution stack",
            "source": self.source,
            "step": self.step,
            "depth": self.size.depth,
            "features": self.size.features,
            "fov_zyx": list(self.geometry.fov_zyx),
            "deltas_zyx": list(self.geometry.deltas_zyx),
            "mean": self.mean,
            "stddev": self.stddev,
            "init_probability": self.seed_values.init,
            "pad_probability": self.seed_values.pad,
            "move_probability": self.seed_values.move,
            **SIGNATURE,
        }

    def as_json(self) -> str:
        """`values` as text."""
        return json.dumps(self.values(), indent=2) + "\n"
