"""TIFF files of one section or many.

The images of a file stand in one or more "series": tifffile makes one of each call that wrote
pages. Together they are the sections of a volume, in the order of the file, if they are alike.
"""

import contextlib
import functools
import logging
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from ffn_core.errors import InputError
from ffn_core.volumes.placement import UNKNOWN, Placement, nm_of

_AXES = {"C": "channels", "T": "points in time", "Z": "sections"}
"""Names of tifffile's axes."""

_DAMAGE = (
    tifffile.TiffFileError,
    OSError,
    IndexError,
    ValueError,
    RuntimeError,
    KeyError,
    TypeError,
)
"""What tifffile raises, depending on where in a file something is wrong."""

# Sections of electron micrographs are larger than what Pillow takes for an attack.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class TiffStack:
    """The sections of a file.

    Attributes:
        depth: How many there are.
        read_page: Reads one as a (y, x) array.
        placement: Size of the voxels, if the file says so.
        doubts: What a user should know of it; empty if nothing.
    """

    depth: int
    read_page: Callable[[int], np.ndarray]
    placement: Placement
    doubts: str = ""


def open_tiff(path: Path) -> TiffStack:
    """Open a file of gray images of one size and type.

    Raises:
        InputError: It is damaged, in color, has channels or points in time, or images that are not
            alike.
    """
    try:
        with _errors_raised(), tifffile.TiffFile(path) as file:
            if not len(file.pages) or not file.series:
                raise ValueError("it holds no image")
            series = sorted(file.series, key=lambda each: each.keyframe.index)
            depths = [_depth(each, path) for each in series]
            if len({(each.keyframe.shape, each.keyframe.dtype) for each in series}) > 1:
                _require_alike(path)
            _require_pages(series, path)
            said = _placement(file), _doubts(series)
            mapped = [_mapped(path, file, *pair) for pair in zip(series, depths, strict=True)]
    except InputError:
        raise
    except _DAMAGE as error:
        _explain(path)
        raise InputError(f"{path} is not a readable TIFF file: {error}") from error
    if all(each is not None for each in mapped):
        starts = np.cumsum([0, *depths])

        def read_mapped(page: int) -> np.ndarray:
            part = int(np.searchsorted(starts, page, side="right")) - 1
            stored: Any = mapped[part]
            section: np.ndarray = stored[page - starts[part]]
            return section.astype(section.dtype.newbyteorder("="), copy=False)

        return TiffStack(sum(depths), read_mapped, *said)
    return TiffStack(sum(depths), functools.partial(_read_page, path), *said)


@contextlib.contextmanager
def _errors_raised() -> Iterator[None]:
    """Raise ValueError for what tifffile only logs: it reads a file that was cut off in part."""

    class Errors(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(" ".join(record.getMessage().split()))

    found: list[str] = []
    logger, handler = logging.getLogger("tifffile"), Errors(logging.ERROR)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if found:
        raise ValueError(found[0])


def read_with_pillow(path: Path, page: int) -> np.ndarray:
    """A PNG, or a page of a TIFF file, as a (y, x) array.

    Raises:
        InputError: It is damaged or in color.
    """
    try:
        with Image.open(path) as image:
            image.seek(page)
            mode, pixels = image.mode, np.asarray(image)
    except (UnidentifiedImageError, OSError, EOFError, SyntaxError) as error:
        raise InputError(f"{path} is not a readable image: {error}") from error
    if pixels.ndim != 2 or mode == "P":
        raise InputError(f"{path} is a color image (mode {mode}); a section has one gray channel")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _depth(series: Any, path: Path) -> int:
    """Sections of a series.

    Raises:
        InputError: It has other axes beside those of sections.
    """
    colors = series.keyframe.samplesperpixel
    if colors != 1:
        raise InputError(f"{path} has {colors} channels; a section has one gray channel")
    lead = list(zip(series.axes, series.shape, strict=True))[:-2]
    long = [(axis, extent) for axis, extent in lead if extent > 1]
    if len(long) > 1:
        counts = " x ".join(f"{extent} {_AXES.get(axis, axis)}" for axis, extent in long)
        raise InputError(
            f"{path} holds {counts} (axes {series.axes}); save each volume as a stack of its own"
        )
    return math.prod(extent for _, extent in lead)


def _doubts(series: list[Any]) -> str:
    """What is said of a stack whose sections go by another name."""
    axes = "".join(each.axes[:-2] for each in series if len(each.pages) > 1)
    wrong = [what for axis, what in _AXES.items() if axis in axes and axis != "Z"]
    return f"its images are called {wrong[0]}: taken as sections" if wrong else ""


def _require_alike(path: Path) -> None:
    """Check that all pages have one size and type.

    Raises:
        InputError: One has another; names its page.
    """
    with tifffile.TiffFile(path) as file:
        first = file.pages.first
        for number, page in enumerate(file.pages):
            if (page.shape, page.dtype) != (first.shape, first.dtype):
                raise InputError(
                    f"page {number} (of 0 to {len(file.pages) - 1}) of {path} is {page.dtype} of"
                    f" {page.shape} pixels, the first one {first.dtype} of {first.shape}; all must"
                    " be alike"
                )


def _explain(path: Path) -> None:
    """`_require_alike` of a file that may be damaged; then it says nothing."""
    try:
        _require_alike(path)
    except InputError:
        raise
    except _DAMAGE:
        return


def _require_pages(series: list[Any], path: Path) -> None:
    """Check that every image of the series is there: OME files name pages of other files.

    Raises:
        InputError: One is missing.
    """
    for each in series:
        if each.dataoffset is None and any(page is None for page in each.pages):
            count = sum(page is None for page in each.pages)
            raise InputError(
                f"{path} names {count} images that are not there, in other files or at its end; put"
                " them beside it"
            )


def _mapped(path: Path, file: tifffile.TiffFile, series: Any, depth: int) -> np.ndarray | None:
    """The sections of a series that lies in one piece, in any byte order; None of another."""
    if series.dataoffset is None:
        return None
    height, width = series.shape[-2:]
    dtype = series.dtype.newbyteorder(file.byteorder)
    shape = (depth, height, width)
    return np.memmap(path, dtype, mode="r", offset=series.dataoffset, shape=shape)


def _read_page(path: Path, page: int) -> np.ndarray:
    try:
        with tifffile.TiffFile(path) as file:
            stored = next(_pages(file, page))
            try:
                return np.asarray(stored.asarray())
            except ValueError:  # a compression that tifffile leaves to an optional package
                if len(file.series) == 1:
                    return read_with_pillow(path, page)
                return read_with_pillow(path, stored.index)
    except InputError:
        raise
    except (StopIteration, *_DAMAGE) as error:
        raise InputError(f"cannot read page {page} of {path}: damaged file ({error})") from error


def _pages(file: tifffile.TiffFile, first: int) -> Iterator[Any]:
    """The pages of all series from one on, in the order of `open_tiff`."""
    for series in sorted(file.series, key=lambda each: each.keyframe.index):
        count = len(series.pages)
        for number in range(first, count):
            yield series.pages[number]
        first = max(first - count, 0)


def _placement(file: tifffile.TiffFile) -> Placement:
    """Size of the voxels as ImageJ or OME describe it."""
    if file.ome_metadata:
        return _of_ome(file.ome_metadata)
    if file.imagej_metadata:
        return _of_imagej(file.imagej_metadata, file.pages.first.tags)
    return UNKNOWN


def _of_ome(text: str) -> Placement:
    try:
        pixels = next(e for e in ElementTree.fromstring(text).iter() if e.tag.endswith("}Pixels"))
    except (ElementTree.ParseError, StopIteration):
        return UNKNOWN
    sizes = [pixels.get(f"PhysicalSize{axis}") for axis in "ZYX"]
    if None in sizes:
        return UNKNOWN
    units = [nm_of(pixels.get(f"PhysicalSize{axis}Unit", "um")) for axis in "ZYX"]
    return Placement.of_nm([float(str(s)) * u for s, u in zip(sizes, units, strict=True)])


def _of_imagej(described: dict[str, Any], tags: Any) -> Placement:
    """``spacing`` along z, and pixels per ``unit`` in the resolution tags."""
    unit = nm_of(described.get("unit", ""))
    spacing = described.get("spacing")
    per_unit = [tags.get(name) for name in ("YResolution", "XResolution")]
    if spacing is None or any(tag is None or not tag.value[0] for tag in per_unit):
        return UNKNOWN
    y, x = (tag.value[1] / tag.value[0] for tag in per_unit)
    return Placement.of_nm([float(spacing) * unit, y * unit, x * unit])
