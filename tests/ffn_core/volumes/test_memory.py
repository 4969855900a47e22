"""A volume larger than the cache is read with the memory of the cache, not of the volume."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore as ts

from ffn_core.files import REPOSITORY

MIB = 1024**2
SHAPE = (300, 1024, 1024)
CHUNK = (50, 128, 128)  # 300 MiB in 384 chunks of 0.8 MiB, which pack to nearly nothing
CACHE_BYTES = 32 * MIB

READ_ALL_OVER = """
import sys
import numpy as np
import psutil
from ffn_core.volumes import open_volume

process = psutil.Process()
before = process.memory_info().rss
volume = open_volume(sys.argv[1], cache_bytes=int(sys.argv[2]))
rng = np.random.default_rng(0)
most = process.memory_info().rss
for start in rng.integers(0, np.subtract(volume.shape_zyx, 33), (600, 3)):
    window = volume.read(tuple(int(s) for s in start), (33, 33, 33))
    assert window[0, 0, 0] == 7, "chunks were unpacked"
    most = max(most, process.memory_info().rss)
print(most - before)
"""


def write_hdf5(folder: Path) -> str:
    with h5py.File(folder / "em.h5", "w") as file:
        raw = file.create_dataset("raw", SHAPE, np.uint8, chunks=CHUNK, compression="gzip")
        raw[: CHUNK[0], : CHUNK[1], : CHUNK[2]] = 7
        _, packed = raw.id.read_direct_chunk((0, 0, 0))
        for corner in np.ndindex(*(n // c for n, c in zip(SHAPE, CHUNK, strict=True))):
            raw.id.write_direct_chunk(
                tuple(i * c for i, c in zip(corner, CHUNK, strict=True)), packed
            )
    return f"{folder}/em.h5:raw"


def write_zarr3(folder: Path) -> str:
    """One chunk is packed, the others are copies: chunks that do not exist are not cached."""
    metadata = {
        "shape": SHAPE,
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": CHUNK}},
        "codecs": [{"name": "gzip", "configuration": {"level": 1}}],
        "chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}},
    }
    spec = {"driver": "zarr3", "kvstore": f"file://{folder}/em/", "metadata": metadata}
    ts.open(spec, create=True).result()[: CHUNK[0], : CHUNK[1], : CHUNK[2]] = 7
    packed = (folder / "em" / "0.0.0").read_bytes()
    for z, y, x in np.ndindex(*(n // c for n, c in zip(SHAPE, CHUNK, strict=True))):
        (folder / "em" / f"{z}.{y}.{x}").write_bytes(packed)
    return f"zarr3:{folder}/em"


def growth_bytes(spec: str, cache_bytes: int) -> int:
    command = [sys.executable, "-c", READ_ALL_OVER, spec, str(cache_bytes)]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return int(done.stdout)


@pytest.mark.parametrize("write", [write_hdf5, write_zarr3])
def test_memory_follows_the_cache(tmp_path, write):
    spec = write(tmp_path)
    assert growth_bytes(spec, CACHE_BYTES) < 3 * CACHE_BYTES
    assert growth_bytes(spec, 400 * MIB) > 250 * MIB, "or the first measurement says nothing"
