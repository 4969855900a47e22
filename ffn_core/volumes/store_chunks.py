"""Which chunks of an array in a folder or on a server are stored.

Formats of chunked arrays leave out chunks that hold nothing but the fill value, and read a chunk
that is not there as such: an array that lost its chunks is full of zeros.
"""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from ffn_core.errors import InputError

_LOOKED_AT = 64
"""Chunks that are asked for where a server cannot list what it has."""

_Key = Callable[[Sequence[int]], str]


def missing(store: Any, source: str) -> str:
    """What is not stored; see `ffn_core.volumes.volume.Volume.doubts`.

    Args:
        store: A ``tensorstore.TensorStore`` of a whole array, as it is stored.
        source: Its name.

    Raises:
        InputError: No chunk is.
    """
    spec = store.spec().to_json()
    grid = [-(-n // chunk) for n, chunk in zip(store.shape, _chunk_shape(store, spec), strict=True)]
    whole = math.prod(grid)
    try:
        stored = {key.decode(errors="replace") for key in store.kvstore.list().result()}
    except (ValueError, OSError, NotImplementedError):
        return _missing_of_some(store, spec, grid, source)
    if spec["driver"] == "neuroglancer_precomputed" and spec["scale_metadata"].get("sharding"):
        prefix = f"{spec['scale_metadata']['key']}/"
        present = whole if any(key.startswith(prefix) for key in stored) else 0
    else:
        present = sum(_is_chunk(key, spec, grid) for key in stored)
    if not present:
        raise InputError(_nothing(source, spec, grid, stored))
    return _words(whole - present, whole, store)


def _missing_of_some(store: Any, spec: dict[str, Any], grid: list[int], source: str) -> str:
    """`missing` where nothing can be listed: some chunks all over the array are looked at."""
    if spec["driver"] == "neuroglancer_precomputed" and spec["scale_metadata"].get("sharding"):
        return ""
    whole, key_of = math.prod(grid), _keys(spec)
    step = max(1, whole // _LOOKED_AT)
    places = list(itertools.islice(itertools.product(*map(range, grid)), 0, None, step))
    read = [store.kvstore.read(key_of(place)) for place in places]
    absent = sum(each.result().state != "value" for each in read)
    if absent == len(places):
        raise InputError(_nothing(source, spec, grid, set()))
    said = _words(absent, len(places), store)
    return said and f"of {len(places)} chunks looked at: {said}"


def _words(absent: int, whole: int, store: Any) -> str:
    fill = 0 if store.fill_value is None else store.fill_value
    return f"{absent:,} of {whole:,} chunks are not stored and read as {fill}" if absent else ""


def _nothing(source: str, spec: dict[str, Any], grid: list[int], stored: set[str]) -> str:
    """Why an array has no chunks, as far as one can see."""
    said = f"no chunk of {source} is there, all of it would read as a fill value"
    if spec["driver"] == "zarr":
        separator = spec["metadata"].get("dimension_separator", ".")
        other = "/" if separator == "." else "."
        pattern = rf"\d+({re.escape(other)}\d+){{{len(grid) - 1}}}"
        if any(re.fullmatch(pattern, key) for key in stored):
            what = "nested folders" if other == "/" else "names with dots"
            return (
                f"{said}: its chunks are in {what}; write"
                f' "dimension_separator": "{other}" into its .zarray'
            )
    return f"{said}: restore its chunks, or name another array"


def _chunk_shape(store: Any, spec: dict[str, Any]) -> list[int]:
    if spec["driver"] == "neuroglancer_precomputed":
        return [*spec["scale_metadata"]["chunk_size"], store.shape[-1]]
    chunks = store.chunk_layout.write_chunk.shape
    return [chunk or n for chunk, n in zip(chunks, store.shape, strict=True)]


def _is_chunk(key: str, spec: dict[str, Any], grid: list[int]) -> bool:
    """Whether a key is that of a chunk of the array."""
    numbers = [int(text) for text in re.findall(r"\d+", key)[-2 * len(grid) :]]
    if spec["driver"] == "neuroglancer_precomputed":
        scale = spec["scale_metadata"]
        starts = re.findall(r"(?:^|_|/)(-?\d+)-", key.removeprefix(f"{scale['key']}"))
        axes = zip(map(int, starts), scale["voxel_offset"], scale["chunk_size"], strict=False)
        numbers = [(start - offset) // chunk for start, offset, chunk in axes] + [0]
    place = numbers[-len(grid) :]
    inside = len(place) == len(grid) and all(0 <= i < n for i, n in zip(place, grid, strict=True))
    return inside and _keys(spec)(place) == key


def _keys(spec: dict[str, Any]) -> _Key:
    """Makes the key of a chunk from its place in the grid."""
    if spec["driver"] == "neuroglancer_precomputed":
        return _precomputed_keys(spec["scale_metadata"])
    metadata, prefix, separator = spec["metadata"], "", "/"
    if spec["driver"] == "zarr":
        separator = metadata.get("dimension_separator", ".")
    elif spec["driver"] == "zarr3":
        encoding = metadata.get("chunk_key_encoding", {"name": "default"})
        is_default = encoding["name"] == "default"
        options = encoding.get("configuration", {})
        separator = options.get("separator", "/" if is_default else ".")
        prefix = f"c{separator}" if is_default else ""
    return lambda place: prefix + separator.join(map(str, place))


def _precomputed_keys(scale: dict[str, Any]) -> _Key:
    """``KEY/x0-x1_y0-y1_z0-z1`` in voxels of the common space."""

    def key(place: Sequence[int]) -> str:
        ranges = []
        axes = zip(place, scale["chunk_size"], scale["size"], scale["voxel_offset"], strict=False)
        for index, chunk, size, offset in axes:
            start, stop = index * chunk, min((index + 1) * chunk, size)
            ranges.append(f"{offset + start}-{offset + stop}")
        return f"{scale['key']}/{'_'.join(ranges)}"

    return key
