"""Stacks of images: a folder or pattern of PNG or TIFF sections, or one TIFF of many pages."""

import functools
import glob
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ffn_core.errors import InputError
from ffn_core.volumes.placement import UNKNOWN, Placement
from ffn_core.volumes.tiff import open_tiff, read_with_pillow
from ffn_core.volumes.volume import StoredVolume, check_stored

TIFF = (".tif", ".tiff")
SUFFIXES = (".png", *TIFF)


class StackVolume(StoredVolume):
    """Sections along z, each decoded as a whole; the ones used last are kept."""

    def __init__(
        self,
        read_section: Callable[[int], np.ndarray],
        depth: int,
        source: str,
        cache_bytes: int,
        placement: Placement = UNKNOWN,
        doubts: str = "",
    ) -> None:
        """Stack ``depth`` sections, (y, x) arrays of equal shape and type."""
        first = read_section(0)
        self.source = source
        self.placement = placement
        self.dtype = first.dtype.newbyteorder("=")
        check_stored(source, (depth, *first.shape), first.dtype)
        self.shape_zyx = (depth, first.shape[0], first.shape[1])
        self.chunk_zyx = (1, first.shape[0], first.shape[1])
        # What fits as a whole is about to be read into memory, each section once.
        fits = depth * first.nbytes <= cache_bytes
        kept = 1 if fits else max(1, cache_bytes // first.nbytes)
        self._doubts = doubts
        self._read_section = read_section
        self._section = functools.lru_cache(kept)(self._checked_section)

    @property
    def doubts(self) -> str:
        """What a user should know; see :attr:`Volume.doubts`."""
        return self._doubts

    def _read(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        sections, y, x = window
        shape = (sections.stop - sections.start, y.stop - y.start, x.stop - x.start)
        result = np.empty(shape, self.dtype)
        for row, z in enumerate(range(sections.start, sections.stop)):
            result[row] = self._section(z)[y, x]
        return result

    def _checked_section(self, z: int) -> np.ndarray:
        section = self._read_section(z)
        if section.shape != self.shape_zyx[1:] or section.dtype.newbyteorder("=") != self.dtype:
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
        tiff = open_tiff(files[0])
        return StackVolume(
            tiff.read_page, tiff.depth, spec, cache_bytes, tiff.placement, tiff.doubts
        )
    return StackVolume(
        lambda z: _read_image(files[z]), len(files), spec, cache_bytes, doubts=_gaps(files)
    )


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


def _gaps(files: Sequence[Path]) -> str:
    """What numbered sections leave out, in words; empty if nothing, or if that cannot be known."""
    names = [re.split(r"(\d+)", path.name) for path in files]
    if len({tuple(name[::2]) for name in names}) > 1:
        return ""
    columns = [
        [int(number) for number in column] for column in zip(*(n[1::2] for n in names), strict=True)
    ]
    counting = [column for column in columns if len(set(column)) > 1]
    if len(counting) != 1:
        return ""
    (numbers,) = counting
    steps = np.diff(numbers)
    step = int(steps.min())
    if step < 1 or (steps % step).any() or (steps == step).all():
        return ""
    absent = sorted(set(range(numbers[0], numbers[-1], step)) - set(numbers))
    return (
        f"section {', '.join(map(str, absent[:5]))}{' ...' if len(absent) > 5 else ''} is not among"
        f" the files: those before and after lie next to each other"
    )


def _read_image(path: Path) -> np.ndarray:
    """One section as a (y, x) array."""
    if path.suffix.lower() in TIFF:
        tiff = open_tiff(path)
        if tiff.depth != 1:
            raise InputError(f"{path} has {tiff.depth} pages; a file of a stack has one")
        return tiff.read_page(0)
    return read_with_pillow(path, 0)
