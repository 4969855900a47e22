"""What a segmentation's options leave open, filled in from the network and the image."""

from __future__ import annotations

from experiments.config.trained_network import TrainedNetwork, find_network
from experiments.data.dataset import held_out_boundary
from experiments.segment.config import RegionConfig, ResolvedRegion, ResolvedSegment, SegmentConfig
from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.inference import seeds
from ffn_core.volumes import absolute_spec, check_pair, open_labels, open_volume


def resolve(config: SegmentConfig) -> ResolvedSegment:
    """Fill in what ``config`` leaves open, and make paths absolute.

    Raises:
        InputError: for anything that could not work on the workers.
    """
    network = find_network(config.checkpoint, runs_dir=config.runs_dir)
    image_spec, labels, region = _volumes(config, network)
    mean = network.mean if config.mean is None else config.mean
    stddev = network.stddev if config.stddev is None else config.stddev
    if mean is None or stddev is None:
        raise InputError(
            f"checkpoint={config.checkpoint} does not say how intensities were normalized: give"
            " mean and stddev (the published FIB-25 network: mean=128 stddev=33)"
        )
    image = open_volume(image_spec, cache_bytes=0)
    if labels:
        check_pair(image, open_labels(labels, cache_bytes=0))
    _check_seeds(config, image.shape_zyx)
    filled_in = {
        "checkpoint": str(network.path),
        "image": absolute_spec(image_spec),
        "labels": absolute_spec(labels) if labels else None,
        "mean": mean,
        "stddev": stddev,
        "fov_zyx": config.fov_zyx or list(network.geometry.fov_zyx),
        "deltas_zyx": config.deltas_zyx or list(network.geometry.deltas_zyx),
        "precision": config.precision or network.precision,
        "region": _region(region, image.shape_zyx),
    }
    resolved = ResolvedSegment(**vars(config) | filled_in)
    _ = resolved.geometry, resolved.flood.settings, resolved.grid
    return resolved


def held_out_region(shape_zyx: Zyx, fraction: float) -> ResolvedRegion:
    """The slab that a run with ``validation.fraction`` holds out (`experiments.data.dataset`)."""
    axis, boundary = held_out_boundary(shape_zyx, fraction)
    start, size = [0, 0, 0], list(shape_zyx)
    start[axis] = boundary
    size[axis] -= boundary
    return ResolvedRegion(start_zyx=start, size_zyx=size)


def _volumes(
    config: SegmentConfig, network: TrainedNetwork
) -> tuple[str, str | None, RegionConfig]:
    """Image, labels and region.

    Without an image: what the training run held out, a part of its volume or another one.
    """
    if config.image is not None:
        return config.image, config.labels, config.region
    image = network.run.data.image if network.run else None
    if network.run and not network.run.validation.fraction:
        volume = network.run.validation.volumes[0]
        return volume.image, config.labels or volume.labels, config.region
    if network.run is None or image is None:
        raise InputError(
            f"image is missing, and checkpoint={config.checkpoint} was not trained on one volume"
            " that could stand in: give image=path:dataset"
        )
    data, validation, region = network.run.data, network.run.validation, config.region
    if validation.canvases and region == RegionConfig():
        region = held_out_region(open_volume(image, cache_bytes=0).shape_zyx, validation.fraction)
    return image, config.labels or data.labels, region


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
