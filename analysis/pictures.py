"""Pictures of a segmentation: `python -m analysis.pictures RESULT.h5:segmentation --image ...`.

A section with image, ground truth and segmentation, and the surfaces of the largest neurons, as
PNG. Runs without a display. Volumes may be larger than memory: of the image only the section is
read, and surfaces are drawn of at most `MOST_VOXELS` voxels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colors, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from analysis.surfaces import draw_surfaces
from analysis.thinning import MOST_VOXELS, thinned, thinning_step
from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.inference.contingency import Contingency
from ffn_core.volumes import Volume, open_labels, open_volume, whole_file

SECTION = "section.png"
SURFACES = "surfaces.png"
DPI = 200
PANEL_IN = 3.2

Colors = Mapping[int, np.ndarray]

_STYLE = Path(__file__).parent / "paper.mplstyle"
_GOLDEN_RATIO = 0.6180339887498949
_OVERLAY = 0.55


def spread_colors(ids: Sequence[int]) -> dict[int, np.ndarray]:
    """An RGB colour (3 floats in 0..1) for each id, in order: hues far apart, none repeated."""
    rank = np.arange(len(ids))
    hues = (0.58 + rank * _GOLDEN_RATIO) % 1.0
    saturation = np.array([0.62, 0.45, 0.75])[rank % 3]
    value = np.array([0.95, 0.82])[rank % 2]
    rgb = colors.hsv_to_rgb(np.stack([hues, saturation, value], axis=1))
    return dict(zip(ids, rgb, strict=True))


def matching_colors(
    segmentation: np.ndarray, truth: np.ndarray | None
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Colours for two id volumes of one shape; 0 gets none.

    A segment has the colour of the true object it shares most voxels with. Of several such
    segments only the one with the largest share does, the others (split off) get their own.

    Returns:
        Colours by segment, and by true object (empty without a truth).
    """
    if truth is None:
        return spread_colors(_largest(segmentation)), {}
    table = Contingency.of(truth, segmentation)
    true_ids = _largest(truth)
    segments = np.unique(table.second[table.second != 0])
    table = table.where((table.first != 0) & (table.second != 0))
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for cell in np.argsort(-table.voxels, kind="stable"):
        true_id, segment = int(table.first[cell]), int(table.second[cell])
        # Seen from the largest overlap down, a segment's first cell is its best object.
        if segment not in partner:
            partner[segment] = 0 if true_id in taken else true_id
            taken.add(true_id)
    own = [-int(s) for s in segments if not partner.get(int(s), 0)]
    palette = spread_colors([*true_ids, *own])
    by_segment = {int(s): palette[partner.get(int(s), 0) or -int(s)] for s in segments}
    return by_segment, {true_id: palette[true_id] for true_id in true_ids}


def overlay(section: np.ndarray, ids: np.ndarray, id_colors: Colors) -> np.ndarray:
    """Grey levels with coloured ids over them, black lines between ids.

    Args:
        section: (y, x) intensities.
        ids: (y, x) ids, 0 = none.
        id_colors: Colour of each id.

    Returns:
        (y, x, 3) float RGB in 0..1.
    """
    picture = grey(section)
    names, inverse = np.unique(ids, return_inverse=True)
    table = np.array([id_colors.get(int(name), np.zeros(3)) for name in names])
    tint = table[inverse.reshape(ids.shape)]
    labelled = (ids != 0)[..., None]
    picture = np.where(labelled, (1 - _OVERLAY) * picture + _OVERLAY * tint, picture)
    picture[:-1][ids[:-1] != ids[1:]] *= 0.35
    picture[:, :-1][ids[:, :-1] != ids[:, 1:]] *= 0.35
    return picture


def grey(section: np.ndarray) -> np.ndarray:
    """(y, x) intensities as (y, x, 3) RGB, the 0.5 to 99.5 percentile stretched to 0..1."""
    low, high = np.percentile(section, (0.5, 99.5))
    level = np.clip((section - low) / max(high - low, 1e-9), 0, 1)
    return np.repeat(level[..., None], 3, axis=2)


def section_figure(
    image: np.ndarray, segmentation: np.ndarray, truth: np.ndarray | None, z: int
) -> Figure:
    """Three (y, x) sections of one shape, cut at ``z``, side by side."""
    by_segment, by_object = matching_colors(segmentation, truth)
    panels = [("image", grey(image))]
    if truth is not None:
        panels.append(("ground truth", overlay(image, truth, by_object)))
    panels.append(("segmentation", overlay(image, segmentation, by_segment)))
    height, width = segmentation.shape
    figure = Figure(
        figsize=(PANEL_IN * len(panels), PANEL_IN * height / width + 0.35), layout="constrained"
    )
    for axes, (title, picture) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set_xticks([0, width - 1])
        axes.set_yticks([0, height - 1])
    figure.axes[0].set_xlabel("x (voxels)", labelpad=-4)
    figure.axes[0].set_ylabel(f"y (voxels), section z = {z}", labelpad=-8)
    return figure


def surfaces_figure(
    segmentation: np.ndarray, truth: np.ndarray | None, count: int, step: int = 1
) -> Figure:
    """Surfaces of the ``count`` largest segments, beside the true objects they belong to.

    Args:
        segmentation: (z, y, x) ids.
        truth: True ids of the same places, if known.
        count: How many segments.
        step: Both hold every ``step``-th voxel along each axis, which the figure then says.
    """
    by_segment, by_object = matching_colors(segmentation, truth)
    largest = _largest(segmentation, count)
    panels = [(f"segmentation: {len(largest)} largest", segmentation, largest, by_segment)]
    if truth is not None:
        shown = _partners(segmentation, truth, largest)
        panels.insert(0, ("ground truth of the same places", truth, shown, by_object))
    figure = Figure(figsize=(PANEL_IN * 1.3 * len(panels), PANEL_IN * 1.3))
    for number, (title, ids, names, id_colors) in enumerate(panels):
        place = (number / len(panels), 0.01, 1 / len(panels), 0.93)
        axes = figure.add_axes(place, projection="3d", computed_zorder=False)
        draw_surfaces(axes, ids, {name: id_colors[name] for name in names})
        figure.text((number + 0.5) / len(panels), 0.955, title, ha="center", fontsize=9)
    if step > 1:
        caption = f"every {step} voxels along each axis; extents count those"
        figure.text(0.5, 0.015, caption, ha="center", fontsize=7, color="0.35")
    return figure


def _largest(ids: np.ndarray, count: int | None = None) -> list[int]:
    """The ``count`` ids with the most voxels, largest first; all by default."""
    names, voxels = np.unique(ids[ids != 0], return_counts=True)
    return [int(n) for n in names[np.argsort(-voxels, kind="stable")][:count]]


def _partners(segmentation: np.ndarray, truth: np.ndarray, segments: list[int]) -> list[int]:
    """The true object that each of some segments shares most voxels with, without repeats."""
    found = [_largest(np.where(segmentation == segment, truth, 0), 1) for segment in segments]
    return list(dict.fromkeys(name for names in found for name in names))


def rendered(figure: Figure) -> np.ndarray:
    """The figure as (height, width, 3) uint8."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _write(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
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
    parser = argparse.ArgumentParser(prog="python -m analysis.pictures", description=__doc__)
    parser.add_argument("segmentation", help="path:dataset of the ids")
    parser.add_argument("--image", required=True, help="path:dataset of the image")
    parser.add_argument("--labels", help="path:dataset of a ground truth")
    parser.add_argument(
        "--start", type=int, nargs=3, default=[0, 0, 0], help="z y x of the segmentation's corner"
    )
    parser.add_argument("--section", type=int, help="z of the section; default: the middle")
    parser.add_argument("--count", type=int, default=8, help="neurons drawn as surfaces")
    parser.add_argument(
        "--most-voxels",
        type=int,
        default=MOST_VOXELS,
        help="surfaces of a larger volume are drawn from every k-th voxel along each axis",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    return parser.parse_args(argv)


def draw(arguments: argparse.Namespace) -> list[Path]:
    """Draw both pictures; returns their paths."""
    ids = open_labels(arguments.segmentation)
    start, shape = as_zyx(arguments.start, "--start"), ids.shape_zyx
    image = open_volume(arguments.image)
    truth = open_labels(arguments.labels) if arguments.labels else None
    _check_inside(image, start, shape, "--image")
    if truth is not None:
        _check_inside(truth, start, shape, "--labels")
    if arguments.most_voxels < 1:
        raise InputError(f"--most-voxels {arguments.most_voxels} must be above 0")
    z = shape[0] // 2 if arguments.section is None else arguments.section
    if not 0 <= z < shape[0]:
        raise InputError(f"--section {z}: the segmentation has sections 0 to {shape[0] - 1}")
    paths = [arguments.out / SECTION, arguments.out / SURFACES]
    image_yx, ids_yx = _section(image, start, shape, z), _section(ids, (0, 0, 0), shape, z)
    truth_yx = None if truth is None else _section(truth, start, shape, z)
    with style.context(_STYLE):
        _write(section_figure(image_yx, ids_yx, truth_yx, z), paths[0])
        step = thinning_step(shape, arguments.most_voxels)
        thin = thinned(ids, truth, start, step)
        _write(surfaces_figure(*thin, arguments.count, step), paths[1])
    return paths


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        paths = draw(_arguments(argv))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"pictures: {', '.join(map(str, paths))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
