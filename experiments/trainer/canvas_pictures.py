"""Held-out canvases as pictures: what the network saw, what it should have found, what it found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.training.examples import Canvas
from ffn_core.volumes import Size, whole_file

RIGHT = (0, 158, 115)  # Okabe and Ito 2008
TOO_MUCH = (213, 94, 0)
MISSED = (0, 114, 178)

_ROWS = ("image", "truth", "prediction")
_LEGEND = (("right", RIGHT), ("too much", TOO_MUCH), ("missed", MISSED))
_TILE_PX = 96
_GAP_PX = 4
_GUTTER_PX = 64
_LINE_PX = 18
_INK = (51, 51, 51)
_TINT = 0.6
_STDDEVS = 2.5
"""Intensities this far from the mean are black and white."""


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
    voxel_nm: Size = (1.0, 1.0, 1.0)

    def write(self, fovs: int, canvases: Sequence[Canvas]) -> None:
        """Draw the first of the finished ``canvases``, as they are after ``fovs`` FOVs."""
        shown = canvases[: self.canvases]
        if shown:
            sheet = draw_sheet(shown, self.threshold, f"{fovs:,} FOVs", self.voxel_nm)
            with whole_file(self.folder / f"fovs-{fovs:08d}.png") as partial:
                sheet.save(partial, format="PNG", optimize=True)


def draw_sheet(
    canvases: Sequence[Canvas],
    threshold: float,
    title: str,
    voxel_nm: Size = (1.0, 1.0, 1.0),
) -> Image.Image:
    """Central z sections: a column per canvas; image, truth, prediction and F1 of all of it."""
    columns = [_column(canvas, threshold, voxel_nm) for canvas in canvases]
    tile_y, tile_x = columns[0][0].shape[:2]
    width = _GUTTER_PX + len(columns) * (tile_x + _GAP_PX)
    height = 3 * _LINE_PX + len(_ROWS) * (tile_y + _GAP_PX)
    sheet = Image.new("RGB", (max(width, _GUTTER_PX + 160), height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((_GUTTER_PX, 3), title, fill=_INK)
    for row, name in enumerate(_ROWS):
        top = _LINE_PX + row * (tile_y + _GAP_PX)
        pen.text((4, top + tile_y // 2 - 6), name, fill=_INK)
        for number, column in enumerate(columns):
            place = _GUTTER_PX + number * (tile_x + _GAP_PX), top
            sheet.paste(Image.fromarray(column[row]), place)
    bottom = _LINE_PX + len(_ROWS) * (tile_y + _GAP_PX)
    pen.text((4, bottom), "F1", fill=_INK)
    for number, canvas in enumerate(canvases):
        left = _GUTTER_PX + number * (tile_x + _GAP_PX)
        pen.text((left, bottom), f"{canvas_f1(canvas, threshold):.2f}", fill=_INK)
    along = float(_GUTTER_PX)
    for word, color in _LEGEND:
        pen.text((along, height - _LINE_PX + 2), word, fill=color)
        along += pen.textlength(word) + 14
    return sheet


def canvas_f1(canvas: Canvas, threshold: float) -> float:
    """F1 over all labeled voxels of one finished canvas."""
    return VoxelCounts.of_canvas(canvas.seed, canvas.is_object, threshold, canvas.labeled).f1


def section_views(canvas: Canvas, threshold: float) -> list[np.ndarray]:
    """Image, truth and prediction of the central section, each (y, x, 3) uint8."""
    z = canvas.image.shape[0] // 2
    truth, found = canvas.is_object[z], canvas.seed[z] >= threshold
    if canvas.labeled is not None:
        found = found & canvas.labeled[z]  # elsewhere it is not known what is right
    level = np.clip((canvas.image[z] / _STDDEVS + 1) / 2, 0, 1)
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


def _column(canvas: Canvas, threshold: float, voxel_nm: Size) -> list[np.ndarray]:
    """The views of a z section, enlarged."""
    views = section_views(canvas, threshold)
    along_y, along_x = enlargement(views[0].shape[:2], voxel_nm[1:])
    return [view.repeat(along_y, axis=0).repeat(along_x, axis=1) for view in views]


def enlargement(shape: Sequence[int], edges_nm: Sequence[float]) -> tuple[int, int]:
    """Pixels along rows and columns that a voxel of a section becomes, each a whole number.

    The section is at least `_TILE_PX` along its longer side, and its proportions are those of the
    voxels as far as whole numbers allow; voxels that are squares stay squares.
    """
    shortest = min(edges_nm)
    ratios = [edge / shortest for edge in edges_nm]
    longer = max(n * ratio for n, ratio in zip(shape, ratios, strict=True))
    zoom = math.ceil(_TILE_PX / longer)
    rows, columns = (max(1, round(zoom * ratio)) for ratio in ratios)
    return rows, columns
