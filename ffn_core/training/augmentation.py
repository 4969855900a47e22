"""Reflections and axis permutations of training examples.

One :class:`Augmentation` is drawn per example and applied to its image and its labels alike.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx

_AXIS_NAMES = "zyx"


@dataclass(frozen=True)
class Augmentation:
    """A reflection, then a permutation, of the z, y and x axes.

    Attributes:
        reflect: Whether each of the z, y, x axes of the input is reversed.
        permutation: Output axis i is input axis ``permutation[i]``, as in ``np.transpose``.
    """

    reflect: tuple[bool, bool, bool] = (False, False, False)
    permutation: Zyx = (0, 1, 2)

    def apply(self, array_zyx: np.ndarray) -> np.ndarray:
        """Return a view of a (z, y, x, ...) array; axes after the third stay where they are."""
        reversal = tuple(slice(None, None, -1 if flip else 1) for flip in self.reflect)
        rest = range(3, array_zyx.ndim)
        return array_zyx[reversal].transpose(*self.permutation, *rest)


def draw_augmentation(
    rng: np.random.Generator, reflect_axes: Sequence[int], permute_axes: Sequence[int]
) -> Augmentation:
    """Draw evenly from all reflections of some axes and all permutations of some axes.

    Args:
        rng: Source of randomness; the same number of draws is taken whatever comes out.
        reflect_axes: Axes (0 = z, 1 = y, 2 = x) that may be reversed.
        permute_axes: Axes that may change places; their extents must be equal, see
            :func:`check_permutable`.
    """
    z_flip, y_flip, x_flip = (
        bool(flip) and axis in reflect_axes for axis, flip in enumerate(rng.integers(2, size=3))
    )
    places = sorted(permute_axes)
    orders = list(itertools.permutations(places))
    moved = dict(zip(places, orders[rng.integers(len(orders))], strict=True))
    return Augmentation(
        (z_flip, y_flip, x_flip), (moved.get(0, 0), moved.get(1, 1), moved.get(2, 2))
    )


def check_permutable(shape_zyx: Zyx, permute_axes: Sequence[int]) -> None:
    """Check that windows of this shape keep it under all permutations of the axes.

    Raises:
        InputError: An axis that does not exist or is named twice, or axes of different extents.
    """
    if not set(permute_axes) <= {0, 1, 2} or len(set(permute_axes)) != len(permute_axes):
        raise InputError(
            f"permute_axes {tuple(permute_axes)} must be different axes out of 0 (z), 1 (y), 2 (x)"
        )
    if len({shape_zyx[axis] for axis in permute_axes}) > 1:
        names = "".join(_AXIS_NAMES[axis] for axis in permute_axes)
        raise InputError(
            f"axes {names} of a window of shape zyx {shape_zyx} differ in extent and cannot be"
            " permuted; permute only axes of equal extent (data.permute_axes)"
        )
