"""Movement policies: which FOV of a canvas is visited next, given the seed so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, Zyx

POLICIES = ("fixed", "max_pred")


class Movement(Protocol):
    """The order in which one training canvas is visited."""

    def next_offset(self, seed: np.ndarray) -> Zyx | None:
        """Offset from the canvas center of the next FOV; None when the canvas is finished.

        Args:
            seed: (z, y, x) float32 logits of the whole canvas, all earlier predictions written.
        """

    def state(self) -> dict[str, Any]:
        """What `restore` needs to continue from here, as JSON-ready values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from where ``state`` was taken."""


class FixedMovement:
    """Center first, then the given shifts, each only if the seed there has reached the threshold.

    This is the training movement of the published FFN (google/ffn ``fixed_offsets``).
    """

    def __init__(self, geometry: FovGeometry, threshold: float, order: np.ndarray) -> None:
        """``order`` permutes ``geometry.shifts_zyx``; ``threshold`` is a logit."""
        shifts = geometry.shifts_zyx
        self._offsets: list[Zyx] = [(0, 0, 0), *(shifts[i] for i in order)]
        self._center = geometry.canvas_radius_zyx
        self._threshold = threshold
        self._next = 0

    def next_offset(self, seed: np.ndarray) -> Zyx | None:
        """See `Movement.next_offset`."""
        cz, cy, cx = self._center
        while self._next < len(self._offsets):
            z, y, x = offset = self._offsets[self._next]
            self._next += 1
            if seed[cz + z, cy + y, cx + x] >= self._threshold:
                return offset
        return None

    def state(self) -> dict[str, Any]:
        """See `Movement.state`."""
        return {"next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Movement.restore`."""
        self._next = state["next"]


class MaxPredMovement:
    """Breadth first toward the strongest prediction on each face of the FOV's inner box.

    The movement of inference applied to a training canvas (google/ffn ``max_pred_offsets``):
    offsets are no longer multiples of deltas, and a cell of the delta grid is visited once.
    """

    def __init__(self, geometry: FovGeometry, threshold: float) -> None:
        self._geometry = geometry
        self._threshold = threshold
        self._queue: deque[Zyx] = deque([(0, 0, 0)])
        self._done: set[Zyx] = set()
        self._last: Zyx | None = None

    def next_offset(self, seed: np.ndarray) -> Zyx | None:
        """See `Movement.next_offset`."""
        if self._last is not None:
            self._extend(seed, self._last)
            self._last = None
        deltas = self._geometry.deltas_zyx
        while self._queue:
            offset = self._queue.popleft()
            if any(abs(o) > d for o, d in zip(offset, deltas, strict=True)):
                continue  # the FOV would leave the canvas
            if (cell := _grid_cell(offset, deltas)) in self._done:
                continue
            self._done.add(cell)
            self._last = offset
            return offset
        return None

    def _extend(self, seed: np.ndarray, offset: Zyx) -> None:
        window = seed[self._geometry.window(offset)]
        moves = scored_face_moves(window, self._geometry.deltas_zyx, self._threshold)
        for _, (z, y, x) in sorted(moves, reverse=True):
            self._queue.append((offset[0] + z, offset[1] + y, offset[2] + x))

    def state(self) -> dict[str, Any]:
        """See `Movement.state`."""
        return {
            "queue": [list(o) for o in self._queue],
            "done": [list(o) for o in sorted(self._done)],
            "last": None if self._last is None else list(self._last),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Movement.restore`."""
        self._queue = deque((o[0], o[1], o[2]) for o in state["queue"])
        self._done = {(o[0], o[1], o[2]) for o in state["done"]}
        last = state["last"]
        self._last = None if last is None else (last[0], last[1], last[2])


def _grid_cell(offset: Zyx, deltas: Zyx) -> Zyx:
    z, y, x = ((o + d // 2) // max(d, 1) for o, d in zip(offset, deltas, strict=True))
    return z, y, x


def scored_face_moves(
    logits: np.ndarray, deltas_zyx: Zyx, threshold: float
) -> Iterator[tuple[float, Zyx]]:
    """Move toward the strongest voxel on each face of the box at +-deltas about the center.

    Args:
        logits: (z, y, x) float32 object logits of one FOV.
        deltas_zyx: half edge lengths of the box; an axis with 0 has no faces.
        threshold: faces whose maximum stays below this logit give no move.

    Yields:
        (logit of the voxel, its offset from the FOV center).
    """
    center = [size // 2 for size in logits.shape]
    box = [slice(c - d, c + d + 1) for c, d in zip(center, deltas_zyx, strict=True)]
    for axis, delta in enumerate(deltas_zyx):
        for step in (-delta, delta) if delta else ():
            face_index: list[Any] = list(box)
            face_index[axis] = center[axis] + step
            face = logits[tuple(face_index)]
            position = np.unravel_index(int(face.argmax()), face.shape)
            score = float(face[position])
            if score < threshold:
                continue
            relative = [int(p) - size // 2 for p, size in zip(position, face.shape, strict=True)]
            relative.insert(axis, step)
            yield score, (relative[0], relative[1], relative[2])


def make_movement(
    policy: str,
    geometry: FovGeometry,
    threshold: float,
    shuffle: bool,
    rng: np.random.Generator,
) -> Movement:
    """Start a movement over one canvas.

    Args:
        policy: one of `POLICIES`.
        geometry: FOV and deltas.
        threshold: logit a position must have reached to be visited.
        shuffle: whether ``fixed`` visits the shifts in an order drawn from ``rng``.
        rng: consumed only for that draw.

    Raises:
        InputError: for an unknown policy.
    """
    if policy == "fixed":
        count = len(geometry.shifts_zyx)
        order = rng.permutation(count) if shuffle else np.arange(count)
        return FixedMovement(geometry, threshold, order)
    if policy == "max_pred":
        return MaxPredMovement(geometry, threshold)
    raise InputError(f"movement.policy={policy!r} is unknown; choose from {', '.join(POLICIES)}")
