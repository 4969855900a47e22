"""Volumes written in neuroglancer's precomputed format, at several scales.

https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import tensorstore as ts

from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx
from ffn_core.volumes import Volume

Size: TypeAlias = tuple[float, float, float]
"""Lengths along z, y, x."""

CHUNK = 64
"""Edge of the stored chunks in voxels."""

SMALLEST = 128
"""Scales are added, each half the size of the one before, until no edge is longer."""

_SLAB_BYTES = 256 * 1024**2
_COMPRESSED_BLOCK = [8, 8, 8]


@dataclass(frozen=True)
class Kind:
    """How a kind of volume is stored.

    Attributes:
        name: neuroglancer's ``type``.
        downsampling: TensorStore's method for the coarser scales.
        encoding: of the chunks.
    """

    name: str
    downsampling: Literal["mean", "mode"]
    encoding: dict[str, Any]

    def stored_type(self, dtype: np.dtype) -> str:
        """Name of the type that holds ``dtype`` and that neuroglancer can show."""
        if self is SEGMENTATION:
            return "uint32" if dtype.kind == "u" and dtype.itemsize <= 4 else "uint64"
        if dtype.kind == "b":
            return "uint8"
        return "float32" if dtype.kind == "f" or dtype.itemsize > 4 else dtype.name


IMAGE = Kind("image", "mean", {"encoding": "raw"})
SEGMENTATION = Kind(
    "segmentation",
    "mode",
    {
        "encoding": "compressed_segmentation",
        "compressed_segmentation_block_size": _COMPRESSED_BLOCK,
    },
)


def write_precomputed(
    folder: Path,
    volume: Volume,
    box: Box,
    kind: Kind,
    voxel_nm: Size,
    start_zyx: Zyx,
) -> None:
    """Write a box of a volume to ``folder``, in which no volume may be yet.

    Args:
        folder: of the volume; neuroglancer opens it as ``precomputed://URL/OF/FOLDER``.
        volume: read slab by slab, so it may be larger than memory.
        box: part of ``volume`` to write.
        kind: `IMAGE` or `SEGMENTATION`.
        voxel_nm: edges of a voxel.
        start_zyx: voxel of the written volume's first corner in the common space.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        store = _create(folder, kind, volume.dtype, voxel_nm, start_zyx, box.shape_zyx)
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot write {folder}: {reason}") from None
    _copy(volume, box, store)
    while max(store.shape) > SMALLEST:
        store = _add_half(folder, kind, store)


def scales(folder: Path) -> int:
    """How many scales a precomputed volume has."""
    return len(json.loads((folder / "info").read_text())["scales"])


def open_precomputed(folder: Path, scale: int = 0) -> Any:
    """The ``tensorstore.TensorStore`` (x, y, z) of a scale, in voxels of the common space."""
    spec = _spec(folder) | {"scale_index": scale}
    return ts.open(spec, read=True).result()[ts.d["channel"][0]]


def _spec(folder: Path) -> dict[str, Any]:
    path = f"{folder.absolute()}/"
    return {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": path}}


def _create(
    folder: Path, kind: Kind, dtype: np.dtype, voxel_nm: Size, start_zyx: Zyx, shape_zyx: Zyx
) -> Any:
    spec = _spec(folder) | {
        "multiscale_metadata": {
            "type": kind.name,
            "data_type": kind.stored_type(dtype),
            "num_channels": 1,
        },
        "scale_metadata": _scale(kind, voxel_nm[::-1], start_zyx[::-1], shape_zyx[::-1]),
    }
    return ts.open(spec, create=True).result()


def _scale(kind: Kind, resolution: Any, offset: Any, size: Any) -> dict[str, Any]:
    """Metadata of one scale; everything xyz."""
    return {
        "resolution": [float(r) for r in resolution],
        "voxel_offset": [int(o) for o in offset],
        "size": [int(s) for s in size],
        "chunk_size": [CHUNK] * 3,
    } | kind.encoding


def _copy(volume: Volume, box: Box, store: Any) -> None:
    """Read and write slabs of whole chunks along z."""
    depth, height, width = box.shape_zyx
    layer_bytes = CHUNK * height * width * volume.dtype.itemsize
    slab = CHUNK * max(1, _SLAB_BYTES // layer_bytes)
    z, y, x = box.start_zyx
    first = store.domain["z"].inclusive_min
    for done in range(0, depth, slab):
        n = min(slab, depth - done)
        block = volume.read((z + done, y, x), (n, height, width))
        target = store[ts.d["z", "channel"][first + done : first + done + n, 0]]
        target.write(block.transpose().astype(store.dtype.numpy_dtype)).result()


def _add_half(folder: Path, kind: Kind, store: Any) -> Any:
    """Add the next coarser scale."""
    factors = [2 if n > 1 else 1 for n in store.shape[:3]]
    coarse = ts.downsample(store, [*factors, 1], method=kind.downsampling)
    metadata = store.spec().to_json()["scale_metadata"]
    resolution = [r * f for r, f in zip(metadata["resolution"], factors, strict=True)]
    scale = _scale(kind, resolution, coarse.origin[:3], coarse.shape[:3])
    added = ts.open(_spec(folder) | {"scale_metadata": scale}, create=True).result()
    added.write(coarse).result()
    return added
