"""Where volumes lie in their common space, and how large their voxels are, as their files say.

What is read:
    HDF5             attributes ``resolution`` and ``offset`` of the dataset in nm, zyx (CREMI,
                     funlib), or ``element_size_um`` (ilastik)
    Zarr             the same two attributes, or the OME-Zarr ``multiscales`` of the group around
                     the array (https://ngff.openmicroscopy.org)
    N5               ``transform``, ``pixelResolution`` or ``resolution``, ``downsamplingFactors``
                     and ``offset``, xyz unless ``transform`` names its axes
    precomputed      ``resolution`` and ``voxel_offset`` of the scale
    TIFF             ImageJ's or OME's description
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ffn_core.errors import InputError

Size: TypeAlias = tuple[float, float, float]
"""Lengths along z, y and x."""

_NM = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "µm": 1e3, "μm": 1e3, "\\u00b5m": 1e3,
    "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6,
    "m": 1e9, "meter": 1e9, "metre": 1e9,
    "angstrom": 0.1, "å": 0.1, "pm": 1e-3, "picometer": 1e-3,
}  # fmt: skip


@dataclass(frozen=True)
class Placement:
    """Where a volume lies.

    Attributes:
        voxel_nm: Edges of a voxel in nm; None if the volume does not say.
        offset_zyx: Its first voxel in the common space, in voxels of its own size; None if it does
            not say. Not always whole: the voxels of a coarse scale lie between those of a fine one.
    """

    voxel_nm: Size | None = None
    offset_zyx: Size | None = None

    @classmethod
    def of_nm(cls, voxel_nm: Any, offset_nm: Any = None) -> "Placement":
        """From lengths in nm, zyx, as they stand in a file; what makes no sense is left out."""
        voxel = _size(voxel_nm)
        if voxel is None or min(voxel) <= 0:
            return UNKNOWN
        offset = _size(offset_nm)
        if offset is None:
            return cls(voxel)
        z, y, x = (a / b for a, b in zip(offset, voxel, strict=True))
        return cls(voxel, (z, y, x))

    def difference(self, other: "Placement", mine: str, others: str) -> str:
        """What speaks against the voxels of two volumes being the same ones.

        Args:
            other: Where another volume of the same shape lies.
            mine: What this volume is called.
            others: What the other one is called.

        Returns:
            In words, what one of them does not say or says otherwise; empty if nothing.

        Raises:
            InputError: They begin at different voxels.
        """
        here, there = self.offset_zyx, other.offset_zyx
        if here is not None and there is not None:
            if any(abs(a - b) > 0.5 for a, b in zip(here, there, strict=True)):
                raise InputError(
                    f"{mine} begins at voxel zyx {_words(here)}, but {others} at {_words(there)};"
                    " both must cover the same voxels: cut out what they have in common, or"
                    " correct the offset in their metadata"
                )
        elif any(here or there or ()):
            said, unsaid = (mine, others) if here else (others, mine)
            first = _words(here or there or ())
            return (
                f"{said} begins at voxel zyx {first} and {unsaid} does not say where: taken to"
                " cover the same voxels"
            )
        if (
            self.voxel_nm
            and other.voxel_nm
            and not np.allclose(self.voxel_nm, other.voxel_nm, 0.01)
        ):
            return (
                f"voxels of {mine} are {_words(self.voxel_nm)} nm (zyx), those of {others}"
                f" {_words(other.voxel_nm)} nm: taken to be the same voxels"
            )
        return ""

    def at(self, start_zyx: Sequence[int]) -> "Placement":
        """That of the part that begins at a voxel of it."""
        if self.offset_zyx is None:
            return self
        z, y, x = (a + b for a, b in zip(self.offset_zyx, start_zyx, strict=True))
        return Placement(self.voxel_nm, (z, y, x))

    def coarser(self, factor: int) -> "Placement":
        """That of the same volume with ``factor`` voxels along each axis made one."""
        voxel, offset = self.voxel_nm, self.offset_zyx
        if voxel is not None:
            voxel = (voxel[0] * factor, voxel[1] * factor, voxel[2] * factor)
        if offset is not None:
            offset = (offset[0] / factor, offset[1] / factor, offset[2] / factor)
        return Placement(voxel, offset)

    @property
    def attributes(self) -> dict[str, list[float]]:
        """The same as attributes of an HDF5 dataset, which `of_attributes` reads."""
        if self.voxel_nm is None:
            return {}
        written = {"resolution": list(self.voxel_nm)}
        if self.offset_zyx is not None:
            pairs = zip(self.offset_zyx, self.voxel_nm, strict=True)
            written["offset"] = [a * n for a, n in pairs]
        return written


UNKNOWN = Placement()
"""Of a volume that says nothing."""

_COARSE = 1.5
"""An axis whose voxels are this many times longer than the others is the one of sectioning."""


def known_voxel_nm(given: Sequence[float] | None, *said: Placement) -> Size | None:
    """Edges of a voxel as given, else as the first of the volumes says that does; None if none."""
    if given is not None:
        z, y, x = given
        return z, y, x
    return next((each.voxel_nm for each in said if each.voxel_nm is not None), None)


def voxel_size_doubt(given: Sequence[float] | None, said: Placement, option: str) -> str:
    """In words, that a volume says another size of its voxels than ``option`` was given."""
    if given is None or said.voxel_nm is None or np.allclose(given, said.voxel_nm, rtol=0.01):
        return ""
    return f"{option} is {_words(given)}, the image says {_words(said.voxel_nm)}: taken as given"


def axis_order_doubt(voxel_nm: Size | None) -> str:
    """In words, that voxels longest along y or x look like a size in x, y, z order.

    Volumes are cut or imaged along z, where voxels are the longest if their edges differ.
    """
    if voxel_nm is None or max(voxel_nm) < _COARSE * sorted(voxel_nm)[1]:
        return ""
    axis = "zyx"[voxel_nm.index(max(voxel_nm))]
    if axis == "z":
        return ""
    return (
        f"voxels of zyx {_words(voxel_nm)} nm are longest along {axis}: if these lengths are in x,"
        " y, z order, give them as z, y, x, and check that the volume itself is stored in z, y, x"
    )


def of_attributes(attributes: Mapping[str, Any]) -> Placement:
    """From attributes in zyx order: ``resolution`` and ``offset``, or ``element_size_um``."""
    if "element_size_um" in attributes:
        size = _size(attributes["element_size_um"])
        return UNKNOWN if size is None else Placement.of_nm([1e3 * n for n in size])
    units = attributes.get("units")
    if units is not None and _is_list(units, 3):
        factors = [nm_of(unit) for unit in units]
    else:
        factors = [nm_of("nm" if units is None else units)] * 3
    resolution = attributes.get("resolution", attributes.get("voxel_size"))
    return Placement.of_nm(_times(resolution, factors), _times(attributes.get("offset"), factors))


def of_n5(attributes: Mapping[str, Any]) -> Placement:
    """From the attributes of an N5 dataset."""
    transform = attributes.get("transform")
    if isinstance(transform, Mapping) and _is_list(transform.get("scale"), 3):
        axes = [str(axis).lower() for axis in transform.get("axes", "zyx")]
        if sorted(axes) != ["x", "y", "z"]:
            return UNKNOWN
        factors = [nm_of(unit) for unit in transform.get("units", ["nm"] * 3)]
        lengths = (_times(transform.get(name), factors) for name in ("scale", "translate"))
        order = [axes.index(axis) for axis in "zyx"]
        return Placement.of_nm(*([each[i] for i in order] if each else None for each in lengths))
    resolution, factor = attributes.get("pixelResolution", attributes.get("resolution")), 1.0
    if isinstance(resolution, Mapping):
        factor = nm_of(resolution.get("unit", "nm"))
        resolution = resolution.get("dimensions")
    steps = attributes.get("downsamplingFactors", [1, 1, 1])
    steps = [factor * step for step in steps] if _is_list(steps, 3) else [factor] * 3
    voxel, offset = _times(resolution, steps), _times(attributes.get("offset"), [factor] * 3)
    return Placement.of_nm(voxel and voxel[::-1], offset and offset[::-1])


def nm_of(unit: object) -> float:
    """Length of a unit in nm; NaN for one that is not known."""
    name = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)
    return _NM.get(name.strip().lower(), float("nan"))


def _is_list(value: Any, length: int) -> bool:
    return (
        isinstance(value, Sequence | np.ndarray)
        and not isinstance(value, str | bytes)
        and (len(value) == length)
    )


def _times(values: Any, factors: Sequence[float]) -> list[float] | None:
    size = _size(values)
    return None if size is None else [a * b for a, b in zip(size, factors, strict=True)]


def _size(values: Any) -> Size | None:
    """Three finite numbers, or None."""
    try:
        z, y, x = (float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return (z, y, x) if np.isfinite([z, y, x]).all() else None


def _words(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"
