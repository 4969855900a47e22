"""The memory that the ranks of a run will take on this machine, before they are started."""

from __future__ import annotations

import math

from experiments.config.schema import Config, DataConfig, VolumeConfig
from ffn_core.geometry import as_zyx
from ffn_core.limits.memory import (
    PROGRAM_BYTES,
    SHARED_BYTES,
    canvases_bytes,
    forward_bytes,
    synthesis_bytes,
    training_bytes,
    weights_bytes,
)
from ffn_core.sampling.coordinates import MOST_PER_CLASS
from ffn_core.sampling.partitions import PUBLISHED_THRESHOLDS
from ffn_core.volumes import open_labels, open_mask, open_volume

COORDINATE_BYTES = 8
"""Of each voxel that may be the center of a canvas."""

Need = dict[str, int]
"""Bytes by the options that decide on them."""


def runs_here(config: Config) -> bool:
    """Whether all ranks are processes of this machine."""
    launcher = config.launcher
    elsewhere = config.batch.system or launcher.hosts or launcher.name not in ("gloo", "mpi")
    return not elsewhere


def network_need(config: Config) -> Need:
    """What all ranks of a run take, but for the volumes, without opening any file.

    Args:
        config: with its number of ranks filled in.
    """
    cluster, model, validation = config.cluster, config.model, config.validation
    ranks, size, geometry = cluster.ranks, model.size, model.geometry
    streams = cluster.fovs_per_step
    micro = min(model.micro_batch_size, -(-streams // ranks))
    need = {
        f"{ranks} processes (cluster.ranks)": SHARED_BYTES + ranks * PROGRAM_BYTES,
        f"weights (model.features={model.features}, model.depth={model.depth})": ranks
        * weights_bytes(size),
        f"activations of {micro} FOVs of {model.fov_zyx} (model.*)": ranks
        * training_bytes(size, geometry, micro),
        "training canvases (cluster.nodes, cluster.local_batch_size)": canvases_bytes(
            geometry, streams
        ),
    }
    if validation.canvases:
        floods = validation.canvases + 2 * math.ceil(validation.subset * validation.canvases)
        need["validation canvases (validation.canvases)"] = canvases_bytes(geometry, floods)
        batch = min(validation.batch_size, -(-floods // ranks))
        # A micro-batch of all rows is allocated, however few are used.
        rows = validation.batch_size * geometry.fov_voxels * 9
        need[f"scoring (validation.batch_size={validation.batch_size})"] = ranks * (
            rows + forward_bytes(size, geometry, batch)
        )
    return need


def synthesis_need(config: Config) -> Need:
    """What making the synthetic volume of a run takes."""
    if config.data.kind != "synthetic":
        return {}
    size = as_zyx(config.data.size_zyx, "data.size_zyx")
    return {f"making the volume (data.size_zyx={list(size)})": synthesis_bytes(size)}


def volumes_need(config: Config) -> Need:
    """What ranks keep of the volumes of a run that is prepared; opens them to ask for their size.

    Args:
        config: as `experiments.launch.prepare` leaves it.
    """
    data, validation = config.data, config.validation
    sources = [] if data.kind == "dummy" else list(data.sources)
    if validation.canvases:
        sources += validation.volumes
    kept = sum(_kept_bytes(source, data) for source in sources)
    return {"volumes (data.cache_bytes)": config.cluster.ranks * kept}


def _kept_bytes(source: VolumeConfig, data: DataConfig) -> int:
    """Image, labels and coordinates of a volume in one rank."""
    image, labels = open_volume(source.image, 0), open_labels(source.labels, 0)
    voxels = math.prod(image.shape_zyx)
    sizes = [voxels * image.dtype.itemsize, voxels * labels.dtype.itemsize]
    if source.labels_mask:
        sizes.append(voxels * open_mask(source.labels_mask, 0).dtype.itemsize)
    centers = min(voxels, MOST_PER_CLASS * (len(PUBLISHED_THRESHOLDS) + 1))
    return sum(min(size, data.cache_bytes) for size in sizes) + centers * COORDINATE_BYTES
