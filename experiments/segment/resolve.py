"""What a segmentation's options leave open, filled in from the network and the image."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.config.schema import DataConfig, ValidationConfig, VolumeConfig
from experiments.config.trained_network import TrainedNetwork, find_network
from experiments.data.dataset import held_out_box
from experiments.segment.config import RegionConfig, ResolvedRegion, ResolvedSegment, SegmentConfig
from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx, as_zyx
from ffn_core.inference import seeds
from ffn_core.sampling.partial_labels import box_of, open_partial_labels
from ffn_core.volumes import (
    Volume,
    absolute_spec,
    check_pair,
    known_voxel_nm,
    open_volume,
)


def resolve(config: SegmentConfig) -> ResolvedSegment:
    """Fill in what ``config`` leaves open, and make paths absolute.

    Raises:
        InputError: for anything that could not work on the workers.
    """
    network = find_network(config.checkpoint, runs_dir=config.runs_dir)
    image_spec, truth, region = _volumes(config, network)
    mean = network.mean if config.mean is None else config.mean
    stddev = network.stddev if config.stddev is None else config.stddev
    if mean is None or stddev is None:
        raise InputError(
            f"checkpoint={config.checkpoint} does not say how intensities were normalized: give"
            " mean and stddev (the published FIB-25 network: mean=128 stddev=33)"
        )
    image = open_volume(image_spec, cache_bytes=0)
    if truth.labels:
        check_pair(image, truth.open(cache_bytes=0))
    _check_seeds(config, image.shape_zyx)
    trained = network.run.data.voxel_size_nm if network.run else None
    voxel_nm = known_voxel_nm(config.voxel_size_nm, image.placement) or trained
    filled_in = {
        "checkpoint": str(network.path),
        "image": absolute_spec(image_spec),
        "labels": absolute_spec(truth.labels) if truth.labels else None,
        "labels_box": truth.box,
        "labels_mask": absolute_spec(truth.mask) if truth.mask else None,
        "mean": mean,
        "stddev": stddev,
        "fov_zyx": config.fov_zyx or list(network.geometry.fov_zyx),
        "deltas_zyx": config.deltas_zyx or list(network.geometry.deltas_zyx),
        "precision": config.precision or network.precision,
        "voxel_size_nm": None if voxel_nm is None else list(voxel_nm),
        "region": _region(region, image.shape_zyx),
    }
    resolved = ResolvedSegment(**vars(config) | filled_in)
    _ = resolved.geometry, resolved.flood.settings, resolved.grid
    return resolved


def held_out_region(labeled: Box, validation: ValidationConfig) -> ResolvedRegion:
    """What a run holds out of the volume it trains on (`experiments.data.dataset`)."""
    box = held_out_box(labeled, validation)
    return ResolvedRegion(start_zyx=list(box.start_zyx), size_zyx=list(box.shape_zyx))


@dataclass(frozen=True)
class _Truth:
    """A ground truth: labels, and the box and mask that say where they are true."""

    labels: str | None
    box: list[list[int]] | None = None
    mask: str | None = None

    def open(self, cache_bytes: int) -> Volume:
        assert self.labels is not None
        return open_partial_labels(self.labels, self.box, self.mask, cache_bytes, "labels_box")


def _volumes(config: SegmentConfig, network: TrainedNetwork) -> tuple[str, _Truth, RegionConfig]:
    """Image, ground truth and region.

    Without an image: what the training run held out, a part of its volume or another one.
    """
    given = _Truth(config.labels, config.labels_box, config.labels_mask)
    if config.image is not None:
        return config.image, given, config.region
    image = network.run.data.image if network.run else None
    if network.run and not (network.run.validation.fraction or network.run.validation.box):
        volume = network.run.validation.volumes[0]
        return volume.image, _truth(given, volume), config.region
    if network.run is None or image is None:
        raise InputError(
            f"image is missing, and checkpoint={config.checkpoint} was not trained on one volume"
            " that could stand in: give image=path:dataset"
        )
    data, validation, region = network.run.data, network.run.validation, config.region
    if validation.canvases and region == RegionConfig():
        labeled = Box((0, 0, 0), open_volume(image, cache_bytes=0).shape_zyx)
        if data.labels_box is not None:
            labeled = box_of(data.labels_box, "data.labels_box")
        region = held_out_region(labeled, validation)
    return image, _truth(given, data), region


def _truth(given: _Truth, trained: VolumeConfig | DataConfig) -> _Truth:
    """The ground truth as given, else that of the training."""
    if given.labels:
        return given
    return _Truth(
        trained.labels, given.box or trained.labels_box, given.mask or trained.labels_mask
    )


def _check_seeds(config: SegmentConfig, image_zyx: Zyx) -> None:
    if config.seeds.policy not in seeds.POLICIES:
        raise InputError(
            f"seeds.policy={config.seeds.policy!r} is unknown; choose from"
            f" {', '.join(seeds.POLICIES)}"
        )
    if config.seeds.policy == "manual":
        seeds.manual(config.seeds.points, image_zyx)


def _region(region: RegionConfig, volume_zyx: Zyx) -> ResolvedRegion:
    start = as_zyx(region.start_zyx, "region.start_zyx")
    rest = [n - a for n, a in zip(volume_zyx, start, strict=True)]
    size = rest if region.size_zyx is None else as_zyx(region.size_zyx, "region.size_zyx")
    for a, n, most in zip(start, size, rest, strict=True):
        if a < 0 or n < 1 or n > most:
            raise InputError(
                f"region.start_zyx={list(start)} with region.size_zyx={list(size)} does not lie in"
                f" the image of {volume_zyx} voxels (zyx)"
            )
    return ResolvedRegion(start_zyx=list(start), size_zyx=list(size))
