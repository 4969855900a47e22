"""Draw pictures of a segmentation.

    python -m analysis.pictures result.h5:segmentation --image volume.h5:image
    python -m analysis.pictures result.h5:segmentation --image volume.h5:image --section 40

A section with image, ground truth and segmentation, and the surfaces of the largest neurons, as
PNG. Runs without a display. Volumes may be larger than memory: of the image only the section is
read, and surfaces are drawn of at most `MOST_VOXELS` voxels.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from analysis.pictures.panels import section_figure, surfaces_figure
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files import REPOSITORY
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.geometry import Zyx, as_zyx, to_zyx
from ffn_core.limits.arguments import CommandParser, add_voxel_size, add_whole
from ffn_core.limits.ranges import MOST_BYTES, MOST_EXTENT, Range
from ffn_core.volumes import (
    DEFAULT_CACHE_BYTES,
    Volume,
    iter_blocks,
    known_voxel_nm,
    open_labels,
    open_volume,
    stored_at,
    stored_start,
)

MOST_VOXELS: Final = 300**3
"""Matching segments with true objects takes some 50 bytes of memory for each."""

_BLOCK_BYTES: Final = 64 * 1024**2


def thinning_step(shape_zyx: Zyx, most_voxels: int) -> int:
    """The smallest k for which every k-th voxel along each axis makes at most ``most_voxels``."""
    return next(
        k for k in itertools.count(1) if math.prod(-(-n // k) for n in shape_zyx) <= most_voxels
    )


def thinned(
    segmentation: Volume,
    truth: Volume | None,
    start_zyx: Zyx,
    step: int,
    block_bytes: int = _BLOCK_BYTES,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Every ``step``-th voxel of a segmentation and of the truth that begins at ``start_zyx``.

    Both are read block by block.

    Returns:
        Two (z, y, x) id arrays of one shape; None without a truth.
    """
    shape = [-(-n // step) for n in segmentation.shape_zyx]
    ids = np.empty(shape, segmentation.dtype)
    true_ids = None if truth is None else np.empty(shape, truth.dtype)
    for corner, block in iter_blocks(segmentation, block_bytes):
        inside = tuple(slice(-a % step, None, step) for a in corner)
        kept = block[inside]
        starts = (-(-a // step) for a in corner)
        place = tuple(slice(a, a + n) for a, n in zip(starts, kept.shape, strict=True))
        ids[place] = kept
        if truth is not None and true_ids is not None and kept.size:
            there = to_zyx(a + b for a, b in zip(start_zyx, corner, strict=True))
            true_ids[place] = truth.read(there, to_zyx(block.shape))[inside]
    return ids, true_ids


SECTION = "section.png"
SURFACES = "surfaces.png"
DPI = 200

_STYLE = REPOSITORY / "analysis" / "paper.mplstyle"


def rendered(figure: Figure) -> np.ndarray:
    """The figure as (height, width, 3) uint8."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _write(figure: Figure, path: Path, outputs: Outputs) -> None:
    with outputs.place(path) as partial:
        Image.fromarray(rendered(figure)).save(partial, format="PNG", optimize=True)


def _check_inside(volume: Volume, start_zyx: Zyx, shape_zyx: Zyx, option: str) -> None:
    for start, extent, limit in zip(start_zyx, shape_zyx, volume.shape_zyx, strict=True):
        if start < 0 or start + extent > limit:
            raise InputError(
                f"--start {start_zyx} and the segmentation's {shape_zyx} voxels do not lie in"
                f" {option} {volume.source} of {volume.shape_zyx}"
            )


def _section(volume: Volume, start_zyx: Zyx, shape_zyx: Zyx, z: int) -> np.ndarray:
    """The (y, x) section ``z`` of a window."""
    _, height, width = shape_zyx
    first, top, left = start_zyx
    return volume.read((first + z, top, left), (1, height, width))[0]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.pictures", __doc__)
    parser.add_argument("segmentation", help="path:dataset of the ids")
    parser.add_argument("--image", required=True, help="path:dataset of the image")
    parser.add_argument("--labels", help="path:dataset of a ground truth")
    places = Range(at_least=0, at_most=MOST_EXTENT)
    add_whole(
        parser,
        "--start",
        places,
        "the segmentation's corner in the image (default: what its file says, or 0 0 0)",
        nargs=3,
        metavar=("Z", "Y", "X"),
    )
    add_voxel_size(parser, "what the volumes say, or a cube")
    add_whole(parser, "--section", places, "z of the section; default: the middle")
    counts = Range(at_least=1, at_most=10**4)
    add_whole(parser, "--count", counts, "neurons drawn as surfaces", default=8)
    add_whole(
        parser,
        "--most-voxels",
        Range(at_least=1, at_most=10**12),
        "surfaces of a larger volume are drawn from every k-th voxel along each axis",
        default=MOST_VOXELS,
    )
    add_whole(
        parser,
        "--cache-bytes",
        Range(at_least=0, at_most=MOST_BYTES),
        "of each volume, how much is kept in memory (default: %(default)s)",
        default=DEFAULT_CACHE_BYTES,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    add_overwrite(parser)
    return parser.parse_args(argv)


def _start(arguments: argparse.Namespace) -> Zyx:
    """The segmentation's corner as given, or as its file says; a difference is said."""
    stored = stored_start(arguments.segmentation)
    if arguments.start is None:
        return stored or (0, 0, 0)
    start = as_zyx(arguments.start, "--start")
    if stored is not None and start != stored:
        print(
            f"warning: --start is {start}, {arguments.segmentation} says {stored}: drawn as given",
            file=sys.stderr,
        )
    return start


def draw(arguments: argparse.Namespace) -> list[Path]:
    """Draw both pictures; returns their paths."""
    cache_bytes = arguments.cache_bytes
    ids = open_labels(arguments.segmentation, cache_bytes)
    start, shape = _start(arguments), ids.shape_zyx
    image = open_volume(arguments.image, cache_bytes)
    truth = open_labels(arguments.labels, cache_bytes) if arguments.labels else None
    _check_inside(image, start, shape, "--image")
    if truth is not None:
        _check_inside(truth, start, shape, "--labels")
    z = shape[0] // 2 if arguments.section is None else arguments.section
    if not 0 <= z < shape[0]:
        raise InputError(f"--section {z}: the segmentation has sections 0 to {shape[0] - 1}")
    paths = [arguments.out / SECTION, arguments.out / SURFACES]
    volumes = (arguments.segmentation, arguments.image, arguments.labels)
    inputs = [path for spec in volumes if spec for path in stored_at(spec)]
    outputs = Outputs("analysis.pictures", inputs, arguments.overwrite)
    outputs.check(paths)
    image_yx, ids_yx = _section(image, start, shape, z), _section(ids, (0, 0, 0), shape, z)
    truth_yx = None if truth is None else _section(truth, start, shape, z)
    said = known_voxel_nm(arguments.voxel_size_nm, ids.placement, image.placement)
    voxel_nm = said or (1.0, 1.0, 1.0)
    with style.context(_STYLE):
        _write(section_figure(image_yx, ids_yx, truth_yx, z, voxel_nm), paths[0], outputs)
        step = thinning_step(shape, arguments.most_voxels)
        thin = thinned(ids, truth, start, step)
        _write(surfaces_figure(*thin, arguments.count, step, voxel_nm), paths[1], outputs)
    return paths


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        paths = draw(_arguments(argv))
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    print(f"pictures: {', '.join(map(str, paths))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
