"""Volumes: the only place where image and label data enter the library.

Everything behind :func:`open_volume` looks the same: a 3-D array in zyx order of which windows can
be read. A format is one module with an adapter class (see :class:`Volume`) and a function that
opens it, and one entry in :mod:`ffn_core.volumes.opening`, where the names of volumes are
described.
"""

from ffn_core.files import whole_file
from ffn_core.volumes.hdf5 import BodyVolume, Hdf5Volume, split_spec
from ffn_core.volumes.opening import (
    DEFAULT_CACHE_BYTES,
    absolute_spec,
    doubts,
    fingerprint,
    open_labels,
    open_mask,
    open_volume,
    short_name,
    state_of,
    stored_at,
    stored_start,
)
from ffn_core.volumes.placement import (
    UNKNOWN,
    Placement,
    Size,
    axis_order_doubt,
    known_voxel_nm,
    voxel_size_doubt,
)
from ffn_core.volumes.rules import IDS, INTENSITIES, UnusableVoxels
from ffn_core.volumes.stacks import StackVolume
from ffn_core.volumes.stores import StoreVolume
from ffn_core.volumes.traversal import (
    downsample,
    downsample_image,
    downsample_labels,
    image_statistics,
    iter_blocks,
    iter_slabs,
    read_normalized,
    require_finite,
    voxel_digest,
)
from ffn_core.volumes.volume import ArrayVolume, Volume, check_pair

__all__ = [
    "DEFAULT_CACHE_BYTES",
    "IDS",
    "INTENSITIES",
    "UNKNOWN",
    "ArrayVolume",
    "BodyVolume",
    "Hdf5Volume",
    "Placement",
    "Size",
    "StackVolume",
    "StoreVolume",
    "UnusableVoxels",
    "Volume",
    "absolute_spec",
    "axis_order_doubt",
    "check_pair",
    "doubts",
    "downsample",
    "downsample_image",
    "downsample_labels",
    "fingerprint",
    "image_statistics",
    "iter_blocks",
    "iter_slabs",
    "known_voxel_nm",
    "open_labels",
    "open_mask",
    "open_volume",
    "read_normalized",
    "require_finite",
    "short_name",
    "split_spec",
    "state_of",
    "stored_at",
    "stored_start",
    "voxel_digest",
    "voxel_size_doubt",
    "whole_file",
]
