"""The loop over seed points that turns an image into an id volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ffn_core.geometry import FovGeometry, Zyx, to_zyx
from ffn_core.inference.canvas import Canvas, FloodState
from ffn_core.inference.seeds import with_context
from ffn_core.inference.settings import FloodSettings

Forward: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(image, seed) -> logits, all (b, z, y, x, 1) float32."""


@dataclass(frozen=True)
class State:
    """Where a segmentation stands.

    Attributes:
        segments: (z, y, x) uint32 ids 1, 2, ... in the order of creation; 0 = none.
        next_point: seed points before this one are settled.
        fovs: FOVs evaluated.
        origins: (objects, 4) int64: seed point (z, y, x) and number of FOVs of each object.
        flood: the object under way from point ``next_point``, if any.
        small: (z, y, x) bool: where an object was found that was too small to be kept; None if
            that was not looked at, as in older files.
        small_objects: (objects, 4) int64: seed point (z, y, x) and voxels of each of those.
    """

    segments: np.ndarray
    next_point: int
    fovs: int
    origins: np.ndarray
    flood: FloodState | None = None
    small: np.ndarray | None = None
    small_objects: np.ndarray | None = None


class Segmenter:
    """Fill objects from seed points, one after another (google/ffn ``Canvas.segment_all``).

    Whether a point is tried, and where its object may grow, depends on the objects kept before,
    so one volume is filled FOV by FOV. `Batch` evaluates FOVs of several volumes together.
    """

    def __init__(
        self,
        image: np.ndarray,
        points: np.ndarray,
        geometry: FovGeometry,
        settings: FloodSettings,
    ) -> None:
        """Start with nothing segmented.

        Args:
            image: (z, y, x) float32, normalized as the network was trained.
            points: (n, 3) seed points zyx, in order; those without a whole FOV are left out.
            geometry: FOV and deltas; the FOV must fit into the image.
            settings: Thresholds.
        """
        self._points = with_context(points, geometry.fov_zyx, to_zyx(image.shape))
        self._settings = settings
        self.segments = np.zeros(image.shape, np.uint32)
        self.next_point = 0
        self.fovs = 0
        self._origins: list[tuple[int, int, int, int]] = []
        self._small = np.zeros(image.shape, bool)
        self._small_objects: list[tuple[int, int, int, int]] = []
        self._canvas = Canvas(image, self.segments, geometry, settings)
        self._position: Zyx | None = None
        self._begin()

    @property
    def finished(self) -> bool:
        """Whether every seed point is settled."""
        return self.next_point == len(self._points)

    @property
    def objects(self) -> int:
        """Objects kept so far."""
        return len(self._origins)

    def progress(self) -> float:
        """Fraction of seed points that are settled, or lie in an object that was kept."""
        if self.finished:
            return 1.0
        z, y, x = self._points[self.next_point :].T
        ahead = int(np.count_nonzero(self.segments[z, y, x]))
        return (self.next_point + ahead) / len(self._points)

    def read(self, image: np.ndarray, seed: np.ndarray) -> None:
        """Copy the next FOV into two float32 arrays (z, y, x); not once `finished`."""
        assert self._position is not None
        self._canvas.read(self._position, image, seed)

    def write(self, logits: np.ndarray) -> None:
        """Take in the prediction (z, y, x) for the FOV last read, and settle what it settles."""
        assert self._position is not None
        self._canvas.write(self._position, logits)
        self.fovs += 1
        self._position = self._canvas.next_position()
        if self._position is None:
            self._keep()
            self.next_point += 1
            self._begin()

    def state(self) -> State:
        """A copy of where it stands."""
        flood = self._canvas.state(self._position) if self._canvas.visited else None
        return State(
            self.segments.copy(),
            self.next_point,
            self.fovs,
            np.array(self._origins, np.int64).reshape(-1, 4),
            None if self.finished else flood,
            self._small.copy(),
            np.array(self._small_objects, np.int64).reshape(-1, 4),
        )

    def restore(self, state: State) -> None:
        """Continue from `state`, with the same arguments at construction."""
        self.segments[...] = state.segments
        self.next_point, self.fovs = state.next_point, state.fovs
        self._origins = [tuple(row) for row in state.origins.tolist()]
        if state.small is not None and state.small_objects is not None:
            self._small[...] = state.small
            self._small_objects = [tuple(row) for row in state.small_objects.tolist()]
        if state.flood is None:
            self._begin()
        else:
            self._canvas.restore(state.flood)
            self._position = self._canvas.next_position()

    def _begin(self) -> None:
        """Go to the next seed point that may be tried."""
        while not self.finished:
            point = to_zyx(self._points[self.next_point].tolist())
            if not self._blocked(point):
                self._canvas.start(point)
                self._position = self._canvas.next_position()
                return
            self.next_point += 1

    def _blocked(self, point: Zyx) -> bool:
        """Whether an object lies at the point or within the minimum distance of it."""
        near = tuple(
            slice(max(p - distance, 0), p + distance + 1)
            for p, distance in zip(point, self._settings.min_boundary_dist_zyx, strict=True)
        )
        return bool(self.segments[near].any())

    def _keep(self) -> None:
        """Give the finished object an id if its seed held and it is large enough."""
        canvas = self._canvas
        if not canvas.seed_holds:
            return
        window, mask = canvas.object_mask()
        mask &= self.segments[window] == 0
        if np.count_nonzero(mask) >= self._settings.min_segment_size:
            self._origins.append((*canvas.point, len(canvas.visited)))
            self.segments[window][mask] = len(self._origins)
        else:
            self._drop(window, mask)

    def _drop(self, window: tuple[slice, slice, slice], mask: np.ndarray) -> None:
        """Note an object that is too small; one found from several seed points counts once."""
        voxels, known = np.count_nonzero(mask), np.count_nonzero(mask & self._small[window])
        self._small[window] |= mask
        if 2 * known < voxels:
            self._small_objects.append((*self._canvas.point, voxels))


class Batch:
    """Evaluate the next FOVs of several segmentations in one forward pass.

    They share nothing but the pass, so the result does not depend on how many go together.
    """

    def __init__(self, forward: Forward, fov_zyx: Zyx, size: int) -> None:
        """``size`` is the number of FOVs per pass."""
        self._forward = forward
        self._image = np.zeros((size, *fov_zyx, 1), np.float32)
        self._seed = np.zeros((size, *fov_zyx, 1), np.float32)

    def step(self, segmenters: Sequence[Segmenter]) -> None:
        """Advance up to ``size`` unfinished segmentations by one FOV each."""
        for row, segmenter in enumerate(segmenters):
            segmenter.read(self._image[row, ..., 0], self._seed[row, ..., 0])
        # Rows past the active ones repeat old data: one batch shape means one compiled graph.
        logits = self._forward(self._image, self._seed)
        for row, segmenter in enumerate(segmenters):
            segmenter.write(logits[row, ..., 0])
