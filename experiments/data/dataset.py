"""From the data section of a config to canvas sources for training and validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.config.schema import Config, DataConfig, ValidationConfig, VolumeConfig
from ffn_core.errors import InputError
from ffn_core.geometry import Box, FovGeometry, Zyx, to_zyx
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import (
    Corners,
    box_of,
    labeled_extent,
    open_partial_labels,
)
from ffn_core.training.examples import CanvasSource, LabeledVolume
from ffn_core.volumes import ArrayVolume, check_pair, open_volume


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
    labels = open_partial_labels(source.labels, source.labels_box, source.labels_mask, cache_bytes)
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


def held_out_box(labeled: Box, validation: ValidationConfig) -> Box:
    """The part of a volume, whose labels lie in a box, that is validated on."""
    if validation.box is not None:
        return box_of(validation.box, "validation.box")
    axis, boundary = held_out_boundary(labeled.shape_zyx, validation.fraction)
    start, shape = list(labeled.start_zyx), list(labeled.shape_zyx)
    start[axis] += boundary
    shape[axis] -= boundary
    return Box(to_zyx(start), to_zyx(shape))


def split(
    volume: LabeledVolume, geometry: FovGeometry, validation: ValidationConfig
) -> tuple[Coordinates, Coordinates]:
    """Coordinates for training and for validation whose canvases share no voxel.

    Held out is `held_out_box`: a box of one's own, or the end of the longest axis of what is
    labeled. Canvases that would cross its border are used by neither.
    """
    if validation.box is not None:
        return _split_at_box(volume, geometry, validation.box)
    return _split_along_axis(volume, geometry, validation)


def _split_along_axis(
    volume: LabeledVolume, geometry: FovGeometry, validation: ValidationConfig
) -> tuple[Coordinates, Coordinates]:
    shape, fraction = volume.labels.shape_zyx, validation.fraction
    labeled = labeled_extent(volume.labels)
    axis, within = held_out_boundary(labeled.shape_zyx, fraction)
    boundary = labeled.start_zyx[axis] + within
    radius = geometry.canvas_radius_zyx[axis]
    start, stop = [0, 0, 0], list(shape)
    stop[axis] = boundary - radius
    start[axis] = boundary + radius
    held_out = max(labeled.shape_zyx[axis] - within, 0)
    # Canvases may reach beyond what is labeled, but not beyond the volume.
    needed = 2 * radius + 1 if labeled.shape_zyx == shape else radius + 1
    advice = (
        f"change validation.fraction={fraction}, give validation.box or validation.volumes, or use"
        " a smaller model"
    )
    if min(held_out, within) < needed:
        raise InputError(
            f"validation.fraction={fraction} of {labeled.shape_zyx[axis]} voxels leaves {within} to"
            f" train on and {held_out} to validate on; a canvas needs {needed} in each"
            f" (labels {volume.labels.source}): {advice}"
        )
    return (
        volume.coordinates.within((0, 0, 0), to_zyx(stop), advice),
        volume.coordinates.within(to_zyx(start), shape, advice),
    )


def _split_at_box(
    volume: LabeledVolume, geometry: FovGeometry, corners: Corners
) -> tuple[Coordinates, Coordinates]:
    box = box_of(corners, "validation.box", volume.labels.shape_zyx)
    canvas, radius = geometry.canvas_zyx, np.array(geometry.canvas_radius_zyx)
    if any(n < edge for n, edge in zip(box.shape_zyx, canvas, strict=True)):
        raise InputError(
            f"validation.box of {box.shape_zyx} voxels (zyx) is smaller than a canvas of {canvas}"
            " (FOV + 2 deltas): give a larger one or choose a smaller model"
        )
    start, stop = np.array(box.start_zyx), np.array(box.stop_zyx)
    coordinates, place = volume.coordinates, f"validation.box={[*map(list, corners)]}"
    return (
        coordinates.outside(
            to_zyx((start - radius).tolist()),
            to_zyx((stop + radius).tolist()),
            f"{place} leaves nothing to train on; give a smaller one",
        ),
        coordinates.within(
            to_zyx((start + radius).tolist()),
            to_zyx((stop - radius).tolist()),
            f"{place} must hold whole canvases around labeled objects; move or enlarge it, or lower"
            " data.min_object_voxels",
        ),
    )


def canvas_sources(config: Config) -> tuple[CanvasSource, list[CanvasSource]]:
    """Source of training canvases, and sources of held-out ones (none if validation is off).

    Each volume is split by itself; canvases of the parts held out are drawn with the same weights,
    from one source. Each volume that is held out as a whole is a source of its own.

    Raises:
        InputError: There are no such canvases; names the option that decides on it.
    """
    geometry, validation = config.model.geometry, config.validation
    training = open_dataset(config.data, geometry)
    held_out: list[LabeledVolume] = []
    if validation.box is not None and len(training) > 1:
        raise InputError(
            f"validation.box={validation.box} is of one volume, and data.volumes are"
            f" {len(training)}: use validation.fraction or validation.volumes"
        )
    if validation.canvases and (validation.fraction or validation.box):
        parts = [split(volume, geometry, validation) for volume in training]
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
        image_augmentation=config.data.augmentation,
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
