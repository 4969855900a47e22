"""Chunked arrays in folders and on servers: Zarr v2 and v3, N5, neuroglancer precomputed.

Read through TensorStore (https://google.github.io/tensorstore), which keeps unpacked chunks in a
cache of limited size.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ffn_core.errors import InputError
from ffn_core.volumes import store_chunks, store_metadata
from ffn_core.volumes.placement import UNKNOWN, Placement
from ffn_core.volumes.volume import StoredVolume, check_stored

OPEN_TIMEOUT_S = 30.0
"""How long a server may take to describe an array. Later reads wait out failures for minutes."""

_URL = re.compile(r"[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True)
class _Format:
    """What has to be known about a format beyond TensorStore's driver for it.

    Attributes:
        driver: TensorStore's name for the format.
        title: its name for people.
        x_first: whether unnamed axes are stored in xyz order.
        metadata: file that every array of this format has.
    """

    driver: str
    title: str
    x_first: bool
    metadata: str

    @property
    def is_zarr(self) -> bool:
        """Whether OME-Zarr groups are of this format."""
        return self.driver in ("zarr", "zarr3")


FORMATS = {
    "zarr": _Format("zarr", "Zarr v2", False, ".zarray"),
    "zarr3": _Format("zarr3", "Zarr v3", False, "zarr.json"),
    # The N5 specification counts axes column-major, fastest first.
    "n5": _Format("n5", "N5", True, "attributes.json"),
    "precomputed": _Format("neuroglancer_precomputed", "neuroglancer precomputed", True, "info"),
}


class StoreVolume(StoredVolume):
    """An array of a TensorStore driver, read window by window, in zyx order."""

    def __init__(self, store: Any, source: str, stored: Any, placement: Placement) -> None:
        """Wrap a ``tensorstore.TensorStore`` of domain [0, shape) in zyx order.

        Args:
            store: The array.
            source: Its name.
            stored: The same as it is stored, with all its axes.
            placement: Where it lies.
        """
        self._store, self._stored = store, stored
        self.source = source
        self.placement = placement
        self.dtype = np.dtype(store.dtype.numpy_dtype)
        z, y, x = store.shape
        self.shape_zyx = (z, y, x)
        z, y, x = (n or 1 for n in store.chunk_layout.read_chunk.shape)
        self.chunk_zyx = (z, y, x)

    @property
    def doubts(self) -> str:
        """What a user should know; see :attr:`Volume.doubts`."""
        return store_chunks.missing(self._stored, self.source)

    def _read(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        try:
            return self._store[window].read().result()
        except (ValueError, OSError) as error:
            raise InputError(f"cannot read {self.source}: {_reason(error)}") from error


def open_store(spec: str, cache_bytes: int) -> StoreVolume:
    """Open ``format:location``; unpacked chunks of up to ``cache_bytes`` are kept in memory.

    Args:
        spec: ``zarr:``, ``zarr3:``, ``n5:`` or ``precomputed:`` and the path of a folder or a
            ``http(s)://``, ``gs://`` or ``s3://`` URL; ``#1`` at its end is the second scale of a
            precomputed volume or OME-Zarr group.
        cache_bytes: Size of the cache.

    Raises:
        InputError: No such array, another format, no answer, not 3-D, an empty axis, or no
            numbers.
    """
    name, _, location = spec.partition(":")
    form = FORMATS[name]
    request, location = _request(form, location, spec)
    store = _open(request, 0, form, location, spec)
    if store.size * store.dtype.numpy_dtype.itemsize > cache_bytes:  # else read whole, once
        store = _open(request, cache_bytes, form, location, spec)
    if form.driver == "neuroglancer_precomputed":
        names, placement = list(store.domain.labels), _placement(store)
    else:
        names, placement = _described(form, location, store)
    return StoreVolume(_to_zyx(store, form, names, spec), spec, store, placement)


def _placement(store: Any) -> Placement:
    """Where a precomputed volume lies."""
    voxel_nm = store.spec().to_json()["scale_metadata"]["resolution"][::-1]
    z, y, x = (float(n) for n in store.domain.origin[2::-1])
    return Placement(Placement.of_nm(voxel_nm).voxel_nm, (z, y, x))


def _described(form: _Format, location: str, store: Any) -> tuple[list[str], Placement]:
    """Names of the axes of an array, and where it lies."""
    array = store_metadata.attributes(form.driver, _kvstore(location))
    above, _, folder = location.rstrip("/").rpartition("/")
    parent = store_metadata.attributes(form.driver, _kvstore(above)) if above else {}
    names = [label.lower() for label in store.domain.labels]
    try:
        if not any(names) and form.is_zarr:
            names = store_metadata.axis_names(array, parent, folder, store.rank)
        return names, store_metadata.placement(form.driver, array, parent, folder)
    except (TypeError, KeyError, AttributeError, IndexError):  # not as the format prescribes
        return names, UNKNOWN


def absolute_location(location: str) -> str:
    """The location with an absolute path, if it is a path; a scale at its end stays."""
    location = _strip_slashes(location)
    return location if _URL.match(location) else str(Path(location).absolute())


def split_scale(location: str) -> tuple[str, str]:
    """A location without the scale at its end, and the scale, empty if there is none.

    A folder with a # in its name is taken as it is.
    """
    location = _strip_slashes(location)
    folder, _, scale = location.partition("#")
    return (location, "") if Path(location).is_dir() else (folder, scale)


def _open(
    request: dict[str, Any], cache_bytes: int, form: _Format, location: str, spec: str
) -> Any:
    """The ``tensorstore.TensorStore`` as it is stored."""
    import tensorstore as ts  # 14 MB, in every rank if it were above

    context = ts.Context({"cache_pool": {"total_bytes_limit": cache_bytes}})
    try:
        return ts.open(request, read=True, context=context).result(timeout=OPEN_TIMEOUT_S)
    except TimeoutError as error:
        raise InputError(
            f"no answer from {location} within {OPEN_TIMEOUT_S:g} s (volume {spec!r}); is the"
            " address right, and is there a network?"
        ) from error
    except (ValueError, OSError) as error:
        is_there = (Path(location) / form.metadata).is_file()
        said = f"cannot read the {form.title} array" if is_there else f"no {form.title} array"
        raise InputError(
            f"{said} at {location}{_hint(Path(location), form)}: {_reason(error)}"
        ) from error


def _request(form: _Format, location: str, spec: str) -> tuple[dict[str, Any], str]:
    """TensorStore's specification, and the location of the array without the scale."""
    location, scale = split_scale(location)
    if not (scale or "0").isdigit():
        raise InputError(f"volume {spec!r}: after # comes the number of a scale, 0, 1, ...")
    if not location:
        raise InputError(f"volume {spec!r} names no path or URL")
    if not _URL.match(location) and not Path(location).is_dir():
        raise InputError(f"no folder {location} (from volume {spec!r})")
    if not _URL.match(location):
        location = str(Path(location).absolute())
    request: dict[str, Any] = {"driver": form.driver}
    if form.driver == "neuroglancer_precomputed":
        request["scale_index"] = int(scale or 0)
    else:
        location = _array_location(form, location, scale, spec)
    return request | {"kvstore": _kvstore(location)}, location


def _array_location(form: _Format, location: str, scale: str, spec: str) -> str:
    """The location itself, or that of a scale of the OME-Zarr group there.

    Raises:
        InputError: A scale of something else.
    """
    group = store_metadata.attributes(form.driver, _kvstore(location)) if form.is_zarr else {}
    folder = store_metadata.scale_folder(group, int(scale or 0), spec)
    if folder is not None:
        return f"{location.rstrip('/')}/{folder}"
    if scale:
        raise InputError(f"volume {spec!r}: there is no OME-Zarr group with scales; leave out #")
    return location


def _kvstore(location: str) -> Any:
    """TensorStore's name for a folder."""
    if _URL.match(location):
        return location.rstrip("/") + "/"
    return {"driver": "file", "path": f"{Path(location).absolute()}/"}


def _strip_slashes(location: str) -> str:
    """Neuroglancer writes ``precomputed://gs://...``."""
    return location[2:] if location.startswith("//") and _URL.match(location[2:]) else location


def _to_zyx(store: Any, form: _Format, names: list[str], spec: str) -> Any:
    """The store with axes z, y, x from 0 on; other axes must have one element and are dropped.

    Axes whose ``names`` are x, y and z are taken by name, others by the order that the format
    prescribes.
    """
    if {"x", "y", "z"} <= set(names):
        order = [names.index(axis) for axis in "zyx"]
    else:
        extra = store.rank - 3
        # Channels come last in an xyz order and first, as in OME-Zarr, in a zyx order.
        order = [2, 1, 0] if form.x_first else list(range(extra, store.rank))
    dropped = [axis for axis in range(store.rank) if axis not in order]
    if store.rank < 3 or any(store.shape[axis] != 1 for axis in dropped):
        raise InputError(
            f"{spec} has shape {tuple(store.shape)}; a volume has 3 non-empty axes (zyx), and"
            " others only of one element"
        )
    check_stored(spec, [store.shape[axis] for axis in order], np.dtype(store.dtype.numpy_dtype))
    import tensorstore as ts

    kept = [axis for axis in range(store.rank) if axis in order]
    for axis in reversed(dropped):
        store = store[ts.d[axis][store.domain.origin[axis]]]
    store = store[ts.d[[kept.index(axis) for axis in order]].transpose[:]]
    return store[ts.d[:].translate_to[0]]


def _hint(folder: Path, wanted: _Format) -> str:
    """What a local folder holds instead."""
    if (folder / wanted.metadata).is_file():
        return ""
    for name, form in FORMATS.items():
        if (folder / form.metadata).is_file():
            return f" (there is {form.metadata}: is it {name}:?)"
        arrays = sorted(p.parent.name for p in folder.glob(f"*/{form.metadata}"))
        if arrays:
            return f" (there are {form.title} arrays in its folders {', '.join(arrays[:5])})"
    return ""


def _reason(error: Exception) -> str:
    """TensorStore's message, in one line and without the whole specification."""
    return " ".join(re.sub(r" \[\w+='.*", "", str(error), flags=re.DOTALL).split())
