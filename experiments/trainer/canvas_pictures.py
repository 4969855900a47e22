"""Held-out canvases as pictures: what the network saw, what it should have found, what it found."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.training.examples import Canvas
from ffn_core.volumes import whole_file

RIGHT = (0, 158, 115)  # Okabe and Ito 2008
TOO_MUCH = (213, 94, 0)
MISSED = (0, 114, 178)

SECTIONS = {"xy": 0, "xz": 1}
"""Sections through the center that are shown, and the axis (of zyx) that each is across."""

_ROWS = ("image", "truth", "found")
_LEGEND = (("right", RIGHT), ("too much", TOO_MUCH), ("missed", MISSED))
_TILE_PX = 96
_MOST_TILE_PX = 512
_GAP_PX = 4
_GUTTER_PX = 64
_LINE_PX = 14
_INK = (51, 51, 51)
_TINT = 0.6
_STDDEVS = 2.5
"""Intensities this far from the mean are black and white."""

VoxelSize = tuple[float, float, float]
_CUBIC: VoxelSize = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class CanvasPictures:
    """Write one small picture for each evaluation along a run.

    Attributes:
        folder: where they go.
        canvases: how many canvases are shown; 0 writes nothing.
        threshold: logit from which a voxel counts as object.
        voxel_nm: edges of a voxel, z, y, x: canvases are drawn in their proportions.
    """

    folder: Path
    canvases: int
    threshold: float
    voxel_nm: VoxelSize = _CUBIC

    def write(self, fovs: int, canvases: Sequence[Canvas]) -> None:
        """Draw the first of the finished ``canvases``, as they are after ``fovs`` FOVs."""
        shown = canvases[: self.canvases]
        if shown:
            sheet = draw_sheet(shown, self.threshold, f"{fovs:,} FOVs", self.voxel_nm)
            with whole_file(self.folder / f"fovs-{fovs:08d}.png") as partial:
                sheet.save(partial, format="PNG", optimize=True)


def draw_sheet(
    canvases: Sequence[Canvas], threshold: float, title: str, voxel_nm: VoxelSize = _CUBIC
) -> Image.Image:
    """Central sections, a column per canvas: image, truth and what was found, with its scores.

    Args:
        canvases: Finished ones, all of the same shape.
        threshold: Logit from which a voxel counts as object.
        title: Written above.
        voxel_nm: Edges of a voxel, z, y, x: sections are drawn in their proportions.
    """
    columns = [_column(canvas, threshold, voxel_nm) for canvas in canvases]
    words = [canvas_words(canvas, threshold) for canvas in canvases]
    tile_x = max(columns[0][0].width, _TILE_PX)
    tops = list(
        itertools.accumulate((t.height + _GAP_PX for t in columns[0]), initial=_LINE_PX + 4)
    )
    width = _GUTTER_PX + len(columns) * (tile_x + _GAP_PX)
    height = tops[-1] + (len(words[0]) + 1) * _LINE_PX + 4
    sheet = Image.new("RGB", (max(width, _GUTTER_PX + 160), height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((_GUTTER_PX, 3), title, fill=_INK)
    names = [f"{row} {section}" for section in SECTIONS for row in _ROWS]
    for name, top, tile in zip(names, tops, columns[0], strict=False):
        pen.text((4, top + tile.height // 2 - 6), name, fill=_INK)
    for number, (column, lines) in enumerate(zip(columns, words, strict=True)):
        left = _GUTTER_PX + number * (tile_x + _GAP_PX)
        for top, tile in zip(tops, column, strict=False):
            sheet.paste(tile, (left, top))
        for row, (line, color) in enumerate(lines):
            pen.text((left, tops[-1] + row * _LINE_PX), line, fill=color)
    along = float(_GUTTER_PX)
    for word, color in _LEGEND:
        pen.text((along, height - _LINE_PX - 2), word, fill=color)
        along += pen.textlength(word) + 14
    return sheet


def canvas_words(canvas: Canvas, threshold: float) -> list[tuple[str, tuple[int, int, int]]]:
    """Scores of one finished canvas over all its voxels, each with a color.

    What was missed is a share of the true object, what was too much a share of what was found.
    """
    counts = VoxelCounts.of_canvas(canvas.seed, canvas.is_object, threshold, canvas.labeled)
    found = counts.true_positive + counts.false_positive
    too_much = counts.false_positive / found if found else 0.0
    true = counts.true_positive + counts.false_negative
    missed = counts.false_negative / true if true else 0.0
    return [
        (f"F1 {counts.f1:.2f}", _INK),
        (f"missed {missed:.0%}", MISSED),
        (f"too much {too_much:.0%}" if found else "nothing found", TOO_MUCH),
    ]


def canvas_f1(canvas: Canvas, threshold: float) -> float:
    """F1 over all labeled voxels of one finished canvas."""
    return VoxelCounts.of_canvas(canvas.seed, canvas.is_object, threshold, canvas.labeled).f1


def section_views(canvas: Canvas, threshold: float, axis: int = 0) -> list[np.ndarray]:
    """Image, truth and what was found in the central section across an axis.

    Each is (rows, columns, 3) uint8; rows are y of a section across z, otherwise z.
    """
    middle = canvas.image.shape[axis] // 2
    intensity, truth, logits = (
        np.take(volume, middle, axis) for volume in (canvas.image, canvas.is_object, canvas.seed)
    )
    found = logits >= threshold
    if canvas.labeled is not None:
        # Elsewhere it is not known what is right.
        found = found & np.take(canvas.labeled, middle, axis)
    level = np.clip((intensity / _STDDEVS + 1) / 2, 0, 1)
    image = np.repeat(255 * level[..., None], 3, axis=2)
    prediction = image
    for mask, color in (
        (truth & found, RIGHT),
        (found & ~truth, TOO_MUCH),
        (truth & ~found, MISSED),
    ):
        prediction = _tinted(prediction, mask, color)
    views = (image, _tinted(image, truth, RIGHT), prediction)
    return [view.round().astype(np.uint8) for view in views]


def _tinted(picture: np.ndarray, mask: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.where(mask[..., None], (1 - _TINT) * picture + _TINT * np.array(color), picture)


def _column(canvas: Canvas, threshold: float, voxel_nm: VoxelSize) -> list[Image.Image]:
    """The views of all sections, enlarged so that voxels keep their proportions."""
    zoom = pixels_per_voxel(canvas.image.shape, voxel_nm)
    tiles = []
    for axis in SECTIONS.values():
        rows, columns = (zoom[i] for i in range(3) if i != axis)
        for view in section_views(canvas, threshold, axis):
            size = round(view.shape[1] * columns), round(view.shape[0] * rows)
            tiles.append(Image.fromarray(view).resize(size, Image.Resampling.NEAREST))
    return tiles


def pixels_per_voxel(shape_zyx: tuple[int, ...], voxel_nm: VoxelSize) -> VoxelSize:
    """Pixels of a voxel along each axis: a whole number along its shortest edge.

    As few as make a section across z at least `_TILE_PX` large, along its longer side; fewer, if
    the canvas would then be longer than `_MOST_TILE_PX` along an axis.
    """
    shortest = min(voxel_nm)
    edges = [edge / shortest for edge in voxel_nm]
    extents = [n * edge for n, edge in zip(shape_zyx, edges, strict=True)]
    zoom = max(1, min(math.ceil(_TILE_PX / max(extents[1:])), int(_MOST_TILE_PX // max(extents))))
    z, y, x = (zoom * edge for edge in edges)
    return z, y, x
