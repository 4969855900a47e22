"""Training on volumes of several formats, larger than the cache, with long voxels."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore as ts
from PIL import Image

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.seed import SeedValues
from ffn_core.synthetic.neurites import synthesize
from ffn_core.training.examples import CanvasSource, ExampleStream, LabeledVolume
from ffn_core.volumes import open_labels, open_volume

SHAPE = (24, 48, 40)


@pytest.fixture
def volumes(tmp_path):
    """The image as N5 and as PNG sections, the labels as HDF5."""
    image, labels = synthesize(SHAPE, seed=2, object_radius_vx=6)
    metadata = {"dimensions": SHAPE[::-1], "blockSize": [16, 16, 4], "dataType": "uint8"}
    metadata["compression"] = {"type": "gzip"}
    spec = {"driver": "n5", "kvstore": f"file://{tmp_path}/em.n5/", "metadata": metadata}
    ts.open(spec, create=True).result()[...] = image.T
    (tmp_path / "em").mkdir()
    for z, section in enumerate(image):
        Image.fromarray(section).save(tmp_path / "em" / f"{z}.png")
    with h5py.File(tmp_path / "gt.h5", "w") as file:
        file.create_dataset("labels", data=labels, chunks=(4, 16, 16), compression="gzip")
        file["mask"] = np.ones(SHAPE, bool)
    shared = {"labels": f"{tmp_path}/gt.h5:labels", "mask": f"{tmp_path}/gt.h5:mask"}
    return [
        {"image": f"n5:{tmp_path}/em.n5", **shared},
        {"image": f"stack:{tmp_path}/em", "weight": 0.5, **shared},
    ]


def test_training(tmp_path, volumes, make_config, train_here, losses, final_weights):
    """The cache holds a sixth of the image; z is pinned: deltas 0 and a thin FOV."""
    recorded, weights = [], []
    for cache_bytes in (SHAPE[0] * SHAPE[1] * SHAPE[2] // 6, 10**9):
        config = make_config(
            data={
                "kind": "files",
                "volumes": volumes,
                "cache_bytes": cache_bytes,
                "permute_axes": [1, 2],
            },
            model={"fov_zyx": [3, 7, 7], "deltas_zyx": [0, 2, 2]},
            cluster={"nodes": 2, "ranks": 1},
            budget={"steps": 8},
        )
        run_dir = tmp_path / f"run-{cache_bytes}"
        train_here(config, run_dir)
        recorded.append(losses(run_dir))
        weights.append(final_weights(run_dir))
    assert len(recorded[0]) > 0
    assert np.isfinite(recorded[0]).all()
    np.testing.assert_array_equal(recorded[0], recorded[1])
    np.testing.assert_array_equal(weights[0], weights[1])


CHUNK = 32
GEOMETRY = FovGeometry((7, 7, 7), (2, 2, 2))


@pytest.fixture
def zarr_corner(tmp_path) -> Coordinates:
    """Image and labels of 128^3 voxels as Zarr v3, unpacked; canvases lie in the first 64^3."""
    rng = np.random.default_rng(0)
    for name in ("image", "labels"):
        metadata = {
            "shape": [4 * CHUNK] * 3,
            "data_type": "uint8",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK] * 3}},
        }
        spec = {"driver": "zarr3", "kvstore": f"file://{tmp_path}/{name}/", "metadata": metadata}
        store = ts.open(spec, create=True).result()
        store[...] = rng.integers(1, 3, [4 * CHUNK] * 3, np.uint8)
    places = np.zeros([4 * CHUNK] * 3, np.uint8)
    radius = GEOMETRY.canvas_radius_zyx[0]
    places[(slice(radius, 2 * CHUNK - radius),) * 3] = 1
    return Coordinates.from_partitions(places, (radius,) * 3, (1.0,), 1, "corner")


def stream(folder: Path, coordinates: Coordinates, cache_bytes: int) -> ExampleStream:
    image = open_volume(f"zarr3:{folder}/image", cache_bytes)
    labels = open_labels(f"zarr3:{folder}/labels", cache_bytes)
    volume = LabeledVolume(image, labels, coordinates, 0.0, 1.0)
    source = CanvasSource([volume], GEOMETRY, SeedValues(), policy="fixed", shuffle=False)
    return ExampleStream(source, seed=0, node=0, slot=0)


def bytes_read_by(examples: ExampleStream, fovs: int) -> int:
    """What this process reads, from disk or the system's cache, in so many FOVs."""

    def so_far() -> int:
        return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])

    before = so_far()
    for _ in range(fovs):
        examples.advance()
    return so_far() - before


def test_training_reads_only_the_chunks_that_hold_its_canvases(tmp_path, zarr_corner):
    """The other 56 of 64 chunks are damaged: reading one would end in an error."""
    for folder in (tmp_path / "image" / "c", tmp_path / "labels" / "c"):
        for chunk in folder.glob("*/*/*"):
            if not {"2", "3"}.isdisjoint(chunk.relative_to(folder).parts):
                chunk.write_bytes(b"damaged")
    examples = stream(tmp_path, zarr_corner, cache_bytes=10**6)
    for _ in range(3000):
        examples.advance()
    with pytest.raises(InputError, match="cannot read"):
        open_volume(f"zarr3:{tmp_path}/image", 10**6).read((0, 0, 2 * CHUNK), (1, 1, 1))


def test_chunks_in_the_cache_are_not_read_again(tmp_path, zarr_corner):
    """Eight chunks of image and of labels are used: a cache that holds them reads them once."""
    used = 2 * 8 * CHUNK**3
    enough = bytes_read_by(stream(tmp_path, zarr_corner, cache_bytes=10**6), 3000)
    assert enough < 1.2 * used
    none = bytes_read_by(stream(tmp_path, zarr_corner, cache_bytes=0), 3000)
    assert none > 10 * used, "or the first measurement says nothing"
