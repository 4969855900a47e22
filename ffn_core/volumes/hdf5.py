"""Datasets of HDF5 files as volumes."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ffn_core.errors import InputError
from ffn_core.files import patient_file
from ffn_core.geometry import Zyx
from ffn_core.volumes import hdf5_parts
from ffn_core.volumes.placement import of_attributes
from ffn_core.volumes.rules import IDS
from ffn_core.volumes.volume import StoredVolume, Volume, check_stored

TRANSFORMS_DATASET = "transforms"
"""FIB-25 convention: (n, 2) table supervoxel -> body beside the label dataset."""

_MOST_SLOTS = 1_000_003

CHECKED = ("v110", "v110")
"""``libver`` of files we write: this format has checksums of everything but the data, which get
theirs by ``fletcher32``, so that a damaged file is detected."""

_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError)
"""What h5py raises, depending on where in a file something is wrong."""


@contextlib.contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a new HDF5 file to write to, in a format that shows damage.

    Raises:
        OSError: When the block ends, if the file could not be written.
    """
    with patient_file(path) as target, h5py.File(target, "w", libver=CHECKED) as file:
        yield file


class Hdf5Volume(StoredVolume):
    """A dataset of an HDF5 file, read window by window. The file stays open."""

    def __init__(self, dataset: h5py.Dataset, source: str) -> None:
        self._dataset = dataset
        self.source = source
        z, y, x = dataset.shape
        self.shape_zyx = (z, y, x)
        z, y, x = dataset.chunks or (1, 1, 1)  # one voxel if the dataset lies in one piece
        self.chunk_zyx = (z, y, x)
        self.dtype = dataset.dtype.newbyteorder("=")
        self.placement = of_attributes(dataset.attrs)

    @property
    def doubts(self) -> str:
        """What a user should know; see :attr:`Volume.doubts`."""
        return hdf5_parts.missing(self._dataset, self.source)

    def _read(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        try:
            return self._dataset[window]
        except _DAMAGE as error:
            hdf5_parts.require_filters(self._dataset, self.source)
            raise InputError(f"cannot read {self.source}: damaged file ({error})") from error


def split_spec(spec: str) -> tuple[Path, str]:
    """Split ``path:dataset`` at the last colon.

    Raises:
        InputError: Either part is missing.
    """
    path, _, dataset = spec.rpartition(":")
    if not path or not dataset.strip("/"):
        file = spec.rstrip(":/")
        if names := _names_in(Path(file)):
            choice = ", ".join(f"{file}:{name}" for name in names)
            raise InputError(f"volume {spec!r} does not say which dataset: name one of {choice}")
        raise InputError(
            f"volume {spec!r} is not of the form path:dataset (HDF5), nor zarr:, zarr3:, n5:,"
            " precomputed: or stack: followed by a path or URL"
        )
    return Path(path), dataset


def _names_in(path: Path) -> list[str]:
    """Names of the datasets of a file; none if it is no HDF5 file."""
    try:
        with h5py.File(path, "r") as file:
            return _dataset_names(file)
    except _DAMAGE:
        return []


def open_hdf5(spec: str, cache_bytes: int) -> Hdf5Volume:
    """Open ``path:dataset``; unpacked chunks of up to ``cache_bytes`` are kept in memory.

    Raises:
        InputError: No such file or dataset, not HDF5, not 3-D, an empty axis, or no numbers.
    """
    path, name = split_spec(spec)
    if not path.is_file():
        raise InputError(f"no file {path} (from volume {spec!r})")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is not a readable HDF5 file: {error}") from error
    try:
        return Hdf5Volume(_open_dataset(file, name, spec, cache_bytes), spec)
    except InputError:
        file.close()
        raise
    except _DAMAGE as error:
        file.close()
        raise InputError(f"{path} is not a readable HDF5 file: {error}") from error


def read_start(spec: str) -> Zyx | None:
    """Attribute ``start_zyx`` of a dataset: where our segmentations lie in their image."""
    path, name = split_spec(spec)
    try:
        with h5py.File(path, "r") as file:
            z, y, x = (int(n) for n in file[name].attrs["start_zyx"])
    except (KeyError, *_DAMAGE):
        return None
    return z, y, x


def read_transforms(spec: str) -> np.ndarray | None:
    """The (n, 2) table beside the label dataset ``path:dataset``, or None.

    Raises:
        InputError: The table has another shape or type, ids below 0, or two bodies for one
            supervoxel.
    """
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
        rows = table[...]
    if rows.dtype.kind not in "iu" or rows.min() < 0:
        raise InputError(
            f"{path}: dataset {TRANSFORMS_DATASET!r} is {rows.dtype} from {rows.min()} on; ids are"
            " integers of 0 or above"
        )
    rows = np.unique(rows.astype(np.uint64), axis=0)
    twice = rows[1:][rows[1:, 0] == rows[:-1, 0]]
    if len(twice):
        raise InputError(
            f"{path}: dataset {TRANSFORMS_DATASET!r} has two bodies for supervoxel {twice[0, 0]};"
            " repair or remove that dataset"
        )
    return rows


def _open_dataset(file: h5py.File, name: str, spec: str, cache_bytes: int) -> h5py.Dataset:
    hdf5_parts.require_link(file, name)
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        file_datasets = ", ".join(_dataset_names(file)) or "none"
        raise InputError(f"no dataset {name!r} in {file.filename}; it has: {file_datasets}")
    check_stored(spec, dataset.shape or (), dataset.dtype)
    hdf5_parts.require_readable(dataset, spec)
    if dataset.chunks is None or dataset.nbytes <= cache_bytes:
        return dataset  # has no chunks, or is about to be read into memory, each chunk once
    chunk_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    del dataset  # HDF5 takes the cache size of the first handle to a dataset
    # A slot holds one chunk: a hundred slots per chunk make collisions rare (HDF5 manual,
    # H5Pset_chunk_cache). Preemption 0: the chunk used longest ago leaves first. With 1 chunks that
    # were read in part never leave, and the cache grows without limit.
    slots = min(100 * (cache_bytes // chunk_bytes + 1) + 1, _MOST_SLOTS)
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(slots, cache_bytes, 0.0)
    return h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))


def _dataset_names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return names


class BodyVolume(StoredVolume):
    """Supervoxels seen through a table supervoxel -> body."""

    def __init__(self, supervoxels: Volume, transforms: np.ndarray) -> None:
        """Look ``supervoxels`` up in the (n, 2) uint64 table of `read_transforms`."""
        self._supervoxels = supervoxels
        self.source = supervoxels.source
        self.shape_zyx = supervoxels.shape_zyx
        self.chunk_zyx = supervoxels.chunk_zyx
        self.placement = supervoxels.placement
        self._keys = transforms[:, 0]
        self.dtype = np.min_scalar_type(max(int(transforms[:, 1].max()), 2**16))
        self._bodies = transforms[:, 1].astype(self.dtype)
        n_bodies = len(np.unique(self._bodies))
        self.info = f"{TRANSFORMS_DATASET}: {len(transforms)} supervoxels -> {n_bodies} bodies"

    @property
    def doubts(self) -> str:
        """What a user should know; see :attr:`Volume.doubts`."""
        return self._supervoxels.doubts

    def _read(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        z, y, x = window
        start, shape = (
            (z.start, y.start, x.start),
            (z.stop - z.start, y.stop - y.start, x.stop - x.start),
        )
        stored = self._supervoxels.read(start, shape)
        IDS.require(stored, start, self.source)
        supervoxels = stored.astype(np.uint64)  # as the keys: mixed types compare as float64
        row = np.minimum(np.searchsorted(self._keys, supervoxels), len(self._keys) - 1)
        unknown = self._keys[row] != supervoxels
        if unknown.any():
            raise InputError(
                f"{self.source}: supervoxel {supervoxels[unknown][0]} is not in the"
                f" {TRANSFORMS_DATASET!r} dataset beside it; repair or remove that dataset"
            )
        return self._bodies[row]
