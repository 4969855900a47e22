"""A picture of a volume and its labels, to see at a glance what is in a file."""

from pathlib import Path

import numpy as np
from PIL import Image

from ffn_core.volumes import whole_file

PREVIEW_PX = 480
"""Panels of a preview are enlarged, by a whole factor, to about this width."""


def preview_panels(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(y, x, 3) uint8: image, labels in colour, and both, side by side; the middle z section."""
    middle = image.shape[0] // 2
    grey = np.repeat(image[middle][..., np.newaxis], 3, axis=-1)
    colours = np.random.default_rng(0).integers(50, 256, (int(labels.max()) + 1, 3))
    colours[0] = 0
    coloured = colours[labels[middle]].astype(np.uint8)
    overlay = (0.65 * grey + 0.35 * coloured).astype(np.uint8)
    gap = np.full((grey.shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([grey, gap, coloured, gap, overlay], axis=1)


def write_preview(path: Path, pixels: np.ndarray) -> None:
    """Write (y, x, 3) uint8 panels as an enlarged PNG."""
    scale = max(1, round(3 * PREVIEW_PX / pixels.shape[1]))
    enlarged = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    with whole_file(path) as partial:
        Image.fromarray(enlarged).save(partial, format="PNG")
