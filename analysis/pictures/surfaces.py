"""Surfaces of objects in a volume, shaded, on a three-dimensional Axes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]
from scipy import ndimage
from skimage.measure import marching_cubes

from ffn_core.volumes import Size

VIEW = {"elev": 24.0, "azim": -57.0}
MESH_CELLS = 90
"""Longest edge of a volume in mesh cells: finer than this is not seen, only waited for."""

_SMOOTHING_VX = 1.0
_LIGHT = np.array([0.35, -0.75, 0.85])
_AMBIENT, _DIFFUSE, _SPECULAR, _SHININESS = 0.25, 0.8, 0.22, 24


def surface(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles around the True voxels, closed where the object leaves the volume.

    Args:
        mask: (z, y, x) bool with at least one True.

    Returns:
        corners: (n, 3, 3) float of n triangles with 3 corners zyx in voxels.
        normals: (n, 3) float, of length 1, zyx, pointing outwards.
    """
    window = ndimage.find_objects(mask.astype(np.uint8))[0]
    pad = round(4 * _SMOOTHING_VX)
    field = np.pad(mask[window].astype(np.float32), pad)
    field = ndimage.gaussian_filter(field, _SMOOTHING_VX)
    step = max(1, round(max(mask.shape) / MESH_CELLS))
    level = min(0.5, 0.5 * float(field.max()))  # an object one voxel thin is blurred below 0.5
    vertices, faces, vertex_normals, _ = marching_cubes(field, level, step_size=step)
    corner = np.array([s.start for s in window]) - pad
    normals = vertex_normals[faces].mean(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return (vertices + corner)[faces], normals


def shade(color: np.ndarray, normals_xyz: np.ndarray, view_xyz: np.ndarray) -> np.ndarray:
    """(n, 3) RGB of faces lit by one lamp (Blinn-Phong, with soft shadows)."""
    light = _LIGHT / np.linalg.norm(_LIGHT)
    half = light + view_xyz
    half /= np.linalg.norm(half)
    diffuse = (0.5 + 0.5 * normals_xyz @ light) ** 1.5
    gloss = np.clip(normals_xyz @ half, 0, 1) ** _SHININESS
    rgb = color * (_AMBIENT + _DIFFUSE * diffuse)[:, None] + _SPECULAR * gloss[:, None]
    return np.clip(rgb, 0, 1)


def draw_surfaces(
    axes: Axes3D,
    ids: np.ndarray,
    id_colors: Mapping[int, np.ndarray],
    extents: bool = True,
    zoom: float = 1.02,
    voxel_nm: Size = (1.0, 1.0, 1.0),
) -> None:
    """Draw some objects of an id volume, and the edges of the volume.

    Args:
        axes: What to draw on.
        ids: (z, y, x) ids.
        id_colors: RGB of each object to draw; objects that do not occur are left out.
        extents: Write those of the volume, in voxels, along its edges.
        zoom: 1 fits the volume into the axes, without its extents.
        voxel_nm: Edges of a voxel, z, y, x: the volume is drawn in their proportions.
    """
    axes.view_init(**VIEW)
    elevation, azimuth = np.radians(VIEW["elev"]), np.radians(VIEW["azim"])
    flat = np.cos(elevation)
    view = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
    triangles, rgb = [np.empty((0, 3, 3))], [np.empty((0, 3))]
    for name, color in id_colors.items():
        mask = ids == name
        if mask.any():
            corners, normals = surface(mask)
            triangles.append(corners[..., ::-1])  # matplotlib wants xyz
            rgb.append(shade(color, normals[:, ::-1], view))
    shape_xyz = ids.shape[::-1]
    _draw_edges(axes, shape_xyz, view, extents)
    # One collection: its triangles are sorted by depth among each other, whatever their object.
    axes.add_collection3d(
        Poly3DCollection(
            np.concatenate(triangles),
            facecolors=np.concatenate(rgb),
            edgecolors=np.concatenate(rgb),
            linewidths=0.2,
            zorder=3,  # over the edges of the volume
        )
    )
    axes.set_xlim(0, shape_xyz[0])
    axes.set_ylim(0, shape_xyz[1])
    axes.set_zlim(0, shape_xyz[2])
    edges_xyz = [n * nm for n, nm in zip(shape_xyz, voxel_nm[::-1], strict=True)]
    axes.set_box_aspect(edges_xyz, zoom=zoom)
    axes.set_axis_off()


def _draw_edges(
    axes: Axes3D, shape_xyz: tuple[int, ...], view_xyz: np.ndarray, extents: bool
) -> None:
    """The edges of the volume behind the objects."""
    ends = [(0, n) for n in shape_xyz]
    hidden = tuple(0 if v > 0 else n for v, n in zip(view_xyz, shape_xyz, strict=True))
    for start, stop in itertools.combinations(itertools.product(*ends), 2):
        differs = [a != b for a, b in zip(start, stop, strict=True)]
        same_face = any(a == b == h for a, b, h in zip(start, stop, hidden, strict=True))
        if sum(differs) == 1 and same_face:
            axes.plot(*zip(start, stop, strict=True), color="0.6", linewidth=0.6)
    if not extents:
        return
    x, y, _ = hidden
    far_x, far_y = shape_xyz[0] - x, shape_xyz[1] - y
    text = {"fontsize": 7, "color": "0.35", "ha": "center", "va": "center"}
    axes.text(shape_xyz[0] / 2, far_y * 1.06 - 0.06 * y, 0, f"x {shape_xyz[0]}", **text)
    axes.text(far_x * 1.06 - 0.06 * x, shape_xyz[1] / 2, 0, f"y {shape_xyz[1]}", **text)
    axes.text(x - 0.06 * (far_x - x), far_y, shape_xyz[2] / 2, f"z {shape_xyz[2]}", **text)
