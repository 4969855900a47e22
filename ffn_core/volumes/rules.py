"""What every voxel of an image, and every one of a segmentation, must be."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, to_zyx

_LARGEST = float(np.finfo(np.float32).max)


class UnusableVoxels(InputError):
    """Voxels that break a rule.

    Attributes:
        count: How many do.
        voxels: Of how many that were read.
        first_zyx: The first of them in the volume.
    """

    def __init__(
        self, source: str, rule: "Rule", count: int, voxels: int, first_zyx: Zyx, value: object
    ) -> None:
        super().__init__(
            f"{source}: {count} of {voxels} voxels read {rule.problem}; the first is {value}"
            f" at zyx {first_zyx}: {rule.cure}"
        )
        self.source, self.rule, self.value = source, rule, value
        self.count, self.voxels, self.first_zyx = count, voxels, first_zyx

    def __add__(self, other: "UnusableVoxels") -> "UnusableVoxels":
        """Both at once, of two parts of one volume."""
        first = min(self, other, key=lambda each: each.first_zyx)
        count, voxels = self.count + other.count, self.voxels + other.voxels
        return UnusableVoxels(self.source, self.rule, count, voxels, first.first_zyx, first.value)

    def among(self, voxels: int) -> "UnusableVoxels":
        """The same of more voxels, of which the others keep the rule."""
        return UnusableVoxels(
            self.source, self.rule, self.count, voxels, self.first_zyx, self.value
        )


@dataclass(frozen=True)
class Rule:
    """What is asked of each voxel.

    Attributes:
        problem: What is said of voxels that break it.
        cure: What to do then.
        broken: Takes an array of any type; a bool array, True where the rule is broken, or None
            if it is kept everywhere.
    """

    problem: str
    cure: str
    broken: Callable[[np.ndarray], np.ndarray | None]

    def require(self, values: np.ndarray, start_zyx: Zyx, source: str) -> None:
        """Check (z, y, x) voxels that lie at ``start_zyx`` of the volume ``source``.

        Raises:
            UnusableVoxels: Some break the rule.
        """
        broken = self.broken(values)
        if broken is None:
            return
        place = np.unravel_index(int(np.argmax(broken)), broken.shape)
        first = to_zyx(int(a) + int(b) for a, b in zip(start_zyx, place, strict=True))
        count = int(np.count_nonzero(broken))
        raise UnusableVoxels(source, self, count, broken.size, first, values[place])


def _not_finite(values: np.ndarray) -> np.ndarray | None:
    if values.dtype.kind != "f":
        return None
    if values.dtype.itemsize <= np.dtype(np.float32).itemsize:
        fine = np.isfinite(values)
    else:
        fine = np.abs(values) <= _LARGEST  # false for NaN
    return None if fine.all() else ~fine


def _no_id(values: np.ndarray) -> np.ndarray | None:
    if values.dtype.kind == "i":
        broken = values < 0
    elif values.dtype.kind == "u" and values.dtype.itemsize >= np.dtype(np.uint32).itemsize:
        broken = values == np.iinfo(values.dtype).max
    else:
        return None
    return broken if broken.any() else None


INTENSITIES = Rule(
    "are not finite in float32",
    "write a number there, such as the mean, or leave those sections out",
    _not_finite,
)
"""Networks compute in float32, where one NaN or infinity makes everything around it NaN."""

IDS = Rule(
    "hold no object id (ids are 0 or above, and the largest of uint32 and uint64 is -1 unsigned)",
    "write 0 where nothing is annotated, or say where labels are true (data.labels_box,"
    " data.labels_mask)",
    _no_id,
)
"""-1 for "not annotated" would be the largest object of the volume, and so would 2^64 - 1."""
