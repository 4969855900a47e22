"""From the name of a volume to the volume.

Names:
    ``path:dataset``            HDF5
    ``zarr:LOCATION``           Zarr v2 array; axes z, y, x unless named otherwise
    ``zarr3:LOCATION``          Zarr v3 array, as before
    ``n5:LOCATION``             N5 dataset; axes x, y, z unless named otherwise
    ``precomputed:LOCATION``    neuroglancer precomputed; ``LOCATION#1`` is its second scale
    ``stack:FOLDER_OR_PATTERN`` PNG or TIFF sections, or one TIFF of many pages

A LOCATION of Zarr may be an OME-Zarr group: its finest scale is read, or with ``#1`` the second.
A LOCATION is a folder, or a ``http(s)://``, ``gs://`` or ``s3://`` URL. Whatever order a format
has, volumes are in zyx order from here on.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

from ffn_core.errors import InputError
from ffn_core.files import digest
from ffn_core.geometry import Zyx
from ffn_core.volumes import stores
from ffn_core.volumes.hdf5 import BodyVolume, open_hdf5, read_start, read_transforms, split_spec
from ffn_core.volumes.hdf5_parts import other_files
from ffn_core.volumes.rules import IDS, INTENSITIES, Rule
from ffn_core.volumes.stacks import SUFFIXES, open_stack, stack_files
from ffn_core.volumes.traversal import iter_slabs
from ffn_core.volumes.volume import ArrayVolume, StoredVolume, Volume

DEFAULT_CACHE_BYTES = 2 * 1024**3
"""Volumes up to this size are read into memory once; of larger ones this much is kept."""


def open_volume(spec: str, cache_bytes: int = DEFAULT_CACHE_BYTES) -> Volume:
    """Open a volume by its name, see :mod:`ffn_core.volumes.opening`.

    Args:
        spec: Its name.
        cache_bytes: Volumes up to this size are read into memory at once. Larger ones are read
            window by window, and chunks or sections of up to this size are kept.

    Raises:
        InputError: No such file or array, another format, damaged, out of reach, not 3-D, an
            empty axis, or no numbers.
    """
    return _ready(_open_any(spec, cache_bytes), INTENSITIES, cache_bytes)


def open_labels(spec: str, cache_bytes: int = DEFAULT_CACHE_BYTES, checked: bool = True) -> Volume:
    """Open a segmentation: integer object ids, 0 = background.

    Without ``checked``, its voxels may hold anything: the caller checks those it uses.

    Supervoxels with a ``transforms`` table beside them in the same HDF5 group (FIB-25 ground
    truth) are turned into bodies; the volume's ``info`` says so.

    Raises:
        InputError: As :func:`open_volume`; also for voxels that are not integers.
    """
    volume = _open_any(spec, cache_bytes)
    if volume.dtype.kind not in "iu":
        raise InputError(f"labels {spec} are {volume.dtype}; labels must be integer object ids")
    transforms = read_transforms(spec) if _kind(spec) == "hdf5" else None
    if transforms is not None:
        volume = BodyVolume(volume, transforms)
    return _ready(volume, IDS if checked else None, cache_bytes)


def open_mask(spec: str, cache_bytes: int = DEFAULT_CACHE_BYTES) -> Volume:
    """Open a mask: booleans or integers, of which 0 is false.

    Raises:
        InputError: As :func:`open_volume`; also for floating-point voxels.
    """
    volume = _open_any(spec, cache_bytes)
    if volume.dtype.kind not in "iub":
        raise InputError(f"mask {spec} is {volume.dtype}; a mask holds booleans or integers")
    return _ready(volume, None, cache_bytes)


def absolute_spec(spec: str) -> str:
    """The same volume's name from any working directory."""
    kind = _kind(spec)
    if kind == "hdf5":
        path, dataset = split_spec(spec)
        return f"{path.absolute()}:{dataset}"
    location = spec.partition(":")[2]
    if kind == "stack":
        return f"stack:{Path(location).absolute()}"
    return f"{kind}:{stores.absolute_location(location)}"


def stored_at(spec: str) -> list[Path]:
    """Files or folders on this machine that hold a volume; none if it lies on a server."""
    kind = _kind(spec)
    location = spec.partition(":")[2]
    if kind == "hdf5":
        return [split_spec(spec)[0]]
    if kind == "stack":
        return [Path(location)] if Path(location).is_dir() else stack_files(spec)
    location = stores.split_scale(stores.absolute_location(location))[0]
    return [Path(location)] if Path(location).is_absolute() else []


def short_name(spec: str) -> str:
    """A name for files that are made of the volume: that of its file or folder, without suffix."""
    kind = _kind(spec)
    path = split_spec(spec)[0] if kind == "hdf5" else Path(spec.partition(":")[2].partition("#")[0])
    if "*" in path.name or "?" in path.name:
        path = path.parent
    return path.stem


def fingerprint(spec: str) -> list[list[str | int]]:
    """Names, sizes and times of what a volume is stored in: another one after a change.

    JSON-ready; empty for what lies on a server. All files of a folder are one entry.
    """
    kind = _kind(spec)
    if kind == "hdf5":
        path, name = split_spec(spec)
        return [_state(each) for each in (path, *other_files(path, name)) if each.exists()]
    if kind == "stack":
        return [_state(path) for path in stack_files(spec)]
    root = Path(stores.split_scale(stores.absolute_location(spec.partition(":")[2]))[0])
    # Chunks may be written in place, which their folders do not show.
    entries = (Path(at) / name for at, _, names in os.walk(root) for name in ("", *names))
    states = sorted(_state(path) for path in entries)
    return [[str(root), len(states), digest(json.dumps(states))]] if states else []


def stored_start(spec: str) -> Zyx | None:
    """The voxel of its image that a segmentation of ours begins at; None if it does not say."""
    return read_start(spec) if _kind(spec) == "hdf5" else None


def state_of(spec: str) -> str:
    """A short text that is another one after what a volume is stored in has changed."""
    return digest(json.dumps(fingerprint(spec)))[:16]


def doubts(*volumes: Volume | None) -> list[str]:
    """What a user should know of volumes, each with its name; see :attr:`Volume.doubts`."""
    pairs = [(volume.source, volume.doubts) for volume in volumes if volume is not None]
    return [f"{source}: {said}" for source, said in pairs if said]


def _state(path: Path) -> list[str | int]:
    status = path.stat()
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]


def _kind(spec: str) -> str:
    """The prefix of a name, or ``hdf5``."""
    prefix = spec.partition(":")[0]
    if prefix == "stack" or prefix in stores.FORMATS:
        return prefix
    path = Path(spec)
    if path.is_dir() or (path.suffix.lower() in SUFFIXES and ":" not in spec):
        raise InputError(
            f"volume {spec!r} lacks its format: write stack:{spec} for PNG or TIFF images, or"
            " zarr:, zarr3:, n5: or precomputed: before it"
        )
    return "hdf5"


def _open_any(spec: str, cache_bytes: int) -> StoredVolume:
    if cache_bytes < 0:
        raise InputError(f"cache of {cache_bytes} bytes: use 0 or more")
    kind = _kind(spec)
    if kind == "hdf5":
        return open_hdf5(spec, cache_bytes)
    if kind == "stack":
        return open_stack(spec, cache_bytes)
    return stores.open_store(spec, cache_bytes)


def _ready(volume: StoredVolume, rule: Rule | None, cache_bytes: int) -> Volume:
    """The volume with ``rule`` checked at each read, in memory if it fits."""
    if math.prod(volume.shape_zyx) * volume.dtype.itemsize > cache_bytes:
        volume.rule = rule
        return volume
    doubts = volume.doubts
    array = np.empty(volume.shape_zyx, volume.dtype)
    z = 0
    for slab in iter_slabs(volume, slab_bytes=8 * 1024**2):
        array[z : z + len(slab)] = slab
        z += len(slab)
    needed = rule if rule is not None and rule.broken(array) is not None else None
    return ArrayVolume(
        array, volume.source, volume.info, volume.placement, doubts=doubts, rule=needed
    )
