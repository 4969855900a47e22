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
from ffn_core.geometry import Zyx
from ffn_core.volumes.volume import check_stored, window_slices

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


FORMATS = {
    "zarr": _Format("zarr", "Zarr v2", False, ".zarray"),
    "zarr3": _Format("zarr3", "Zarr v3", False, "zarr.json"),
    # The N5 specification counts axes column-major, fastest first.
    "n5": _Format("n5", "N5", True, "attributes.json"),
    "precomputed": _Format("neuroglancer_precomputed", "neuroglancer precomputed", True, "info"),
}


class StoreVolume:
    """An array of a TensorStore driver, read window by window, in zyx order."""

    info = ""

    def __init__(self, store: Any, source: str) -> None:
        """Wrap a ``tensorstore.TensorStore`` of domain [0, shape) in zyx order."""
        self._store = store
        self.source = source
        self.dtype = np.dtype(store.dtype.numpy_dtype)
        z, y, x = store.shape
        self.shape_zyx: Zyx = (z, y, x)
        z, y, x = (n or 1 for n in store.chunk_layout.read_chunk.shape)
        self.chunk_zyx: Zyx = (z, y, x)

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Read the window through the cache; see :meth:`Volume.read`."""
        window = window_slices(start_zyx, shape_zyx, self.shape_zyx)
        try:
            return self._store[window].read().result()
        except (ValueError, OSError) as error:
            raise InputError(f"cannot read {self.source}: {_reason(error)}") from error


def open_store(spec: str, cache_bytes: int) -> StoreVolume:
    """Open ``format:location``; unpacked chunks of up to ``cache_bytes`` are kept in memory.

    Args:
        spec: ``zarr:``, ``zarr3:``, ``n5:`` or ``precomputed:`` and the path of a folder or a
            ``http(s)://``, ``gs://`` or ``s3://`` URL; ``#1`` at its end is the second scale of a
            precomputed volume.
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
    return StoreVolume(_to_zyx(store, form, spec), spec)


def absolute_location(location: str) -> str:
    """The location with an absolute path, if it is a path; a scale at its end stays."""
    location = _strip_slashes(location)
    return location if _URL.match(location) else str(Path(location).absolute())


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
        raise InputError(
            f"no {form.title} array at {location}{_hint(Path(location), form)}: {_reason(error)}"
        ) from error


def _request(form: _Format, location: str, spec: str) -> tuple[dict[str, Any], str]:
    """TensorStore's specification, and the location without the scale."""
    location = _strip_slashes(location)
    request: dict[str, Any] = {"driver": form.driver}
    if form.driver == "neuroglancer_precomputed":
        location, _, scale = location.partition("#")
        if not (scale or "0").isdigit():
            raise InputError(f"volume {spec!r}: after # comes the number of a scale, 0, 1, ...")
        request["scale_index"] = int(scale or 0)
    if not location:
        raise InputError(f"volume {spec!r} names no path or URL")
    if _URL.match(location):
        request["kvstore"] = location.rstrip("/") + "/"
        return request, location
    if not Path(location).is_dir():
        raise InputError(f"no folder {location} (from volume {spec!r})")
    request["kvstore"] = {"driver": "file", "path": f"{Path(location).absolute()}/"}
    return request, location


def _strip_slashes(location: str) -> str:
    """Neuroglancer writes ``precomputed://gs://...``."""
    return location[2:] if location.startswith("//") and _URL.match(location[2:]) else location


def _to_zyx(store: Any, form: _Format, spec: str) -> Any:
    """The store with axes z, y, x from 0 on; other axes must have one element and are dropped.

    Axes named x, y and z are taken by name, others by the order that the format prescribes.
    """
    names = [label.lower() for label in store.domain.labels]
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
