"""``python -m experiments.benchmarks.preparation LABELS REPEATS FILE``: what coordinates cost.

A process of its own, because the peak of its memory is asked for. ``LABELS`` is a NumPy file,
(z, y, x) integers; seconds of every repeat, and memory, are written to ``FILE``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from experiments.reporting import run_files
from ffn_core.runtime import peak_rss_bytes
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partitions import (
    PUBLISHED_MIN_SIZE,
    PUBLISHED_THRESHOLDS,
    compute_partitions,
)

LOM_RADIUS_ZYX = (24, 24, 24)
"""Half the canvas of the published network, in voxels."""


def measure(labels: np.ndarray, repeats: int) -> dict[str, list[float]]:
    """Seconds of each repeat, and the growth of the peak in sizes of ``labels``."""
    before = peak_rss_bytes()
    partitions_s, coordinates_s = [], []
    options = (LOM_RADIUS_ZYX, PUBLISHED_THRESHOLDS, PUBLISHED_MIN_SIZE)
    for _ in range(repeats):
        start = time.perf_counter()
        classes = compute_partitions(labels, *options)
        middle = time.perf_counter()
        Coordinates.from_partitions(classes, *options, "benchmark")
        partitions_s.append(middle - start)
        coordinates_s.append(time.perf_counter() - middle)
    return {
        "partitions_s": partitions_s,
        "coordinates_s": coordinates_s,
        "memory": [(peak_rss_bytes() - before) / labels.nbytes],
    }


if __name__ == "__main__":
    source, count, file = sys.argv[1:]
    run_files.write_json(Path(file), measure(np.load(source), int(count)))
