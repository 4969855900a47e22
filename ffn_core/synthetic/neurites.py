"""Synthetic electron microscopy with ground truth: neurites, dark membranes, organelles, noise.

Space is filled by neurites: curved tubes of different calibre in all directions, each grown until
it meets another one, and every voxel given to the nearest tube. So every voxel has a label, objects
touch, and only the membrane tells them apart, as in well-stained tissue.
"""

import math

import cc3d
import edt
import numpy as np
from scipy import ndimage

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, to_zyx
from ffn_core.synthetic.random_fields import random_direction, smooth_noise
from ffn_core.synthetic.rendering import render
from ffn_core.volumes.placement import Size

MIN_EXTENT = 8
"""Smallest extent of a synthetic volume along any axis, in voxels."""

MIN_RADIUS_VX = 3
"""Smallest typical radius of a neurite, in voxels."""


def synthesize(
    shape_zyx: Zyx,
    seed: int,
    object_radius_vx: float = 11.0,
    noise: float = 10.0,
    extracellular_vx: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Make an image and its segmentation; the same for the same arguments.

    Args:
        shape_zyx: Extents in voxels, each at least 8.
        seed: Seed of everything random.
        object_radius_vx: Typical radius of a neurite in voxels.
        noise: Standard deviation of the white noise, in gray levels.
        extracellular_vx: Voxels closer than this to the border of their object get label 0.

    Returns:
        image: (z, y, x) uint8; bright cytoplasm, dark membranes and organelles.
        labels: (z, y, x) uint32; 1, 2, ... one connected component each.

    Raises:
        InputError: A volume or a radius that is too small, or a negative seed.
    """
    if min(shape_zyx) < MIN_EXTENT:
        raise InputError(f"synthetic volume {shape_zyx}: use at least {MIN_EXTENT} voxels per axis")
    if not object_radius_vx >= MIN_RADIUS_VX:
        raise InputError(f"object radius {object_radius_vx} voxels: use at least {MIN_RADIUS_VX}")
    if seed < 0:
        raise InputError(f"seed {seed} must not be negative")
    rng = np.random.default_rng(seed)
    labels = _grow_neurites(shape_zyx, object_radius_vx, rng)
    depth_vx = edt.edt(labels, black_border=False)
    image = render(labels, depth_vx, object_radius_vx, rng)
    image = ndimage.gaussian_filter(image, 0.6)
    image += noise * rng.standard_normal(shape_zyx, np.float32)
    if extracellular_vx > 0:
        labels[depth_vx < extracellular_vx] = 0
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), labels


def synthesize_sections(
    shape_zyx: Zyx, voxel_nm: Size, seed: int, **options: float
) -> tuple[np.ndarray, np.ndarray]:
    """`synthesize` for voxels that are longer along some axes, as in serial sections.

    The volume is made of cubes as large as the shortest edge, and along each axis the nearest of
    them are taken: a section is as sharp as the volume it is cut from.

    Args:
        shape_zyx: Extents in voxels.
        voxel_nm: Edges of a voxel; only their proportions matter.
        seed: Seed of everything random.
        options: Of `synthesize`, in voxels of the shortest edge.
    """
    fine_zyx = cubes_of(shape_zyx, voxel_nm)
    image, labels = synthesize(fine_zyx, seed, **options)
    steps = zip(shape_zyx, (edge / min(voxel_nm) for edge in voxel_nm), strict=True)
    taken = np.ix_(*(np.floor((np.arange(n) + 0.5) * step).astype(int) for n, step in steps))
    return image[taken], labels[taken]


def cubes_of(shape_zyx: Zyx, voxel_nm: Size) -> Zyx:
    """Extents of a volume in cubes as large as its voxels' shortest edge, rounded up."""
    shortest = min(voxel_nm)
    return to_zyx(
        math.ceil(n * edge / shortest) for n, edge in zip(shape_zyx, voxel_nm, strict=True)
    )


def _grow_neurites(shape_zyx: Zyx, radius_vx: float, rng: np.random.Generator) -> np.ndarray:
    """(z, y, x) uint32 labels of space-filling neurites."""
    tubes = np.zeros(shape_zyx, np.uint32)
    taken = _TakenSpace(shape_zyx, radius_vx)
    # Many more than fit: most starting points are refused once the space has filled up.
    attempts = 20 * math.ceil(math.prod(shape_zyx) / (radius_vx**2 * max(shape_zyx))) + 50
    for number in range(1, attempts + 1):
        calibre = radius_vx * rng.uniform(0.6, 1.4)
        path = _grow_path(taken, calibre, rng)
        if len(path):
            swelling = 0.5 + 0.15 * np.sin(np.arange(len(path)) / rng.uniform(4, 9))
            for point, core in zip(path, calibre * swelling, strict=True):
                _paint_ball(tubes, point, core, number)
            taken.add(path, calibre)
    nearest = ndimage.distance_transform_edt(
        tubes == 0, return_distances=False, return_indices=True
    )
    filled = tubes[tuple(nearest)]
    return _connected(_warp(filled, radius_vx, rng), min_voxels=math.ceil(radius_vx**3))


class _TakenSpace:
    """Which places are too close to the neurites grown so far, on a coarse grid."""

    def __init__(self, shape_zyx: Zyx, radius_vx: float) -> None:
        self.shape_zyx = shape_zyx
        self.radius_vx = radius_vx
        self._cell_vx = max(radius_vx / 4, 1.0)
        self._taken = np.zeros([math.ceil(n / self._cell_vx) for n in shape_zyx], bool)

    def free(self, point: np.ndarray) -> bool:
        """Whether a point lies inside the volume and away from all neurites."""
        if (point < 0).any() or (point > np.subtract(self.shape_zyx, 1)).any():
            return False
        z, y, x = (point / self._cell_vx).astype(int)
        return not self._taken[z, y, x]

    def add(self, path: np.ndarray, calibre_vx: float) -> None:
        """Keep later neurites one typical radius away from this one's surface."""
        reach = 0.7 * (calibre_vx + self.radius_vx) / self._cell_vx
        for point in path:
            _paint_ball(self._taken, point / self._cell_vx, reach, True)


def _grow_path(taken: _TakenSpace, calibre_vx: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 3) points of a smooth random curve in free space, or (0, 3)."""
    start = rng.uniform(0, taken.shape_zyx)
    axis = random_direction(rng)
    if not taken.free(start):
        return np.empty((0, 3))
    halves = []
    step_vx = calibre_vx / 3
    for heading in (axis, -axis):
        point = start
        points: list[np.ndarray] = []
        while taken.free(point) and len(points) < 2 * sum(taken.shape_zyx):
            points.append(point)
            heading = heading + 0.12 * rng.standard_normal(3)
            heading /= np.linalg.norm(heading)
            point = point + step_vx * heading
        halves.append(points)
    return np.array(halves[1][:0:-1] + halves[0])


def _warp(labels: np.ndarray, radius_vx: float, rng: np.random.Generator) -> np.ndarray:
    """Move every voxel by a smooth random displacement: no flat faces, no round tubes."""
    positions = np.indices(labels.shape, np.float32)
    for position, extent in zip(positions, labels.shape, strict=True):
        position += 0.25 * radius_vx * smooth_noise(labels.shape, radius_vx, rng)
        np.clip(np.rint(position, out=position), 0, extent - 1, out=position)
    return labels[tuple(positions.astype(np.int32))]


def _connected(labels: np.ndarray, min_voxels: int) -> np.ndarray:
    """Number the connected components; a small one joins the neighbor it touches most."""
    parts = cc3d.connected_components(labels, connectivity=6, out_dtype=np.uint32)
    while True:
        sizes = np.bincount(parts.ravel())
        small = (sizes > 0) & (sizes < min(min_voxels, sizes.max()))  # the largest always stays
        if not small.any():
            break
        parts = _join_small(parts, small)
    present = np.flatnonzero(sizes)
    renumbered = np.zeros(len(sizes), np.uint32)
    renumbered[present] = np.arange(1, len(present) + 1)
    return renumbered[parts]


def _join_small(parts: np.ndarray, small: np.ndarray) -> np.ndarray:
    target = np.arange(len(small), dtype=np.uint32)
    contact = np.zeros(len(small))
    for (a, b), area in sorted(cc3d.contacts(parts, connectivity=6).items()):
        for part, other in ((a, b), (b, a)):
            if small[part] and not small[other] and area > contact[part]:
                target[part], contact[part] = other, area
    return target[parts]


def _paint_ball(volume: np.ndarray, center: np.ndarray, radius: float, value: int) -> None:
    """Set the elements of ``volume`` within ``radius`` of ``center``, cut off at its border."""
    box = tuple(
        slice(max(math.ceil(c - radius), 0), max(math.floor(c + radius) + 1, 0)) for c in center
    )
    window = volume[box]
    grids = (
        (np.arange(s.start, s.start + n, dtype=np.float32) - c) ** 2
        for s, n, c in zip(box, window.shape, center, strict=True)
    )
    z, y, x = np.ix_(*grids)
    window[z + y + x <= radius**2] = value
