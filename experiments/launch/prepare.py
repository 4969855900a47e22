"""What must exist before ranks start: data files, coordinates, statistics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    ValidationConfig,
    VolumeConfig,
)
from experiments.config.schema.data import KINDS
from experiments.config.trained_network import TrainedNetwork, find_network
from experiments.data.cache import ensure_synthetic
from experiments.data.dataset import canvas_sources
from experiments.launch.devices import check_installed, check_side_by_side
from experiments.launch.launchers import placement, rank_command
from experiments.launch.lineage import earlier_run
from experiments.launch.memory import network_need, runs_here, synthesis_need, volumes_need
from experiments.launch.volumes import prepare_volume, shared_voxel_size
from ffn_core.devices.host import room_for_ranks
from ffn_core.errors import InputError
from ffn_core.files import folder_of
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.limits.memory import require_memory
from ffn_core.movement import POLICIES
from ffn_core.training.optimizers import NAMES as OPTIMIZERS
from ffn_core.training.optimizers import check_arguments

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


def _check_held_out_seeds(seeds: Sequence[int], data: DataConfig) -> None:
    if seeds and (data.kind != "synthetic" or data.synthetic_seed in seeds):
        problem = (
            f"has the seed data.synthetic_seed={data.synthetic_seed} that is trained on"
            if data.kind == "synthetic"
            else f"needs data.kind=synthetic, not {data.kind}; use validation.volumes"
        )
        raise InputError(f"validation.synthetic_seeds={list(seeds)} {problem}")


def _check_values(config: Config) -> None:
    _check_held_out_seeds(config.validation.synthetic_seeds, config.data)
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
    prepared = [prepare_volume(source, data, radius, warn) for source in data.sources]
    data = replace(data, voxel_size_nm=shared_voxel_size(data, prepared, warn))
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


def _prepare_validation(
    validation: ValidationConfig, data: DataConfig, radius: Zyx, warn: Callable[[str], object]
) -> ValidationConfig:
    """The same with all volumes that are held out as a whole under ``volumes``."""
    volumes = list(validation.volumes)
    for seed in validation.synthetic_seeds:
        size = as_zyx(data.size_zyx, "data.size_zyx")
        volumes.append(VolumeConfig(*ensure_synthetic(data.cache_dir, size, seed)))
    prepared = [prepare_volume(volume, data, radius, warn) for volume in volumes]
    return replace(validation, volumes=prepared, synthetic_seeds=[])
