"""The inference canvas: one object being filled, FOV by FOV, from a seed point."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ffn_core.geometry import FovGeometry, Zyx, to_zyx
from ffn_core.inference.settings import FloodSettings
from ffn_core.movement import scored_face_moves
from ffn_core.seed import logit

Window = tuple[slice, slice, slice]


@dataclass(frozen=True)
class FloodState:
    """An object half filled.

    Attributes:
        point: (3,) int64 seed point zyx.
        visited: (n, 3) int64 positions in the order of their visits, at least one.
        queue: (m, 3) int64 positions to try.
        logits: (z, y, x) float32 of the bounding box of all FOVs visited; NaN where unvisited.
    """

    point: np.ndarray
    visited: np.ndarray
    queue: np.ndarray
    logits: np.ndarray


class Canvas:
    """The mask logits of one object and the queue of positions to visit.

    The published inference: google/ffn ``Canvas.segment_at`` with ``FaceMaxMovementPolicy``. The
    caller alternates `next_position`, a forward pass on what `read` gives, and `write`, until
    `next_position` returns None. Memory is reused from object to object.
    """

    def __init__(
        self,
        image: np.ndarray,
        segments: np.ndarray,
        geometry: FovGeometry,
        settings: FloodSettings,
    ) -> None:
        """Hold views of two arrays that other canvases share.

        Args:
            image: (z, y, x) float32, normalized; not written to.
            segments: (z, y, x) integer ids of the objects kept so far, 0 elsewhere; read here,
                written by the caller. FOVs are not centered on kept objects.
            geometry: FOV and deltas.
            settings: Thresholds.
        """
        self._image = image
        self._segments = segments
        self._geometry = geometry
        self._settings = settings
        self._radius: Zyx = to_zyx(f // 2 for f in geometry.fov_zyx)
        self._move = settings.seed_values.move_logit
        self._pad = np.float32(logit(settings.seed_values.pad))
        self._seed = np.full(image.shape, np.nan, np.float32)
        self.point: Zyx = (0, 0, 0)
        self.visited: list[Zyx] = []

    def start(self, point: Zyx) -> None:
        """Begin a new object at ``point``; the FOV around it must lie inside the image."""
        if self.visited:
            self._seed[self._touched()] = np.nan
        self._seed[self.point] = np.nan
        self._seed[point] = logit(self._settings.seed_values.init)
        self.point = point
        self.visited = []
        self._queue: deque[Zyx] = deque([point])
        self._done: set[Zyx] = set()

    def state(self, pending: Zyx | None) -> FloodState:
        """What `restore` needs; ``pending`` is a position taken from the queue but not written."""
        waiting = [*([] if pending is None else [pending]), *self._queue]
        return FloodState(
            np.array(self.point, np.int64),
            np.array(self.visited, np.int64),
            np.array(waiting, np.int64).reshape(-1, 3),
            self._seed[self._touched()].copy(),
        )

    def restore(self, state: FloodState) -> None:
        """Continue where `state` was taken."""
        self.start(to_zyx(state.point.tolist()))
        self.visited = [to_zyx(position) for position in state.visited.tolist()]
        self._queue = deque(to_zyx(position) for position in state.queue.tolist())
        self._done = {self._cell(position) for position in self.visited}
        self._seed[self._touched()] = state.logits

    def next_position(self) -> Zyx | None:
        """Center of the next FOV; None when the object is finished, or its seed got too weak."""
        while self._queue:
            position = self._queue.popleft()
            if self._cell(position) not in self._done and self._may_visit(position):
                return position if self.seed_holds else None
        return None

    @property
    def seed_holds(self) -> bool:
        """Whether the network still takes the seed point for a part of the object."""
        return bool(self._seed[self.point] >= self._move)

    def read(self, position: Zyx, image: np.ndarray, seed: np.ndarray) -> None:
        """Copy the FOV at ``position`` into two float32 arrays (z, y, x) of the FOV's shape."""
        window = self._window(position)
        image[...] = self._image[window]
        seed[...] = self._seed[window]
        seed[np.isnan(seed)] = self._pad

    def write(self, position: Zyx, logits: np.ndarray) -> None:
        """Take in the prediction at ``position`` and queue the moves it suggests.

        Args:
            position: What `next_position` returned.
            logits: (z, y, x) float32 of the FOV's shape; changed in place where the bias against
                reconnecting applies.
        """
        window = self._window(position)
        limit = self._settings.disco_seed_threshold
        if limit >= 0 and np.count_nonzero(logits >= self._move) > limit * logits.size:
            old = self._seed[window]  # comparisons with NaN, the unvisited, are False
            frozen = (old < 0.0) & (logits > old)
            logits[frozen] = old[frozen]
        self._seed[window] = logits
        self.visited.append(position)
        self._done.add(self._cell(position))
        moves = scored_face_moves(logits, self._geometry.deltas_zyx, self._move)
        for _, (z, y, x) in sorted(moves, reverse=True):
            self._queue.append((position[0] + z, position[1] + y, position[2] + x))

    def object_mask(self) -> tuple[Window, np.ndarray]:
        """The object: a window of the image, and a bool array of its shape.

        Voxels of objects kept earlier may be in it.
        """
        window = self._touched()
        # NaN, never predicted, is no object.
        return window, self._seed[window] >= np.float32(self._settings.segment_logit)

    def _may_visit(self, position: Zyx) -> bool:
        z, y, x = position
        for p, radius, size in zip(position, self._radius, self._image.shape, strict=True):
            if p < radius or p + radius >= size:
                return False
        return bool(self._seed[z, y, x] >= self._move) and self._segments[z, y, x] == 0

    def _cell(self, position: Zyx) -> Zyx:
        """Cell of a grid of pitch deltas with the seed point in the middle of one."""
        return to_zyx(
            (p - s + d // 2) // max(d, 1)
            for p, s, d in zip(position, self.point, self._geometry.deltas_zyx, strict=True)
        )

    def _window(self, position: Zyx) -> Window:
        z, y, x = (
            slice(p - radius, p + radius + 1)
            for p, radius in zip(position, self._radius, strict=True)
        )
        return z, y, x

    def _touched(self) -> Window:
        """The bounding box of everything written since `start`."""
        z, y, x = (
            slice(min(along) - radius, max(along) + radius + 1)
            for along, radius in zip(zip(*self.visited, strict=True), self._radius, strict=True)
        )
        return z, y, x
