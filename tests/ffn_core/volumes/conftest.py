"""One array in every format that is read."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore as ts
import tifffile

Write = Callable[[Path, np.ndarray], str]


def hdf5(folder: Path, array: np.ndarray) -> str:
    folder.mkdir()
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("raw", data=array, chunks=(2, 2, 2))
    return f"{folder}/a.h5:raw"


def _store(folder: Path, driver: str, array: np.ndarray, **options: object) -> str:
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{folder}/"}, **options}
    ts.open(spec, create=True).result()[...] = array
    return str(folder)


def zarr(folder: Path, array: np.ndarray) -> str:
    metadata = {"shape": array.shape, "chunks": [2, 2, 2], "dtype": array.dtype.str}
    return "zarr:" + _store(folder, "zarr", array, metadata=metadata)


def zarr3(folder: Path, array: np.ndarray) -> str:
    grid = {"name": "regular", "configuration": {"chunk_shape": [2, 2, 2]}}
    metadata = {"shape": array.shape, "data_type": array.dtype.name, "chunk_grid": grid}
    return "zarr3:" + _store(folder, "zarr3", array, metadata=metadata)


def n5(folder: Path, array: np.ndarray) -> str:
    metadata = {"dimensions": array.T.shape, "blockSize": [2, 2, 2], "dataType": array.dtype.name}
    metadata["compression"] = {"type": "raw"}
    return "n5:" + _store(folder, "n5", array.T, metadata=metadata)


def precomputed(
    folder: Path, array: np.ndarray, offset_xyz: tuple[int, int, int] = (0, 0, 0)
) -> str:
    scale = {"key": "s0", "size": array.T.shape, "encoding": "raw", "chunk_size": [2, 2, 2]}
    scale |= {"voxel_offset": offset_xyz, "resolution": [8, 9, 30]}
    info = {"type": "image", "data_type": array.dtype.name, "num_channels": 1}
    options = {"multiscale_metadata": info, "scale_metadata": scale}
    stored = array.T[..., np.newaxis]
    return "precomputed:" + _store(folder, "neuroglancer_precomputed", stored, **options)


def tiff(folder: Path, array: np.ndarray) -> str:
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", array, photometric="minisblack")
    return f"stack:{folder}/a.tif"


def packed_tiff(folder: Path, array: np.ndarray) -> str:
    folder.mkdir()
    options = {"photometric": "minisblack", "compression": "zlib"}
    tifffile.imwrite(folder / "a.tif", array, **options)
    return f"stack:{folder}/a.tif"


FORMATS: dict[str, Write] = {
    "HDF5": hdf5,
    "Zarr v2": zarr,
    "Zarr v3": zarr3,
    "N5": n5,
    "precomputed": precomputed,
    "TIFF": tiff,
    "packed TIFF": packed_tiff,
}


@pytest.fixture(params=FORMATS)
def write(request: pytest.FixtureRequest) -> Write:
    """Write an array to a new folder in one of the formats; returns the name of the volume."""
    return FORMATS[request.param]


@pytest.fixture
def write_precomputed() -> Callable[..., str]:
    """The same as precomputed, at a voxel offset."""
    return precomputed


@pytest.fixture
def formats() -> dict[str, Write]:
    """All of them by name."""
    return FORMATS
