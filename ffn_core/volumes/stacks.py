"""Stacks of images: a folder or pattern of PNG or TIFF sections, or one TIFF of many pages."""

import functools
import glob
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.volumes.volume import check_stored, window_slices

TIFF = (".tif", ".tiff")
SUFFIXES = (".png", *TIFF)

# Sections of electron micrographs are larger than what Pillow takes for an attack.
Image.MAX_IMAGE_PIXELS = None


class StackVolume:
    """Sections along z, each decoded as a whole; the ones used last are kept."""

    info = ""

    def __init__(
        self,
        read_section: Callable[[int], np.ndarray],
        depth: int,
        source: str,
        cache_bytes: int,
    ) -> None:
        """Stack ``depth`` sections, (y, x) arrays of equal shape and type."""
        first = read_section(0)
        self.source = source
        self.dtype = first.dtype
        check_stored(source, (depth, *first.shape), first.dtype)
        self.shape_zyx: Zyx = (depth, first.shape[0], first.shape[1])
        self.chunk_zyx: Zyx = (1, first.shape[0], first.shape[1])
        # What fits as a whole is about to be read into memory, each section once.
        fits = depth * first.nbytes <= cache_bytes
        kept = 1 if fits else max(1, cache_bytes // first.nbytes)
        self._read_section = read_section
        self._section = functools.lru_cache(kept)(self._checked_section)

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Read the window, section by section; see :meth:`Volume.read`."""
        sections, *window = window_slices(start_zyx, shape_zyx, self.shape_zyx)
        result = np.empty(shape_zyx, self.dtype)
        for row, z in enumerate(range(sections.start, sections.stop)):
            result[row] = self._section(z)[tuple(window)]
        return result

    def _checked_section(self, z: int) -> np.ndarray:
        section = self._read_section(z)
        if section.shape != self.shape_zyx[1:] or section.dtype != self.dtype:
            raise InputError(
                f"section {z} of {self.source} is {section.dtype} of {section.shape} pixels, the"
                f" first one {self.dtype} of {self.shape_zyx[1:]}; all must be alike"
            )
        return section


def open_stack(spec: str, cache_bytes: int) -> StackVolume:
    """Open ``stack:`` and a folder, a pattern such as ``em/*.png``, or one image file.

    Files are sorted by name, with numbers in names by value. Sections of up to ``cache_bytes``
    are kept in memory.

    Raises:
        InputError: No image, both PNG and TIFF, an image that is not one gray channel, or
            sections that are not alike.
    """
    files = stack_files(spec)
    if len(files) == 1 and files[0].suffix.lower() in TIFF:
        depth, read_page = _tiff_pages(files[0])
        return StackVolume(read_page, depth, spec, cache_bytes)
    return StackVolume(lambda z: _read_image(files[z]), len(files), spec, cache_bytes)


def stack_files(spec: str) -> list[Path]:
    """The files of ``stack:...``, one per section, or the one that holds all.

    Raises:
        InputError: None, or both PNG and TIFF.
    """
    location = spec.partition(":")[2]
    path = Path(location)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES]
    elif path.is_file():
        found = [path]
    else:
        # Path.glob takes no absolute pattern.
        found = [Path(name) for name in glob.glob(location)]  # noqa: PTH207
    found = [p for p in found if p.suffix.lower() in SUFFIXES]
    if not found:
        raise InputError(f"no PNG or TIFF images at {location!r} (from volume {spec!r})")
    kinds = {"PNG" if p.suffix.lower() == ".png" else "TIFF" for p in found}
    if len(kinds) > 1:
        raise InputError(f"{spec} names both PNG and TIFF images; use a pattern such as *.png")
    return sorted(found, key=_natural_key)


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key under which 9 comes before 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _read_image(path: Path) -> np.ndarray:
    """One section as a (y, x) array."""
    if path.suffix.lower() in TIFF:
        depth, read_page = _tiff_pages(path)
        if depth != 1:
            raise InputError(f"{path} has {depth} pages; a file of a stack has one")
        return read_page(0)
    return _read_with_pillow(path, 0)


def _tiff_pages(path: Path) -> tuple[int, Callable[[int], np.ndarray]]:
    """Number of pages, and a function that reads one as a (y, x) array."""
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            colors = series.keyframe.samplesperpixel
            *lead, height, width = series.shape if colors == 1 else (1, 1, 1)
            contiguous = series.dataoffset is not None
    except (tifffile.TiffFileError, OSError, IndexError, ValueError) as error:
        raise InputError(f"{path} is not a readable TIFF file: {error}") from error
    if colors != 1:
        raise InputError(f"{path} has {colors} channels; a section has one gray channel")
    depth = math.prod(lead)
    if contiguous:
        pages = tifffile.memmap(path, mode="r").reshape(depth, height, width)
        return depth, lambda z: pages[z].astype(pages.dtype.newbyteorder("="), copy=False)
    return depth, functools.partial(_read_tiff_page, path)


def _read_tiff_page(path: Path, page: int) -> np.ndarray:
    with tifffile.TiffFile(path) as file:
        stored = file.series[0].pages[page]
        assert stored is not None, "only contiguous series leave pages out"
        try:
            return stored.asarray()
        except ValueError:  # a compression that tifffile leaves to an optional package
            return _read_with_pillow(path, page)


def _read_with_pillow(path: Path, page: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            image.seek(page)
            mode, pixels = image.mode, np.asarray(image)
    except (UnidentifiedImageError, OSError, EOFError, SyntaxError) as error:
        raise InputError(f"{path} is not a readable image: {error}") from error
    if pixels.ndim != 2 or mode == "P":
        raise InputError(f"{path} is a color image (mode {mode}); a section has one gray channel")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
