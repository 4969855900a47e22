"""Memory that something will need, estimated before it is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, Zyx
from ffn_core.limits.host import Host
from ffn_core.model_size import ModelSize

FLOAT32 = 4

PROGRAM_BYTES = 250 * 2**20
"""Own memory of a process that has imported TensorFlow and Horovod (unique set size, measured)."""

SHARED_BYTES = 250 * 2**20
"""Libraries of such processes, which all on one machine share (resident less unique, measured)."""

COPIES_OF_WEIGHTS = 10
"""Weights, gradients and their sums, two slots of the optimizer, average, its network, a copy."""

KEPT_PER_LAYER = 1.5
"""Arrays of activations that are kept for the backward pass, of each convolution.

With it the published network's rank comes out at the 0.67 GiB that it was measured to take.
"""

ALIVE_FORWARD = 4
"""Arrays of activations at the same time in a forward pass alone: input, two layers, workspace."""

SYNTHESIS_BYTES_PER_VOXEL = 60
"""Peak of `ffn_core.synthetic.neurites.synthesize`; measured at 128 and 200 voxels cubed: 59."""

CANVAS_BYTES_PER_VOXEL = 9
"""Image and seed in float32, truth as bool."""


def weights_bytes(size: ModelSize) -> int:
    """Weights and all that has their size in training."""
    return COPIES_OF_WEIGHTS * FLOAT32 * size.parameters


def training_bytes(size: ModelSize, geometry: FovGeometry, micro_batch: int) -> int:
    """Activations of a forward and backward pass over ``micro_batch`` FOVs."""
    one = micro_batch * geometry.fov_voxels * size.features * FLOAT32
    return math.ceil(KEPT_PER_LAYER * len(size.layers()) * one)


def forward_bytes(size: ModelSize, geometry: FovGeometry, batch: int) -> int:
    """Activations of a forward pass over ``batch`` FOVs."""
    return ALIVE_FORWARD * batch * geometry.fov_voxels * size.features * FLOAT32


def canvases_bytes(geometry: FovGeometry, count: int) -> int:
    """Training or validation canvases in memory."""
    return count * math.prod(geometry.canvas_zyx) * CANVAS_BYTES_PER_VOXEL


def synthesis_bytes(shape_zyx: Zyx) -> int:
    """What making a synthetic volume takes."""
    return math.prod(shape_zyx) * SYNTHESIS_BYTES_PER_VOXEL


def in_words(count: int) -> str:
    """A number of bytes as 1.5 GiB."""
    size, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return (
        f"{size:,.0f} {units[0]}" if size >= 10 or units[0] == "bytes" else f"{size:.1f} {units[0]}"
    )


def shortage(need: Mapping[str, int], what: str, free: int | None) -> str | None:
    """Say what does not fit, on one line; None if it fits, or nothing is known.

    Args:
        need: bytes of each part, by the options that decide on it.
        what: that needs them.
        free: bytes that may be taken; None if unknown.
    """
    total = sum(need.values())
    if free is None or total <= free:
        return None
    largest, size = max(need.items(), key=lambda item: item[1])
    return (
        f"{what} needs about {in_words(total)} of memory on this machine, which has "
        f"{in_words(free)} free; {in_words(size)} of it for {largest}: make that smaller"
    )


def require_memory(need: Mapping[str, int], what: str, host: Host | None = None) -> None:
    """Check that memory suffices; arguments are those of `shortage`.

    Raises:
        InputError: It does not.
    """
    said = shortage(need, what, (host or Host()).free_memory_bytes())
    if said is not None:
        raise InputError(said)
