"""Ranks that train on volumes of several formats, larger than the cache, with long voxels."""

import h5py
import numpy as np
import pytest
import tensorstore as ts
from PIL import Image

from ffn_core.synthetic import synthesize

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


@pytest.mark.ranks
def test_training(tmp_path, volumes, make_config, train, losses, final_weights):
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
        train(config, run_dir)
        recorded.append(losses(run_dir))
        weights.append(final_weights(run_dir))
    assert len(recorded[0]) > 0
    assert np.isfinite(recorded[0]).all()
    np.testing.assert_array_equal(recorded[0], recorded[1])
    np.testing.assert_array_equal(weights[0], weights[1])
