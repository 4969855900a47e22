"""Volumes: the only place where image and label data enter the library.

Everything behind :func:`open_volume` looks the same: a 3-D array in zyx order of which windows can
be read. A format is one adapter class with ``shape_zyx``, ``dtype``, ``source``, ``info`` and
``read``, and one branch in :func:`open_volume`.
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx

DEFAULT_CACHE_BYTES = 2 * 1024**3
"""Volumes up to this size are read into memory once; larger ones window by window."""

TRANSFORMS_DATASET = "transforms"
"""FIB-25 convention: (n, 2) table supervoxel -> body beside the label dataset."""


class Volume(Protocol):
    """A readable 3-D array."""

    @property
    def shape_zyx(self) -> Zyx:
        """Extents in voxels."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the voxels that ``read`` returns."""

    @property
    def source(self) -> str:
        """What the user named to open the volume, for messages."""

    @property
    def info(self) -> str:
        """What was done to the stored values on the way in; empty if nothing."""

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Return the window [start, start + shape) as an array of ``shape_zyx``.

        The result may be a view of the volume: do not write to it.

        Raises:
            ValueError: The window does not lie inside the volume.
        """


class ArrayVolume:
    """A volume held in memory."""

    def __init__(self, array: np.ndarray, source: str = "memory", info: str = "") -> None:
        if array.ndim != 3:
            raise ValueError(f"a volume has 3 axes (zyx), got shape {array.shape}")
        self.array = array
        self.source = source
        self.info = info

    @property
    def shape_zyx(self) -> Zyx:
        """Extents in voxels."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of the voxels."""
        return self.array.dtype

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Return a view of the window; see :meth:`Volume.read`."""
        return self.array[_window(start_zyx, shape_zyx, self.shape_zyx)]


class Hdf5Volume:
    """A dataset of an HDF5 file, read window by window. The file stays open."""

    def __init__(self, dataset: h5py.Dataset, source: str) -> None:
        self._dataset = dataset
        self.source = source
        self.info = ""

    @property
    def shape_zyx(self) -> Zyx:
        """Extents in voxels."""
        z, y, x = self._dataset.shape
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of the voxels."""
        return self._dataset.dtype

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Read the window from the file; see :meth:`Volume.read`."""
        window = _window(start_zyx, shape_zyx, self.shape_zyx)
        try:
            return self._dataset[window]
        except OSError as error:
            raise InputError(f"cannot read {self.source}: damaged file ({error})") from error


class BodyVolume:
    """Supervoxels seen through a table supervoxel -> body."""

    def __init__(self, supervoxels: Volume, transforms: np.ndarray) -> None:
        self._supervoxels = supervoxels
        self.source = supervoxels.source
        self.shape_zyx = supervoxels.shape_zyx
        table = transforms[np.argsort(transforms[:, 0], kind="stable")]
        self._keys = table[:, 0]
        self.dtype = np.min_scalar_type(max(int(table[:, 1].max()), 2**16))
        self._bodies = table[:, 1].astype(self.dtype)
        n_bodies = len(np.unique(self._bodies))
        self.info = f"{TRANSFORMS_DATASET}: {len(table)} supervoxels -> {n_bodies} bodies"

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Read the window and look its supervoxels up; see :meth:`Volume.read`."""
        supervoxels = self._supervoxels.read(start_zyx, shape_zyx)
        row = np.minimum(np.searchsorted(self._keys, supervoxels), len(self._keys) - 1)
        unknown = self._keys[row] != supervoxels
        if unknown.any():
            raise InputError(
                f"{self.source}: supervoxel {supervoxels[unknown][0]} is not in the"
                f" {TRANSFORMS_DATASET!r} dataset beside it; repair or remove that dataset"
            )
        return self._bodies[row]


def open_volume(spec: str, cache_bytes: int = DEFAULT_CACHE_BYTES) -> Volume:
    """Open a volume by its name.

    Args:
        spec: ``path:dataset`` of an HDF5 file.
        cache_bytes: Volumes up to this size are read into memory at once.

    Raises:
        InputError: No such file or dataset, not HDF5, damaged, not 3-D, or an empty axis.
    """
    return _cached(_open_hdf5(spec), cache_bytes)


def open_labels(spec: str, cache_bytes: int = DEFAULT_CACHE_BYTES) -> Volume:
    """Open a segmentation: integer object ids, 0 = background.

    Supervoxels with a ``transforms`` table beside them in the same HDF5 group (FIB-25 ground
    truth) are turned into bodies; the volume's ``info`` says so.

    Raises:
        InputError: As :func:`open_volume`; also for voxels that are not integers.
    """
    volume: Volume = _open_hdf5(spec)
    if volume.dtype.kind not in "iu":
        raise InputError(f"labels {spec} are {volume.dtype}; labels must be integer object ids")
    transforms = _read_transforms(spec)
    if transforms is not None:
        volume = BodyVolume(volume, transforms)
    return _cached(volume, cache_bytes)


def split_spec(spec: str) -> tuple[Path, str]:
    """Split ``path:dataset`` at the last colon.

    Raises:
        InputError: Either part is missing.
    """
    path, _, dataset = spec.rpartition(":")
    if not path or not dataset.strip("/"):
        raise InputError(f"volume {spec!r} is not of the form path:dataset (HDF5)")
    return Path(path), dataset


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block ends without an error.

    Readers see the old file, no file, or the whole new one. Folders are made as needed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_pair(image: Volume, labels: Volume) -> None:
    """Check that labels belong to an image.

    Raises:
        InputError: The shapes differ.
    """
    if image.shape_zyx != labels.shape_zyx:
        raise InputError(
            f"image {image.source} has shape zyx {image.shape_zyx}, but labels {labels.source}"
            f" have {labels.shape_zyx}; both must cover the same voxels"
        )


def iter_slabs(
    volume: Volume, slab_bytes: int = 64 * 1024**2, multiple: int = 1
) -> Iterator[np.ndarray]:
    """Read the whole volume as consecutive z slabs of about ``slab_bytes`` each.

    All slabs but the last are a ``multiple`` of sections thick.
    """
    depth, height, width = volume.shape_zyx
    step = max(1, slab_bytes // (height * width * volume.dtype.itemsize * multiple)) * multiple
    for z in range(0, depth, step):
        yield volume.read((z, 0, 0), (min(step, depth - z), height, width))


def image_statistics(volume: Volume) -> tuple[float, float]:
    """Mean and standard deviation of all voxels, in intensity units."""
    total, total_squared = 0.0, 0.0
    for slab in iter_slabs(volume, slab_bytes=8 * 1024**2):
        values = slab.astype(np.float64)
        total += float(values.sum())
        total_squared += float(np.vdot(values, values))
    count = math.prod(volume.shape_zyx)
    mean = total / count
    return mean, math.sqrt(max(total_squared / count - mean**2, 0.0))


def downsample(
    volume: Volume, factor: int, reduce: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    """Reduce a volume of any size slab by slab.

    Args:
        volume: What to read.
        factor: Voxels along each axis that become one.
        reduce: :func:`downsample_image` or :func:`downsample_labels`.

    Returns:
        The array that ``reduce`` makes of the whole volume.

    Raises:
        InputError: A factor below 1 or above the smallest extent.
    """
    if factor < 1 or factor > min(volume.shape_zyx):
        raise InputError(
            f"downsampling factor {factor} does not fit {volume.source} of shape zyx"
            f" {volume.shape_zyx}; use 1 to {min(volume.shape_zyx)}"
        )
    slabs = iter_slabs(volume, multiple=factor)
    return np.concatenate([reduce(slab, factor) for slab in slabs])


def downsample_image(image: np.ndarray, factor: int) -> np.ndarray:
    """Mean over ``factor``**3 cubes, rounded to the nearest for integer images, same dtype.

    Voxels of an incomplete cube at the far end of an axis are dropped.
    """
    cubes = _cubes(image, factor)
    mean = cubes.mean(axis=(1, 3, 5), dtype=np.float32)
    return (np.rint(mean) if image.dtype.kind in "iu" else mean).astype(image.dtype)


def downsample_labels(labels: np.ndarray, factor: int) -> np.ndarray:
    """One voxel of each ``factor``**3 cube: the one at index ``factor // 2`` along every axis.

    Striding never invents an id and keeps the volume fraction of every object; a majority vote
    would let large objects swallow thin ones and one-voxel gaps.
    """
    pick = factor // 2
    return np.ascontiguousarray(_cubes(labels, factor)[:, pick, :, pick, :, pick])


def _cubes(array: np.ndarray, factor: int) -> np.ndarray:
    """View (z, y, x) as (z', factor, y', factor, x', factor)."""
    kept = tuple(extent // factor for extent in array.shape)
    cropped = array[tuple(slice(0, n * factor) for n in kept)]
    return cropped.reshape(kept[0], factor, kept[1], factor, kept[2], factor)


def _window(start_zyx: Zyx, shape_zyx: Zyx, volume_zyx: Zyx) -> tuple[slice, ...]:
    """Slices of a window; a ValueError if it does not lie inside the volume."""
    for start, extent, limit in zip(start_zyx, shape_zyx, volume_zyx, strict=True):
        if start < 0 or extent < 0 or start + extent > limit:
            raise ValueError(
                f"window start {start_zyx} shape {shape_zyx} is not inside volume {volume_zyx}"
            )
    return tuple(slice(a, a + n) for a, n in zip(start_zyx, shape_zyx, strict=True))


def _cached(volume: Volume, cache_bytes: int) -> Volume:
    if math.prod(volume.shape_zyx) * volume.dtype.itemsize > cache_bytes:
        return volume
    array = np.empty(volume.shape_zyx, volume.dtype)
    z = 0
    for slab in iter_slabs(volume, slab_bytes=8 * 1024**2):
        array[z : z + len(slab)] = slab
        z += len(slab)
    return ArrayVolume(array, source=volume.source, info=volume.info)


def _open_hdf5(spec: str) -> Hdf5Volume:
    path, name = split_spec(spec)
    if not path.is_file():
        raise InputError(f"no file {path} (from volume {spec!r})")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is not a readable HDF5 file: {error}") from error
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        file_datasets = ", ".join(_dataset_names(file)) or "none"
        file.close()
        raise InputError(f"no dataset {name!r} in {path}; it has: {file_datasets}")
    if dataset.ndim != 3 or 0 in dataset.shape:
        shape = dataset.shape
        file.close()
        raise InputError(f"{spec} has shape {shape}; a volume has 3 non-empty axes (zyx)")
    if dataset.dtype.kind not in "iufb":
        dtype = dataset.dtype
        file.close()
        raise InputError(f"{spec} has type {dtype}; a volume holds numbers")
    return Hdf5Volume(dataset, spec)


def _dataset_names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return names


def _read_transforms(spec: str) -> np.ndarray | None:
    """The (n, 2) table beside the label dataset, or None."""
    path, name = split_spec(spec)
    with h5py.File(path, "r") as file:
        table = file[name].parent.get(TRANSFORMS_DATASET)
        if not isinstance(table, h5py.Dataset):
            return None
        if table.ndim != 2 or table.shape[1] != 2 or len(table) == 0:
            raise InputError(
                f"{path}: dataset {TRANSFORMS_DATASET!r} has shape {table.shape}; (n, 2) is"
                " needed (supervoxel, body)"
            )
        return table[...]
