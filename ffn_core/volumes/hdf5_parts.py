"""What an HDF5 dataset needs to be read whole: filters, other files, chunks that were written.

HDF5 itself fills in what is not there: chunks that were never written, sources of virtual datasets
and ends of external files that are missing read as the fill value, without an error.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from ffn_core.errors import InputError

_FILTERS = {
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32026: "Blosc2",
}
"""Registered numbers that are met often: https://github.com/HDFGroup/hdf5_plugins."""


def require_link(file: h5py.File, name: str) -> None:
    """Check that a dataset which is a link to another file leads somewhere.

    Raises:
        InputError: It does not.
    """
    link = file.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink) and file.get(name) is None:
        there = (Path(file.filename).parent / link.filename).is_file()
        what = "dataset in that file" if there else "file"
        raise InputError(
            f"dataset {name!r} of {file.filename} is a link to {link.filename}:{link.path}, and"
            f" there is no such {what}"
        )


def require_readable(dataset: h5py.Dataset, source: str) -> None:
    """Check that this machine has all filters of a dataset and all files it is made of.

    Raises:
        InputError: It does not.
    """
    if not _first_chunk_is_plain(dataset):
        require_filters(dataset, source)
    folder = Path(dataset.file.filename).parent
    for name, least_bytes in _external_files(dataset):
        path = _found(name, folder, source)
        if path.stat().st_size < least_bytes:
            raise InputError(
                f"{source} takes {least_bytes:,} bytes of {path}, which has only"
                f" {path.stat().st_size:,}; it was cut off"
            )
    for name, source_dataset in _virtual_sources(dataset):
        path = _found(name, folder, source)
        with h5py.File(path, "r") as file:
            if source_dataset not in file:
                raise InputError(
                    f"{source} is put together from other datasets, and {path} has no dataset"
                    f" {source_dataset!r}"
                )


def require_filters(dataset: h5py.Dataset, source: str) -> None:
    """Check that all filters of a dataset are there.

    Raises:
        InputError: One is not; names it.
    """
    creation = dataset.id.get_create_plist()
    for index in range(creation.get_nfilters()):
        number, _, _, text = creation.get_filter(index)
        if not h5py.h5z.filter_avail(number):
            known = _FILTERS.get(number) or text.decode(errors="replace") or "unknown"
            raise InputError(
                f"{source} is compressed with HDF5 filter {number} ({known}), which is not"
                " installed: pip install hdf5plugin and set HDF5_PLUGIN_PATH to its plugins"
                " (hdf5plugin.PLUGIN_PATH), or rewrite the dataset with gzip"
            )


def missing(dataset: h5py.Dataset, source: str) -> str:
    """What of a dataset was never written; see `ffn_core.volumes.volume.Volume.doubts`.

    Raises:
        InputError: Nothing was written.
    """
    if dataset.is_virtual:
        mapped = sum(part.vspace.get_select_npoints() for part in dataset.virtual_sources())
        absent = max(dataset.size - mapped, 0)
        whole, what = dataset.size, "voxels have no source"
    elif dataset.chunks is not None:
        pairs = zip(dataset.shape, dataset.chunks, strict=True)
        whole, what = math.prod(-(-n // chunk) for n, chunk in pairs), "chunks were never written"
        absent = whole - dataset.id.get_num_chunks()
    else:
        is_compact = dataset.id.get_create_plist().get_layout() == h5py.h5d.COMPACT
        written = is_compact or dataset.external or dataset.id.get_storage_size()
        absent, whole, what = int(not written), 1, "the dataset was never written"
    if absent >= whole:
        raise InputError(
            f"nothing was ever written to {source}; it would read as {dataset.fillvalue}"
        )
    return f"{absent:,} of {whole:,} {what} and read as {dataset.fillvalue}" if absent else ""


def other_files(path: Path, name: str) -> list[Path]:
    """Files that parts of a dataset of ``path`` are stored in; none if it cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            dataset = file[name]
            names = {name for name, _ in (*_external_files(dataset), *_virtual_sources(dataset))}
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError):
        return []
    return [found for name in sorted(names) if (found := _place(name, path.parent))]


def _first_chunk_is_plain(dataset: h5py.Dataset) -> bool:
    """Whether chunks skip filters: those that were optional and missing when they were written."""
    if dataset.chunks is None or not dataset.id.get_num_chunks():
        return False
    return bool(dataset.id.get_chunk_info(0).filter_mask)


def _place(name: str, folder: Path) -> Path | None:
    """A file by the name that a dataset in ``folder`` calls it, as HDF5 looks for it."""
    return next((p / name for p in (folder, Path()) if (p / name).is_file()), None)


def _found(name: str, folder: Path, source: str) -> Path:
    path = _place(name, folder)
    if path is None:
        raise InputError(
            f"{source} is stored in several files, and {name} is missing; put it back into {folder}"
        )
    return path


def _external_files(dataset: h5py.Dataset) -> Iterator[tuple[str, int]]:
    """Files that hold the bytes of a dataset, and their least size."""
    for name, offset, size in dataset.external or ():
        yield os.fsdecode(name), offset + min(size, dataset.nbytes)


def _virtual_sources(dataset: h5py.Dataset) -> Iterator[tuple[str, str]]:
    """File and dataset of each source of a virtual dataset in another file.

    Names with a number in them (``%b``) stand for as many files as there are: those are left out.
    """
    if dataset.is_virtual:
        for part in dataset.virtual_sources():
            if part.file_name != "." and "%" not in part.file_name:
                yield part.file_name, part.dset_name.lstrip("/")
