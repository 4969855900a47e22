"""What must exist before ranks start: data files, coordinates, statistics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    ValidationConfig,
    VolumeConfig,
)
from experiments.config.schema.data import KINDS
from experiments.config.trained_network import TrainedNetwork, find_network
from experiments.data.cache import ensure_coordinates, ensure_synthetic
from experiments.data.dataset import canvas_sources
from experiments.launch.devices import check_installed, check_side_by_side
from experiments.launch.launchers import placement, rank_command
from experiments.launch.lineage import earlier_run
from experiments.launch.memory import network_need, runs_here, synthesis_need, volumes_need
from ffn_core.devices.host import room_for_ranks
from ffn_core.errors import InputError
from ffn_core.files import folder_of
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.limits.memory import require_memory
from ffn_core.movement import POLICIES
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import labeled_extent, open_partial_labels
from ffn_core.training.optimizers import NAMES as OPTIMIZERS
from ffn_core.training.optimizers import check_arguments
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
    voxel_size_doubt,
)

START = "model.checkpoint"
SIDE_BY_SIDE = ("gloo", "mpi")
"""Launchers that start ranks on given hosts, and so several runs on one machine."""


def _on_stderr(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def prepare(config: Config, warn: Callable[[str], object] = _on_stderr) -> Config:
    """Make or find everything a run needs here and fill it in: data by absolute paths, ranks.

    ``warn`` takes what a user should know of the data.

    Raises:
        InputError: for anything in the config that could not work on the ranks.
    """
    config = config.on(room_for_ranks(config.device))
    check(config)
    require_room(config)
    if config.model.checkpoint:
        checkpoint = str(find_network(config.model.checkpoint, START, config.runs_dir).path)
        config = replace(config, model=replace(config.model, checkpoint=checkpoint))
    if config.continue_from:
        config = replace(config, continue_from=str(Path(config.continue_from).absolute()))
    radius = config.model.geometry.canvas_radius_zyx
    with folder_of("data.cache_dir", config.data.cache_dir):
        validation = _prepare_validation(config.validation, config.data, radius, warn)
        data = _prepare_data(config.data, radius, warn)
    prepared = replace(config, data=data, validation=validation)
    if runs_here(prepared):
        require_memory(network_need(prepared) | volumes_need(prepared), "this run")
    canvas_sources(prepared)  # raises here, once, what every rank would raise
    return prepared


def check(config: Config) -> None:
    """Validate what can be known without touching data."""
    for each in config.each_stage():
        _check_one(each.on(room_for_ranks(config.device)))


def require_room(config: Config) -> None:
    """Check that this machine's memory suffices for a run, as far as its options say.

    Raises:
        InputError: it does not.
    """
    require_memory(synthesis_need(config), "this run")  # which is over when ranks start
    if runs_here(config):
        for each in config.each_stage():
            require_memory(network_need(each.on(room_for_ranks(config.device))), "this run")


def check_values(config: Config) -> None:
    """Validate what the options say by themselves, without a look at files or programs.

    Raises:
        InputError: for what cannot work.
    """
    for each in config.each_stage():
        _check_values(each.on(room_for_ranks(config.device)))


def _check_one(config: Config) -> None:
    """`check` of a run that is not in stages, or of one of its stages."""
    rank_command(config, Path())
    if config.batch.system is None:  # or it is needed where the job runs, not here
        placement(config).require_program()
    check_installed(config.device)
    _check_values(config)
    if config.model.checkpoint:
        _check_start(config.model, find_network(config.model.checkpoint, START, config.runs_dir))
    if config.continue_from:
        earlier_run(config.continue_from).require_fit(config)


def _check_values(config: Config) -> None:
    if config.sweep.parallel > 1:
        _check_side_by_side(config)
        check_side_by_side(config)
    _ = config.model.geometry, config.model.size, config.cluster.group
    check_arguments(config.optimizer.arguments)
    config.schedule()
    if config.optimizer.name not in OPTIMIZERS:
        raise InputError(
            f"optimizer.name={config.optimizer.name!r} is unknown; choose from "
            f"{', '.join(OPTIMIZERS)}"
        )
    if config.movement.policy not in POLICIES:
        raise InputError(
            f"movement.policy={config.movement.policy!r} is unknown; choose from "
            f"{', '.join(POLICIES)}"
        )
    if config.data.kind not in KINDS:
        raise InputError(
            f"data.kind={config.data.kind!r} is unknown; choose from {', '.join(KINDS)}"
        )


def _check_start(model: ModelConfig, start: TrainedNetwork) -> None:
    """Check that the network ``start`` is as large as that of ``model``.

    A TensorFlow checkpoint is not opened here: there a rank finds out.

    Raises:
        InputError: it is not.
    """
    if start.run is not None:
        model.require_size(start.run.model.size, f"{START}={model.checkpoint}")


def _check_side_by_side(config: Config) -> None:
    said = f"sweep.parallel={config.sweep.parallel} is for points on one machine"
    if config.batch.system is not None:
        raise InputError(
            f"{said}; with batch.system={config.batch.system} each is a job of its own, and they "
            "run at the same time anyway: leave it at 1"
        )
    if config.launcher.name not in SIDE_BY_SIDE:
        raise InputError(
            f"{said}; launcher.name={config.launcher.name} places ranks on the nodes of an "
            f"allocation: use {' or '.join(SIDE_BY_SIDE)}, or leave it at 1"
        )


def _prepare_data(data: DataConfig, radius: Zyx, warn: Callable[[str], object]) -> DataConfig:
    if data.kind == "dummy":
        return data
    if data.kind == "synthetic":
        if data.volumes or data.mask or data.labels_mask:
            raise InputError(
                "data.volumes, data.mask and data.labels_mask need data.kind=files, not synthetic"
            )
        size = as_zyx(data.size_zyx, "data.size_zyx")
        image, labels = ensure_synthetic(data.cache_dir, size, data.synthetic_seed)
        data = replace(data, image=image, labels=labels)
    prepared = [_prepare_volume(source, data, radius, warn) for source in data.sources]
    data = replace(data, voxel_size_nm=_voxel_size(data, prepared, warn))
    if data.volumes:
        return replace(data, volumes=prepared)
    (volume,) = prepared
    return replace(
        data,
        image=volume.image,
        labels=volume.labels,
        coordinates=volume.coordinates,
        mask=volume.mask,
        labels_box=volume.labels_box,
        labels_mask=volume.labels_mask,
        mean=volume.mean,
        stddev=volume.stddev,
    )


def _voxel_size(
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


def _prepare_validation(
    validation: ValidationConfig, data: DataConfig, radius: Zyx, warn: Callable[[str], object]
) -> ValidationConfig:
    """The same with all volumes that are held out as a whole under ``volumes``."""
    volumes, seeds = list(validation.volumes), validation.synthetic_seeds
    if seeds and (data.kind != "synthetic" or data.synthetic_seed in seeds):
        problem = (
            f"has the seed data.synthetic_seed={data.synthetic_seed} that is trained on"
            if data.kind == "synthetic"
            else f"needs data.kind=synthetic, not {data.kind}; use validation.volumes"
        )
        raise InputError(f"validation.synthetic_seeds={seeds} {problem}")
    for seed in seeds:
        size = as_zyx(data.size_zyx, "data.size_zyx")
        volumes.append(VolumeConfig(*ensure_synthetic(data.cache_dir, size, seed)))
    prepared = [_prepare_volume(volume, data, radius, warn) for volume in volumes]
    return replace(validation, volumes=prepared, synthetic_seeds=[])


def _prepare_volume(
    source: VolumeConfig, data: DataConfig, radius: Zyx, warn: Callable[[str], object]
) -> VolumeConfig:
    """The volume with absolute names and nothing left to prepare."""
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
            f"volume of {shape}: choose a smaller model or a larger volume"
        )
