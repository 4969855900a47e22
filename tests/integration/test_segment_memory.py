"""Memory of a segmentation follows the subvolume and the cache, not the volume.

``python tests/integration/test_segment_memory.py 128 256 512`` prints the table for cubes of these
edges, with pictures.
"""

import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorstore as ts
import yaml

from experiments.reporting import run_files
from ffn_core.files import REPOSITORY
from ffn_core.geometry import Zyx
from ffn_core.training import checkpoint as checkpoints

MIB = 1024**2
CELL = 64  # one ball in each cell of so many voxels along each axis
RADIUS = 20
GRAY, CONTRAST = 100, 50
FOV, DELTAS, SUBVOLUME, OVERLAP = 33, 16, 128, 34
CACHE_BYTES = 8 * MIB
BYTES_PER_VOXEL = 1 + 4 + 4  # of image, labels and ids
WORKER, MAIN, PICTURES = "experiments.segment_worker", "experiments.segment", "analysis.pictures"


def write_balls(folder: Path, shape: Zyx) -> list[list[int]]:
    """Bright balls in the dark, image and labels as Zarr v3; returns the balls' centers."""
    distance = np.sqrt(sum((np.indices((CELL,) * 3) - CELL // 2) ** 2))
    ball = (GRAY + CONTRAST * (1 - distance / RADIUS)).clip(0, 255).astype(np.uint8)
    image = create_store(folder / "image", shape, "uint8")
    labels = create_store(folder / "labels", shape, "uint32")
    centers = []
    for number, cell in enumerate(np.ndindex(*(n // CELL for n in shape)), start=1):
        place = tuple(slice(CELL * c, CELL * (c + 1)) for c in cell)
        image[place] = ball
        labels[place] = np.where(distance < RADIUS, number, 0).astype(np.uint32)
        centers.append([CELL * c + CELL // 2 for c in cell])
    return centers


def create_store(path: Path, shape: Zyx, dtype: str) -> ts.TensorStore:
    metadata = {
        "shape": shape,
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CELL] * 3}},
        "codecs": [{"name": "gzip", "configuration": {"level": 1}}],
    }
    spec = {"driver": "zarr3", "kvstore": f"file://{path}/", "metadata": metadata}
    return ts.open(spec, create=True).result()


def write_run(folder: Path) -> None:
    """A run whose network adds to the mask what is bright and takes off what is dark."""
    first, second = np.zeros((2, 3, 3, 3, 2, 2), np.float32)
    first[1, 1, 1, 0] = [1, -1]  # how bright, how dark
    second[1, 1, 1] = np.eye(2)
    to_logit = np.array([8, -8], np.float32).reshape(1, 1, 1, 2, 1)
    none = np.zeros(2, np.float32)
    weights = [first, none, second, none, to_logit, np.zeros(1, np.float32)]
    checkpoints.save(
        folder / run_files.CHECKPOINTS,
        checkpoints.Checkpoint(1, {"step": 1, "elapsed_s": 1.0}, weights, {}),
        checkpoints.NodeStreams(0, [[]], np.zeros((1, 0, 1, 1, 1), np.float32)),
        rank=0,
        gather=lambda item: [item],
        keep=1,
    )
    model = {"name": "bright", "fov_zyx": [FOV] * 3, "deltas_zyx": [DELTAS] * 3}
    data = {"name": "balls", "kind": "files", "mean": GRAY, "stddev": CONTRAST}
    run = {"model": model | {"depth": 1, "features": 2}, "data": data}
    (folder / run_files.CONFIG).write_text(yaml.safe_dump(run))


def peak_rss(folder: Path, centers: list[list[int]], shape: Zyx, pictures: bool) -> dict[str, int]:
    """Segment and score the first ``shape`` voxels; the peak in bytes of each process."""
    inside = [c for c in centers if all(p < n for p, n in zip(c, shape, strict=True))]
    options = {
        "checkpoint": folder / "run",
        "image": f"zarr3:{folder}/image",
        "labels": f"zarr3:{folder}/labels",
        "region.size_zyx": list(shape),
        "subvolume.size_zyx": [SUBVOLUME] * 3,
        "subvolume.overlap_zyx": [OVERLAP] * 3,
        "seeds.policy": "manual",
        "seeds.points": inside,
        "cache_bytes": CACHE_BYTES,
        "threads_per_process": 1,
        "pictures": pictures,
        "out": folder / f"out-{shape[0]}",
    }
    command = [sys.executable, "-m", MAIN, *(f"{k}={v}" for k, v in options.items())]
    peaks: dict[str, int] = {}
    with (folder / "printed").open("w+") as printed:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=printed, stderr=printed)
        try:
            while process.poll() is None:
                for part, peak in peaks_now(process.pid):
                    peaks[part] = max(peak, peaks.get(part, 0))
                time.sleep(0.1)
        finally:
            process.terminate()
            process.wait()
        printed.seek(0)
        text = printed.read()
    assert process.returncode == 0, text
    assert f"{len(inside)} segments against" in text, text
    return peaks


def peaks_now(pid: int) -> list[tuple[str, int]]:
    """What the kernel keeps of each process under ``pid``: the most that was ever resident."""
    found = []
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            line = process.cmdline()
            status = Path(f"/proc/{process.pid}/status").read_text()
            for part in (WORKER, MAIN, PICTURES):
                if part in line and "VmHWM:" in status:
                    found.append((part, int(status.split("VmHWM:")[1].split()[0]) * 1024))
    except (psutil.Error, OSError):
        pass  # it ended while we looked
    return found


@pytest.mark.timeout(900)  # a minute of computing, on machines that may be busy
def test_a_longer_region_takes_no_more_memory(tmp_path):
    """Three times as long; image, labels and ids grow by 72 MiB."""
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run")
    short, long = (256, 128, 128), (768, 128, 128)
    centers = write_balls(tmp_path, long)[::3]
    first, then = (peak_rss(tmp_path, centers, shape, pictures=False) for shape in (short, long))
    assert set(first) == set(then) == {WORKER, MAIN}
    added = (math.prod(long) - math.prod(short)) * BYTES_PER_VOXEL
    assert max(then[part] - first[part] for part in first) < added / 2, (first, then)


def main() -> None:
    """Print the table."""
    parts = (WORKER, MAIN, PICTURES)
    print("edge, image + labels + ids in MiB, peak resident MiB of", *parts, "and seconds")
    for edge in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as name:
            folder, shape = Path(name), (edge, edge, edge)
            (folder / "run").mkdir()
            write_run(folder / "run")
            centers = write_balls(folder, shape)
            started = time.monotonic()
            peaks = peak_rss(folder, centers, shape, pictures=True)
            took_s = time.monotonic() - started
            cells = [edge**3 * BYTES_PER_VOXEL / MIB, *(peaks.get(p, 0) / MIB for p in parts)]
            print(edge, *(f"{cell:.0f}" for cell in [*cells, took_s]), sep="\t", flush=True)


if __name__ == "__main__":
    main()
