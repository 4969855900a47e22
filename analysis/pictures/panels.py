"""Figures of a segmentation: a section with its ids, and surfaces of its largest objects."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analysis.pictures.colors import Colors, largest, matching_colors
from analysis.pictures.surfaces import draw_surfaces
from ffn_core.volumes import Size

PANEL_IN = 3.2

_OVERLAY = 0.55


def overlay(section: np.ndarray, ids: np.ndarray, id_colors: Colors) -> np.ndarray:
    """Gray levels with colored ids over them, black lines between ids.

    Args:
        section: (y, x) intensities.
        ids: (y, x) ids, 0 = none.
        id_colors: Color of each id.

    Returns:
        (y, x, 3) float RGB in 0..1.
    """
    picture = gray(section)
    names, inverse = np.unique(ids, return_inverse=True)
    table = np.array([id_colors.get(int(name), np.zeros(3)) for name in names])
    tint = table[inverse.reshape(ids.shape)]
    labeled = (ids != 0)[..., None]
    picture = np.where(labeled, (1 - _OVERLAY) * picture + _OVERLAY * tint, picture)
    picture[:-1][ids[:-1] != ids[1:]] *= 0.35
    picture[:, :-1][ids[:, :-1] != ids[:, 1:]] *= 0.35
    return picture


def gray(section: np.ndarray) -> np.ndarray:
    """(y, x) intensities as (y, x, 3) RGB, the 0.5 to 99.5 percentile stretched to 0..1."""
    low, high = np.percentile(section, (0.5, 99.5))
    level = np.clip((section - low) / max(high - low, 1e-9), 0, 1)
    return np.repeat(level[..., None], 3, axis=2)


def section_figure(
    image: np.ndarray,
    segmentation: np.ndarray,
    truth: np.ndarray | None,
    z: int,
    voxel_nm: Size = (1.0, 1.0, 1.0),
) -> Figure:
    """Three (y, x) sections of one shape, cut at ``z``, side by side, in proportions of voxels."""
    by_segment, by_object = matching_colors(segmentation, truth)
    panels = [("image", gray(image))]
    if truth is not None:
        panels.append(("ground truth", overlay(image, truth, by_object)))
    panels.append(("segmentation", overlay(image, segmentation, by_segment)))
    height, width = segmentation.shape
    stretch = voxel_nm[1] / voxel_nm[2]
    figure = Figure(
        figsize=(PANEL_IN * len(panels), max(PANEL_IN * stretch * height / width, 1.0) + 0.35),
        layout="constrained",
    )
    for axes, (title, picture) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        axes.imshow(picture, interpolation="nearest", aspect=stretch)
        axes.set_title(title)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set_xticks([0, width - 1])
        axes.set_yticks([0, height - 1])
    # Beside x there is room, however flat the section is.
    figure.axes[0].set_xlabel(f"x (voxels), section z = {z}", labelpad=-4)
    figure.axes[0].set_ylabel("y (voxels)")
    return figure


def surfaces_figure(
    segmentation: np.ndarray,
    truth: np.ndarray | None,
    count: int,
    step: int = 1,
    voxel_nm: Size = (1.0, 1.0, 1.0),
) -> Figure:
    """Surfaces of the ``count`` largest segments, beside the true objects they belong to.

    Args:
        segmentation: (z, y, x) ids.
        truth: True ids of the same places, if known.
        count: How many segments.
        step: Both hold every ``step``-th voxel along each axis, which the figure then says.
        voxel_nm: Edges of a voxel, z, y, x: drawn in their proportions.
    """
    by_segment, by_object = matching_colors(segmentation, truth)
    shown_ids = largest(segmentation, count)
    panels = [(f"segmentation: {len(shown_ids)} largest", segmentation, shown_ids, by_segment)]
    if truth is not None:
        shown = partners(segmentation, truth, shown_ids)
        panels.insert(0, ("ground truth of the same places", truth, shown, by_object))
    figure = Figure(figsize=(PANEL_IN * 1.3 * len(panels), PANEL_IN * 1.3))
    for number, (title, ids, names, id_colors) in enumerate(panels):
        place = (number / len(panels), 0.01, 1 / len(panels), 0.93)
        axes = figure.add_axes(place, projection="3d", computed_zorder=False)
        shown_colors = {name: id_colors[name] for name in names}
        draw_surfaces(axes, ids, shown_colors, voxel_nm=voxel_nm)
        figure.text((number + 0.5) / len(panels), 0.955, title, ha="center", fontsize=9)
    if step > 1:
        caption = f"every {step} voxels along each axis; extents count those"
        figure.text(0.5, 0.015, caption, ha="center", fontsize=7, color="0.35")
    return figure


def partners(segmentation: np.ndarray, truth: np.ndarray, segments: list[int]) -> list[int]:
    """The true object that each of some segments shares most voxels with, without repeats."""
    found = [largest(np.where(segmentation == segment, truth, 0), 1) for segment in segments]
    return list(dict.fromkeys(name for names in found for name in names))
