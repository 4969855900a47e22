"""The example stream: training canvases one after another, with the network's feedback in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ffn_core.geometry import FovGeometry, Zyx
from ffn_core.movement import Movement, make_movement
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import PartialLabels
from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.seed import SeedValues
from ffn_core.training.augmentation import check_permutable, draw_augmentation
from ffn_core.training.image_augmentation import ImageAugmentation
from ffn_core.volumes import Volume, read_normalized

Window = tuple[slice, slice, slice]


@dataclass(frozen=True)
class LabeledVolume:
    """An image with its segmentation and where canvases may be centered in it.

    Attributes:
        image: intensities.
        labels: object ids of the same shape; `PartialLabels` where they are not true everywhere.
        coordinates: centers of training canvases.
        mean: subtracted from intensities,
        stddev: and divided by afterwards.
        weight: how often this volume is drawn from, relative to the others.
    """

    image: Volume
    labels: Volume
    coordinates: Coordinates
    mean: float
    stddev: float
    weight: float = 1.0

    def labeled(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray | None:
        """Which voxels of a window are labeled, (z, y, x) bool; None where all of the volume is."""
        if isinstance(self.labels, PartialLabels):
            return self.labels.labeled(start_zyx, shape_zyx)
        return None


class Canvas:
    """One object to learn: image, truth and seed around a point of it, and the movement over them.

    All arrays are (z, y, x) of the geometry's canvas size: ``image`` float32 normalized,
    ``is_object`` bool, ``seed`` float32 logits, ``labeled`` bool, where truth is known, or None
    where it is everywhere.
    """

    def __init__(
        self,
        image: np.ndarray,
        is_object: np.ndarray,
        seed: np.ndarray,
        movement: Movement,
        geometry: FovGeometry,
        labeled: np.ndarray | None = None,
    ) -> None:
        self.image = image
        self.is_object = is_object
        self.seed = seed
        self.movement = movement
        self.geometry = geometry
        self.labeled = labeled

    def first_window(self) -> Window:
        """Slices of the FOV at the center, which is always visited."""
        window = self.next_window()
        assert window is not None, "SeedValues guarantees that the center may be visited"
        return window

    def next_window(self) -> Window | None:
        """Slices of the next FOV, given all predictions so far in the seed; None at the end."""
        offset = self.movement.next_offset(self.seed)
        return None if offset is None else self.geometry.window(offset)


@dataclass(frozen=True)
class CanvasSource:
    """Draw canvases from labeled volumes.

    Attributes:
        volumes: where to draw from.
        geometry: FOV and deltas.
        seed_values: seed probabilities and the move threshold.
        policy: movement policy.
        shuffle: whether the fixed policy shuffles its shifts.
        reflect_axes: axes (0 = z, 1 = y, 2 = x) flipped at random.
        permute_axes: axes exchanged at random.
        image_augmentation: how images are changed at random, before they are turned.
    """

    volumes: Sequence[LabeledVolume]
    geometry: FovGeometry
    seed_values: SeedValues
    policy: str = "fixed"
    shuffle: bool = True
    reflect_axes: tuple[int, ...] = ()
    permute_axes: tuple[int, ...] = ()
    image_augmentation: ImageAugmentation = field(default_factory=ImageAugmentation)

    def __post_init__(self) -> None:
        check_permutable(self.geometry.canvas_zyx, self.permute_axes)

    @property
    def partly_labeled(self) -> bool:
        """Whether there are voxels whose truth is not known."""
        return any(isinstance(volume.labels, PartialLabels) for volume in self.volumes)

    def draw(self, rng: np.random.Generator) -> Canvas:
        """Draw a volume, a coordinate, an augmentation and a movement order, all from ``rng``."""
        volume = self.volumes[0]
        if len(self.volumes) > 1:
            weights = np.array([v.weight for v in self.volumes])
            volume = self.volumes[rng.choice(len(self.volumes), p=weights / weights.sum())]
        center = volume.coordinates.sample(rng)
        augment = draw_augmentation(rng, self.reflect_axes, self.permute_axes).apply
        movement = make_movement(
            self.policy, self.geometry, self.seed_values.move_logit, self.shuffle, rng
        )
        return self._build(volume, center, augment, movement, self._changes(rng))

    def _changes(self, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
        """Draw how the image is changed: one number of ``rng``, and none if it stays as it is.

        So canvases are the same ones whatever is done to their images.
        """
        if not self.image_augmentation.is_on:
            return lambda image: image
        own = np.random.default_rng(rng.integers(2**63))
        return lambda image: self.image_augmentation.apply(image, own)

    def _build(
        self,
        volume: LabeledVolume,
        center: Zyx,
        augment: Callable[[np.ndarray], np.ndarray],
        movement: Movement,
        change: Callable[[np.ndarray], np.ndarray],
    ) -> Canvas:
        z, y, x = (c - r for c, r in zip(center, self.geometry.canvas_radius_zyx, strict=True))
        shape = self.geometry.canvas_zyx
        labels = volume.labels.read((z, y, x), shape)
        is_object = labels == volume.labels.read(center, (1, 1, 1))[0, 0, 0]
        labeled = volume.labeled((z, y, x), shape)
        if labeled is None and self.partly_labeled:  # by another volume
            labeled = np.ones(shape, bool)
        image = read_normalized(volume.image, (z, y, x), shape, volume.mean, volume.stddev)
        return Canvas(
            image=np.ascontiguousarray(augment(change(image))),
            is_object=np.ascontiguousarray(augment(is_object)),
            seed=self.seed_values.canvas(shape),
            movement=movement,
            geometry=self.geometry,
            labeled=None if labeled is None else np.ascontiguousarray(augment(labeled)),
        )


class ExampleStream:
    """An endless sequence of FOVs, canvas after canvas, of one slot of a logical node's batch.

    The caller alternates: `advance` to the next FOV, use ``canvas`` under ``window``, `write` the
    prediction back. What comes next depends on what was written, so nothing can be fetched ahead.
    """

    def __init__(self, source: CanvasSource, seed: int, node: int, slot: int) -> None:
        """Start the stream of ``slot`` in logical ``node``, a function of the run's ``seed``."""
        self._source = source
        self._threshold = source.seed_values.move_logit
        self._seed, self._key = seed, (node, slot)
        self._begin(self._key)

    def restart(self, fovs: int) -> None:
        """Begin again in a training that has processed ``fovs`` FOVs, above 0, over all nodes.

        A function of the seed, node, slot and ``fovs``: with other examples than any part of the
        training that began at another count.
        """
        self._begin((*self._key, fovs))

    def _begin(self, key: tuple[int, ...]) -> None:
        sequence = np.random.SeedSequence(self._seed, spawn_key=key)
        self._rng = np.random.Generator(np.random.PCG64(sequence))
        self._counts = VoxelCounts()
        self._draw()

    def _draw(self) -> None:
        self._rng_before = self._rng.bit_generator.state
        self.canvas = self._source.draw(self._rng)
        self.window: Window = self.canvas.first_window()

    def advance(self) -> None:
        """Move to the next FOV, on a new canvas when this one is finished."""
        window = self.canvas.next_window()
        if window is not None:
            self.window = window
            return
        canvas = self.canvas
        self._counts += VoxelCounts.of_canvas(
            canvas.seed, canvas.is_object, self._threshold, canvas.labeled
        )
        self._draw()

    def write(self, logits: np.ndarray) -> None:
        """Put the predicted (z, y, x) logits of the current FOV into the canvas."""
        self.canvas.seed[self.window] = logits

    def take_counts(self) -> VoxelCounts:
        """Counts over the canvases finished since the last call."""
        counts, self._counts = self._counts, VoxelCounts()
        return counts

    def state(self) -> dict[str, Any]:
        """Everything but the seed array, JSON-ready, as of after a `write`.

        A canvas is a function of the random state before it was drawn, so that state stands for
        image, labels and augmentation.
        """
        return {
            "rng_before_canvas": self._rng_before,
            "movement": self.canvas.movement.state(),
            "window": [[s.start, s.stop] for s in self.window],
            "counts": self._counts.as_array().tolist(),
        }

    def restore(self, state: dict[str, Any], seed: np.ndarray) -> None:
        """Continue as if never stopped, from `state` and a copy of ``canvas.seed``."""
        self._rng.bit_generator.state = state["rng_before_canvas"]
        self._draw()
        self.canvas.movement.restore(state["movement"])
        self.canvas.seed[...] = seed
        z, y, x = (slice(start, stop) for start, stop in state["window"])
        self.window = (z, y, x)
        self._counts = VoxelCounts.from_array(np.array(state["counts"]))
