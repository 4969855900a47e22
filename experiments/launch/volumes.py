"""The volumes of a run before its ranks start: checked, measured, with coordinates, unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.config.schema import Config, DataConfig, VolumeConfig
from experiments.config.schema.data import FILES, SYNTHETIC
from experiments.data.cache import ensure_coordinates
from experiments.reporting import run_files
from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import labeled_extent, open_partial_labels
from ffn_core.volumes import (
    Volume,
    absolute_spec,
    axis_order_doubt,
    check_pair,
    doubts,
    image_statistics,
    known_voxel_nm,
    open_volume,
    require_finite,
    state_of,
    voxel_size_doubt,
)


def require_fit(config: Config) -> None:
    """Check that canvases fit the volumes of a run, as far as these are here; for a dry run.

    Raises:
        InputError: they do not.
    """
    data, radius = config.data, config.model.geometry.canvas_radius_zyx
    if data.kind == SYNTHETIC:
        _check_room(as_zyx(data.size_zyx, "data.size_zyx"), radius)
    if data.kind != FILES:
        return
    for source in (*data.sources, *config.validation.volumes):
        try:
            shape = open_volume(source.image, cache_bytes=0).shape_zyx
        except (InputError, OSError):  # the run may be meant for another machine
            continue
        _check_room(shape, radius)


def shared_voxel_size(
    data: DataConfig, sources: Sequence[VolumeConfig], warn: Callable[[str], object]
) -> list[float] | None:
    """Edges of a voxel of all volumes as given, or as their images say."""
    given = data.voxel_size_nm
    said = {source.image: open_volume(source.image, 0).placement for source in sources}
    for name, where in said.items():
        if doubt := voxel_size_doubt(given, where, "data.voxel_size_nm"):
            warn(f"{name}: {doubt}")
    voxel_nm = known_voxel_nm(given, *said.values())
    known = [where.voxel_nm for where in said.values() if where.voxel_nm]
    if given is None and any(not np.allclose(known[0], each, rtol=0.01) for each in known[1:]):
        warn(f"voxels of the volumes differ in size (nm, zyx): {', '.join(map(str, known))}")
    if doubt := axis_order_doubt(voxel_nm):
        warn(doubt)
    return None if voxel_nm is None else list(voxel_nm)


def prepare_volume(
    source: VolumeConfig, data: DataConfig, radius: Zyx, warn: Callable[[str], object]
) -> VolumeConfig:
    """The volume with absolute names and nothing left to prepare.

    Args:
        source: as the user gave it.
        data: the section it is of, or is validated beside.
        radius: of a canvas.
        warn: takes what a user should know of it.

    Raises:
        InputError: it cannot be trained on.
    """
    image = open_volume(source.image, data.cache_bytes)
    labels = open_partial_labels(
        source.labels, source.labels_box, source.labels_mask, data.cache_bytes
    )
    for said in filter(None, [*doubts(image, labels), check_pair(image, labels)]):
        warn(said)
    _check_room(image.shape_zyx, radius)
    mean, stddev = _statistics(source, image)
    box = source.labels_box
    if source.labels_mask and box is None:  # so that no rank has to look for it
        extent = labeled_extent(labels)
        box = [list(extent.start_zyx), list(extent.stop_zyx)]
    if source.coordinates:
        _check_coordinates(source, data, labels, warn)
    coordinates = source.coordinates or ensure_coordinates(
        source.labels,
        radius,
        data.min_object_voxels,
        data.cache_dir,
        mask_spec=source.mask,
        cache_bytes=data.cache_bytes,
        labels_box=box,
        labels_mask=absolute_spec(source.labels_mask) if source.labels_mask else None,
    )
    return replace(
        source,
        image=absolute_spec(source.image),
        labels=absolute_spec(source.labels),
        coordinates=str(Path(coordinates).absolute()),
        mask=absolute_spec(source.mask) if source.mask else None,
        labels_box=box,
        labels_mask=absolute_spec(source.labels_mask) if source.labels_mask else None,
        mean=mean,
        stddev=stddev,
    )


def _statistics(source: VolumeConfig, image: Volume) -> tuple[float, float]:
    """Mean and standard deviation as given; what is not given is measured."""
    if source.mean is not None and source.stddev is not None:
        require_finite(image)  # as measuring would
        return source.mean, source.stddev
    mean, stddev = image_statistics(image)
    return (
        mean if source.mean is None else source.mean,
        stddev if source.stddev is None else source.stddev,
    )


def _check_coordinates(
    source: VolumeConfig, data: DataConfig, labels: Volume, warn: Callable[[str], object]
) -> None:
    """Check that coordinates that the user gave are of these labels, and of the other options."""
    assert source.coordinates is not None
    if source.mask:
        raise InputError(
            f"coordinates={source.coordinates} and mask={source.mask} are both given, but a mask"
            " counts only where coordinates are computed: leave one of them out"
        )
    coordinates = Coordinates.load(source.coordinates)
    if coordinates.shape_zyx != labels.shape_zyx:
        return  # `open_dataset` says so
    coordinates.check_labels(labels, source.coordinates)
    if coordinates.min_size != data.min_object_voxels:
        warn(
            f"data.min_object_voxels={data.min_object_voxels} does not count:"
            f" {source.coordinates} was prepared with {coordinates.min_size}"
        )


def _check_room(shape: Zyx, radius: Zyx) -> None:
    if any(2 * r + 1 > n for r, n in zip(radius, shape, strict=True)):
        canvas = tuple(2 * r + 1 for r in radius)
        raise InputError(
            f"a training canvas of {canvas} voxels (zyx; FOV + 2 deltas) does not fit into the "
            f"volume of {shape}: choose a smaller model "
            "(model.fov_zyx, model.deltas_zyx) or a larger volume"
        )


def changed_data(run_dir: Path, config: Config) -> list[str]:
    """Compare files of a prepared config's volumes with those that the run began with.

    What was not known of the run before is kept in its directory. Of volumes on servers nothing is
    known.

    Returns:
        Names of volumes whose files have another size or time since.
    """
    volumes = [*config.validation.volumes]
    if config.data.kind != "dummy":
        volumes += config.data.sources
    names = ((v.image, v.labels, v.mask, v.labels_mask) for v in volumes)
    specs = {spec for each in names for spec in each if spec}
    now = {spec: state_of(spec) for spec in sorted(specs)}
    path = run_dir / run_files.INPUTS
    known: dict[str, str] = run_files.read_json(path) or {}
    if now.keys() - known.keys():
        run_files.write_json(path, now | known)
    return [spec for spec, state in now.items() if known.get(spec, state) != state]
