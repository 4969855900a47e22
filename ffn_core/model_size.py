"""The size of a network and what follows from it, without TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ffn_core.errors import InputError

KERNEL_EDGE = 3

PRECISIONS = ("float32", "bfloat16", "tf32")
"""Number formats that the convolutions may compute with; see `ffn_core.model.ConvStack`."""

TRAINING_OVER_FORWARD = 3
"""Gradients with respect to activations and to weights each repeat the forward pass's products."""


@dataclass(frozen=True)
class ModelSize:
    """Depth (modules of two 3x3x3 convolutions) and features (channels) of the stack."""

    depth: int
    features: int

    def __post_init__(self) -> None:
        for name in ("depth", "features"):
            if getattr(self, name) < 1:
                raise InputError(f"model.{name}={getattr(self, name)} must be at least 1")

    def layers(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and kernel shape (z, y, x, channels in, channels out) of each convolution.

        The names are those of the published TensorFlow 1 checkpoints.
        """
        cube = (KERNEL_EDGE,) * 3
        layers: list[tuple[str, tuple[int, ...]]] = [("conv0_a", (*cube, 2, self.features))]
        layers.append(("conv0_b", (*cube, self.features, self.features)))
        for i in range(1, self.depth):
            layers += [(f"conv{i}_{part}", (*cube, self.features, self.features)) for part in "ab"]
        layers.append(("conv_lom", (1, 1, 1, self.features, 1)))
        return layers

    @property
    def parameters(self) -> int:
        """Number of trainable scalars."""
        return sum(math.prod(shape) + shape[-1] for _, shape in self.layers())

    def forward_flops(self, fov_voxels: int) -> int:
        """Multiply-adds of one FOV's forward pass, counted as two operations each."""
        return sum(2 * math.prod(shape) * fov_voxels for _, shape in self.layers())

    def training_flops(self, fov_voxels: int) -> int:
        """Operations of training on one FOV: `TRAINING_OVER_FORWARD` times the forward pass's.

        (The first layer needs no gradient with respect to its input; the 2 of its channels are
        left in, under 0.3 %.)
        """
        return TRAINING_OVER_FORWARD * self.forward_flops(fov_voxels)
