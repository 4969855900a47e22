"""From the data section of a config to canvas sources for training and validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.config.schema import Config, DataConfig, VolumeConfig
from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, Zyx
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.training.examples import CanvasSource, LabeledVolume
from ffn_core.volumes import ArrayVolume, check_pair, open_labels, open_volume


def open_dataset(data: DataConfig, geometry: FovGeometry) -> list[LabeledVolume]:
    """Open the volumes that ``data`` names, prepared as `experiments.launch.prepare` leaves them.

    Raises:
        InputError: Something is missing, or does not belong together.
    """
    if data.kind == "dummy":
        return [_dummy(geometry)]
    return [_open_source(source, data.cache_bytes, geometry) for source in data.sources]


def _open_source(source: VolumeConfig, cache_bytes: int, geometry: FovGeometry) -> LabeledVolume:
    if source.coordinates is None or source.mean is None or source.stddev is None:
        raise InputError(f"coordinates, mean and stddev of {source.image} must be set")
    if source.stddev <= 0:
        raise InputError(f"stddev={source.stddev} of {source.image} must be above 0")
    image = open_volume(source.image, cache_bytes)
    labels = open_labels(source.labels, cache_bytes)
    check_pair(image, labels)
    coordinates = Coordinates.load(source.coordinates)
    if coordinates.shape_zyx != labels.shape_zyx:
        raise InputError(
            f"{source.coordinates} was prepared for a volume of shape {coordinates.shape_zyx}, "
            f"{source.labels} has {labels.shape_zyx}; prepare it again"
        )
    for radius, lom in zip(geometry.canvas_radius_zyx, coordinates.lom_radius_zyx, strict=True):
        if lom < radius:
            raise InputError(
                f"{source.coordinates} keeps {coordinates.lom_radius_zyx} voxels from the border, "
                f"canvases need {geometry.canvas_radius_zyx}: prepare it with that lom radius"
            )
    return LabeledVolume(image, labels, coordinates, source.mean, source.stddev, source.weight)


def held_out_boundary(shape_zyx: Zyx, fraction: float) -> tuple[int, int]:
    """The longest axis of a volume, and the first section along it that is held out."""
    axis = int(np.argmax(shape_zyx))
    return axis, round(shape_zyx[axis] * (1.0 - fraction))


def split(
    volume: LabeledVolume, geometry: FovGeometry, fraction: float
) -> tuple[Coordinates, Coordinates]:
    """Coordinates for training and for validation whose canvases share no voxel.

    The last ``fraction`` of the longest axis is held out; canvases that would cross the boundary
    are used by neither.
    """
    shape = volume.labels.shape_zyx
    axis, boundary = held_out_boundary(shape, fraction)
    radius = geometry.canvas_radius_zyx[axis]
    start, stop = [0, 0, 0], list(shape)
    stop[axis] = boundary - radius
    train_stop: Zyx = (stop[0], stop[1], stop[2])
    start[axis] = boundary + radius
    held_out_start: Zyx = (start[0], start[1], start[2])
    held_out = max(shape[axis] - boundary, 0)
    if min(held_out, boundary) < 2 * radius + 1:
        raise InputError(
            f"validation.fraction={fraction} of {shape[axis]} voxels leaves {boundary} to train on "
            f"and {held_out} to validate on; a canvas needs {2 * radius + 1} in each "
            f"(labels {volume.labels.source})"
        )
    return (
        volume.coordinates.within((0, 0, 0), train_stop),
        volume.coordinates.within(held_out_start, shape),
    )


def canvas_sources(config: Config) -> tuple[CanvasSource, list[CanvasSource]]:
    """Source of training canvases, and sources of held-out ones (none if validation is off).

    Each volume is split by itself; canvases of the parts held out are drawn with the same weights,
    from one source. Each volume that is held out as a whole is a source of its own.
    """
    geometry, validation = config.model.geometry, config.validation
    training = open_dataset(config.data, geometry)
    held_out: list[LabeledVolume] = []
    if validation.canvases and validation.fraction:
        parts = [split(volume, geometry, validation.fraction) for volume in training]
        pairs = list(zip(training, parts, strict=True))
        training = [replace(volume, coordinates=part[0]) for volume, part in pairs]
        held_out = [replace(volume, coordinates=part[1]) for volume, part in pairs]
    source = CanvasSource(
        training,
        geometry,
        config.seed_values,
        policy=config.movement.policy,
        shuffle=config.movement.shuffle,
        reflect_axes=tuple(config.data.reflect_axes),
        permute_axes=tuple(config.data.permute_axes),
    )
    groups = [held_out] if held_out else []
    if validation.canvases:
        cache_bytes = config.data.cache_bytes
        groups += [[_open_source(v, cache_bytes, geometry)] for v in validation.volumes]
    return source, [
        CanvasSource(group, geometry, config.seed_values, "fixed", shuffle=False)
        for group in groups
    ]


def _dummy(geometry: FovGeometry) -> LabeledVolume:
    """Noise in memory with one object in the middle half of each axis, for timing."""
    shape: Zyx = tuple(2 * size for size in geometry.canvas_zyx)  # type: ignore[assignment]
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(n // 4, n - n // 4) for n in shape)] = 1
    partitions = np.zeros(shape, np.uint8)
    radius = geometry.canvas_radius_zyx
    inner = tuple(slice(r, n - r) for r, n in zip(radius, shape, strict=True))
    partitions[inner] = labels[inner]
    coordinates = Coordinates.from_partitions(partitions, radius, (1.0,), 1, "dummy data")
    return LabeledVolume(ArrayVolume(image), ArrayVolume(labels), coordinates, 0.0, 1.0)
