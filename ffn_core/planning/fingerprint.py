"""What a volume and its labels are like: all that a proposal is made from."""

from dataclasses import dataclass

import edt
import fastremap
import numpy as np
from scipy import ndimage

from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx, to_zyx
from ffn_core.sampling.partial_labels import (
    PartialLabels,
    labeled_extent,
    labeled_voxels,
)
from ffn_core.sampling.partitions import object_sizes
from ffn_core.volumes import Size, Volume, image_statistics, iter_blocks

NEARLY_CUBES = 1.25
"""Voxels whose longest edge is at most this many times the shortest count as cubes."""

_SPARSE = 0.9
"""Labels that fill less of the volume than this share are taken to be of the box they fill."""

_MOST_THICK_EDGE = 256
"""Thickness is measured in the middle of the labeled part, in at most this many voxels a side."""


@dataclass(frozen=True)
class Fingerprint:
    """What a volume and its labels are like.

    Attributes:
        shape_zyx: Extents in voxels.
        voxel_nm: Edges of a voxel; None if nothing says.
        labeled: Box around all that is labeled.
        given: Whether the user said that labels are true in a part only; else the box was found.
        labeled_voxels: How many voxels are labeled.
        sizes: (n,) voxels of each object, ascending.
        thickness: Median over objects of the diameter of the largest ball inside, in edges of the
            shortest side of a voxel; objects smaller than the median are left out.
        mean: Of the intensities.
        stddev: Of the intensities.
    """

    shape_zyx: Zyx
    voxel_nm: Size | None
    labeled: Box
    given: bool
    labeled_voxels: int
    sizes: np.ndarray
    thickness: float
    mean: float
    stddev: float

    @property
    def edges(self) -> Size:
        """Edges of a voxel over the shortest of them; 1 each where they are nearly a cube."""
        return relative_edges(self.voxel_nm)

    @property
    def found_box(self) -> bool:
        """Whether labels fill a part of the volume that the user did not name."""
        return not self.given and self.labeled.shape_zyx != self.shape_zyx


def relative_edges(voxel_nm: Size | None) -> Size:
    """Edges of a voxel over the shortest of them; 1 each where they are nearly a cube."""
    if voxel_nm is None or max(voxel_nm) <= NEARLY_CUBES * min(voxel_nm):
        return (1.0, 1.0, 1.0)
    z, y, x = (edge / min(voxel_nm) for edge in voxel_nm)
    return z, y, x


def measure(image: Volume, labels: Volume, voxel_nm: Size | None) -> Fingerprint:
    """Read image and labels once or twice, block by block.

    Raises:
        InputError: There is no object, or voxels are no intensities or ids.
    """
    mean, stddev = image_statistics(image)
    sizes = np.sort(object_sizes(labels)[1])
    if not len(sizes):
        raise InputError(f"labels {labels.source} are 0 everywhere they count: there is no object")
    given = isinstance(labels, PartialLabels)
    labeled, count = labeled_extent(labels), labeled_voxels(labels)
    if not given:
        labeled = objects_box(labels)
        if np.prod(labeled.shape_zyx) >= _SPARSE * np.prod(labels.shape_zyx):
            labeled = Box((0, 0, 0), labels.shape_zyx)
        count = int(np.prod(labeled.shape_zyx))
    thickness = median_thickness(_middle(labels, labeled), relative_edges(voxel_nm))
    return Fingerprint(
        labels.shape_zyx, voxel_nm, labeled, given, count, sizes, thickness, mean, stddev
    )


def objects_box(labels: Volume) -> Box:
    """The smallest box around all objects; at least one is there."""
    starts, stops = [], []
    for corner, block in iter_blocks(labels):
        places = np.nonzero(block)
        if len(places[0]):
            starts.append([int(p.min()) + a for p, a in zip(places, corner, strict=True)])
            stops.append([int(p.max()) + a + 1 for p, a in zip(places, corner, strict=True)])
    start, stop = np.min(starts, axis=0), np.max(stops, axis=0)
    return Box(to_zyx(start.tolist()), to_zyx((stop - start).tolist()))


def median_thickness(labels: np.ndarray, edges: Size) -> float:
    """Median over objects of the diameter of the largest ball inside, in edges of length 1.

    Of the objects of (z, y, x) ``labels`` only the larger half counts: the others are mostly cut
    off by the border. The border of the array is no border of an object.
    """
    numbers, _ = fastremap.renumber(labels, in_place=False)
    sizes = np.bincount(numbers.ravel())[1:]
    if not len(sizes):
        return 0.0
    depths = edt.edt(numbers, anisotropy=edges, black_border=False)
    counted = np.flatnonzero(sizes >= np.median(sizes)) + 1
    radii = np.asarray(ndimage.maximum(depths, numbers, counted))
    # An object that fills the array has no border to measure to.
    radii = radii[np.isfinite(radii)]
    return float(2 * np.median(radii)) if len(radii) else float(max(numbers.shape))


def _middle(labels: Volume, labeled: Box) -> np.ndarray:
    shape = to_zyx(min(n, _MOST_THICK_EDGE) for n in labeled.shape_zyx)
    sides = zip(labeled.start_zyx, labeled.shape_zyx, shape, strict=True)
    return labels.read(to_zyx(a + (n - m) // 2 for a, n, m in sides), shape)
