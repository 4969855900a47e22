"""One segmentation, whatever format, type and resolution the image has."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import tifffile
from PIL import Image

from experiments.data.cache import write_volumes
from experiments.segment.config import FloodConfig, SegmentConfig, SubvolumeConfig
from experiments.segment.flooding import Worker
from experiments.segment.resolve import resolve
from experiments.segment.segmentation_files import finished_path, load_segments
from ffn_core.inference.forward import make_forward
from ffn_core.model import ConvStack
from ffn_core.model_size import ModelSize

SHAPE = (16, 24, 34)
GRAY, CONTRAST = 100, 50
GEOMETRIES = {"isotropic": ([7, 7, 7], [2, 2, 2]), "thick sections": ([3, 7, 7], [1, 2, 2])}


def columns() -> np.ndarray:
    """Two columns along x, brightest inside, in the dark."""
    image = np.full(SHAPE, GRAY - CONTRAST)
    z, y = np.indices((10, 9)) - 4
    column = GRAY + CONTRAST - 4 * np.maximum(abs(z), abs(y))
    for top in (2, 13):
        image[3:13, top : top + 9, :] = column[:, :, None]
    return image


def write_store(folder: Path, driver: str, stored: np.ndarray, **options: object) -> None:
    spec = {"driver": driver, "kvstore": f"file://{folder}/", **options}
    ts.open(spec, create=True).result()[...] = stored


def hdf5(folder: Path, image: np.ndarray) -> str:
    write_volumes(folder / "em.h5", {"image": image})  # makes the folder
    return f"{folder}/em.h5:image"


def zarr(folder: Path, image: np.ndarray) -> str:
    metadata = {"shape": image.shape, "chunks": [7, 8, 9], "dtype": image.dtype.str}
    write_store(folder, "zarr", image, metadata=metadata)
    return f"zarr:{folder}"


def zarr3(folder: Path, image: np.ndarray) -> str:
    grid = {"name": "regular", "configuration": {"chunk_shape": [7, 8, 9]}}
    metadata = {"shape": image.shape, "data_type": image.dtype.name, "chunk_grid": grid}
    write_store(folder, "zarr3", image, metadata=metadata)
    return f"zarr3:{folder}"


def n5(folder: Path, image: np.ndarray) -> str:
    metadata = {"dimensions": image.T.shape, "blockSize": [9, 8, 7], "dataType": image.dtype.name}
    metadata["compression"] = {"type": "gzip"}
    write_store(folder, "n5", image.T, metadata=metadata)
    return f"n5:{folder}"


def precomputed(folder: Path, image: np.ndarray) -> str:
    scale = {"key": "s0", "size": image.T.shape, "encoding": "raw", "chunk_size": [9, 8, 7]}
    scale |= {"voxel_offset": [5, 6, 7], "resolution": [8, 8, 40]}
    info = {"type": "image", "data_type": image.dtype.name, "num_channels": 1}
    options = {"multiscale_metadata": info, "scale_metadata": scale}
    write_store(folder, "neuroglancer_precomputed", image.T[..., np.newaxis], **options)
    return f"precomputed:{folder}"


def png(folder: Path, image: np.ndarray) -> str:
    folder.mkdir()
    for z, section in enumerate(image):
        Image.fromarray(section).save(folder / f"{z}.png")
    return f"stack:{folder}"


def tiff(folder: Path, image: np.ndarray) -> str:
    folder.mkdir()
    tifffile.imwrite(folder / "em.tif", image)
    return f"stack:{folder}/em.tif"


@pytest.fixture(scope="module")
def forward():
    """A network that adds to the mask what is bright and takes off what is dark."""
    return make_forward(bright_network())


def bright_network() -> ConvStack:
    model = ConvStack(ModelSize(depth=1, features=2), seed=0)
    first, second = np.zeros((2, 3, 3, 3, 2, 2), np.float32)
    first[1, 1, 1, 0] = [1, -1]  # how bright, how dark
    second[1, 1, 1] = np.eye(2)
    to_logit = np.array([8, -8], np.float32).reshape(1, 1, 1, 2, 1)
    none = np.zeros(2, np.float32)
    model.assign([first, none, second, none, to_logit, np.zeros(1, np.float32)])
    return model


@pytest.fixture(scope="module")
def segment(tmp_path_factory, forward) -> Callable[..., list[np.ndarray]]:
    """Segment a volume, of which nothing is kept in memory, in two subvolumes."""
    checkpoint = tmp_path_factory.mktemp("published") / "model.ckpt-1"
    checkpoint.with_name("model.ckpt-1.index").touch()  # what it holds, ``forward`` stands for

    def run(image: str, geometry: str) -> list[np.ndarray]:
        fov, deltas = GEOMETRIES[geometry]
        config = SegmentConfig(
            checkpoint=str(checkpoint),
            image=image,
            mean=GRAY,
            stddev=CONTRAST,
            fov_zyx=fov,
            deltas_zyx=deltas,
            flood=FloodConfig(min_segment_size=200),
            subvolume=SubvolumeConfig([16, 24, 22], [2, 2, 8]),
            cache_bytes=0,
            out=str(tmp_path_factory.mktemp("out")),
        )
        config = resolve(config)
        assert Worker(config, config.directory, forward).run(config.grid.subvolumes)
        return [load_segments(finished_path(config.directory, index)) for index in (0, 1)]

    return run


@pytest.fixture(scope="module")
def from_hdf5(tmp_path_factory, segment) -> dict[str, list[np.ndarray]]:
    image = hdf5(tmp_path_factory.mktemp("hdf5"), columns().astype(np.uint8))
    return {geometry: segment(image, geometry) for geometry in GEOMETRIES}


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(
    ("write", "dtype"),
    [
        (hdf5, "float32"),
        (zarr, "uint8"),
        (zarr, "float64"),
        (zarr3, "uint16"),
        (zarr3, "float32"),
        (n5, "uint8"),
        (n5, "uint16"),
        (precomputed, "uint8"),
        (precomputed, "float32"),
        (png, "uint8"),
        (png, "uint16"),
        (tiff, "uint16"),
        (tiff, "float32"),
    ],
)
def test_the_same_from_every_format(tmp_path, segment, from_hdf5, write, dtype, geometry):
    found = segment(write(tmp_path / "em", columns().astype(dtype)), geometry)
    for ids, expected in zip(found, from_hdf5[geometry], strict=True):
        assert np.unique(expected).tolist() == [0, 1, 2]
        np.testing.assert_array_equal(ids, expected)
