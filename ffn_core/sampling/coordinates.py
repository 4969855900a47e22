"""Training coordinates: where canvases may be centered, grouped by partition class."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.sampling.partitions import Block
from ffn_core.volumes import Volume, whole_file
from ffn_core.volumes.hdf5 import new_hdf5

MOST_PER_CLASS = 4_000_000
"""Far more canvases than a training run draws; 13 classes of them take 416 MB at the most."""

_LOOKED_AT = 64
"""Coordinates that are compared with the labels they are said to be of."""

_SECTIONS = 16
"""Sections that are handled at a time; keeps index arrays small."""


class ClassCollector:
    """Flat indices of voxels, at most ``most`` of them.

    Beyond that the voxels with the smallest hashes stay: an even draw that depends neither on the
    order nor on the size of the blocks.
    """

    def __init__(self, shape_zyx: Zyx, most: int = MOST_PER_CLASS) -> None:
        self._shape_zyx = shape_zyx
        self._most = most
        self._index_type = np.min_scalar_type(math.prod(shape_zyx) - 1)
        self._parts: list[np.ndarray] = []
        self._count = 0

    def add(self, start_zyx: Zyx, member: np.ndarray) -> None:
        """Add the voxels of the (z, y, x) bool array ``member``, which lies at ``start_zyx``."""
        z, y, x = start_zyx
        for first in range(0, len(member), _SECTIONS):
            self._add_sections((z + first, y, x), member[first : first + _SECTIONS])

    def _add_sections(self, start_zyx: Zyx, member: np.ndarray) -> None:
        inside = np.unravel_index(np.flatnonzero(member), member.shape)
        places = tuple(p + start for p, start in zip(inside, start_zyx, strict=True))
        indices = np.ravel_multi_index(places, self._shape_zyx).astype(self._index_type)
        if len(indices):
            self._parts.append(indices)
            self._count += len(indices)
        if self._count > 2 * self._most:
            self._thin()

    def indices(self) -> np.ndarray:
        """The indices kept, ascending, in the smallest unsigned type that holds the volume's."""
        if self._count > self._most:
            self._thin()
        return np.sort(np.concatenate([np.empty(0, self._index_type), *self._parts]))

    def _thin(self) -> None:
        indices = np.concatenate(self._parts)
        chosen = np.argpartition(_hash(indices), self._most - 1)[: self._most]
        self._parts, self._count = [indices[chosen]], self._most


def _hash(indices: np.ndarray) -> np.ndarray:
    """One-to-one scrambling of 64-bit integers (splitmix64, Steele et al. 2014)."""
    mixed = indices.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


_CHECKSUM = "sha256"
_FORMAT = "ffn-scaling coordinates 1"


@dataclass(frozen=True)
class Coordinates:
    """Voxels that may be the center of a training canvas.

    Attributes:
        indices: For each partition class, from class 1 on, the flat (C order) indices of its
            voxels in a volume of ``shape_zyx``, ascending, in an unsigned type.
        shape_zyx: Shape of the label volume.
        lom_radius_zyx: Window radius of the partitions: the volume holds at least this many voxels
            on every side of each coordinate.
        thresholds: Fractions that separate the classes.
        min_size: Objects with fewer voxels were left out.
        labels_source: The labels as the user named them.
    """

    indices: tuple[np.ndarray, ...]
    shape_zyx: Zyx
    lom_radius_zyx: Zyx
    thresholds: tuple[float, ...]
    min_size: int
    labels_source: str

    @classmethod
    def from_partitions(
        cls,
        partitions: np.ndarray,
        lom_radius_zyx: Zyx,
        thresholds: Sequence[float],
        min_size: int,
        labels_source: str,
    ) -> "Coordinates":
        """Collect the coordinates of a partition volume.

        Args:
            partitions: (z, y, x) uint8 classes, 0 = none; see
                :func:`ffn_core.sampling.partitions.compute_partitions`.
            lom_radius_zyx: What the partitions were computed with, as the following.
            thresholds: Class limits.
            min_size: Smallest object, in voxels.
            labels_source: Name of the labels, kept for messages.

        Raises:
            InputError: No coordinate at all.
        """
        z, y, x = partitions.shape
        blocks = [((0, 0, 0), partitions)]
        return cls.from_blocks(
            blocks, (z, y, x), lom_radius_zyx, thresholds, min_size, labels_source
        )

    @classmethod
    def from_blocks(
        cls,
        blocks: Iterable[Block],
        shape_zyx: Zyx,
        lom_radius_zyx: Zyx,
        thresholds: Sequence[float],
        min_size: int,
        labels_source: str,
        most_per_class: int = MOST_PER_CLASS,
    ) -> "Coordinates":
        """:meth:`from_partitions` for parts of a volume of ``shape_zyx``, in any order.

        A class with more than ``most_per_class`` voxels is represented by that many of them,
        drawn evenly, so that memory does not grow with the volume.
        """
        collectors = [ClassCollector(shape_zyx, most_per_class) for _ in range(len(thresholds) + 1)]
        for start_zyx, classes in blocks:
            for number, collector in enumerate(collectors, start=1):
                collector.add(start_zyx, classes == number)
        indices = tuple(collector.indices() for collector in collectors)
        if not any(len(members) for members in indices):
            raise InputError(_why_empty(shape_zyx, lom_radius_zyx, min_size, labels_source))
        return cls(indices, shape_zyx, lom_radius_zyx, tuple(thresholds), min_size, labels_source)

    def __len__(self) -> int:
        return sum(len(members) for members in self.indices)

    def class_counts(self) -> np.ndarray:
        """(len(thresholds) + 1,) int64: number of coordinates of class 1, 2, ..."""
        return np.array([len(members) for members in self.indices], np.int64)

    def sample(self, rng: np.random.Generator) -> Zyx:
        """Draw one coordinate: a non-empty class evenly, then one of its voxels evenly.

        The same distribution as a list in which google/ffn ``build_coordinates.py`` repeats each
        class up to the size of the largest, except that background is not a class here.

        Returns:
            (z, y, x) in voxels of the volume.
        """
        filled = [members for members in self.indices if len(members)]
        members = filled[rng.integers(len(filled))]
        z, y, x = np.unravel_index(int(members[rng.integers(len(members))]), self.shape_zyx)
        return int(z), int(y), int(x)

    def within(
        self, start_zyx: Zyx, stop_zyx: Zyx, advice: str = "use a larger box or a larger volume"
    ) -> "Coordinates":
        """The coordinates with start <= (z, y, x) < stop.

        Canvases reach ``lom_radius_zyx`` beyond their center: leave twice that between two boxes
        that must not share voxels.

        Raises:
            InputError: No coordinate lies in the box; gives the ``advice``.
        """
        kept = self._where(lambda members: _inside(members, self.shape_zyx, start_zyx, stop_zyx))
        if not len(kept):
            raise InputError(f"{self._none('in', start_zyx, stop_zyx)} {advice}")
        return kept

    def outside(
        self, start_zyx: Zyx, stop_zyx: Zyx, advice: str = "use a smaller box or a larger volume"
    ) -> "Coordinates":
        """All other coordinates than those of `within`; corners may lie outside the volume.

        Raises:
            InputError: There is no other one; gives the ``advice``.
        """
        kept = self._where(lambda members: ~_inside(members, self.shape_zyx, start_zyx, stop_zyx))
        if not len(kept):
            raise InputError(f"{self._none('outside', start_zyx, stop_zyx)} {advice}")
        return kept

    def _where(self, chosen: Callable[[np.ndarray], np.ndarray]) -> "Coordinates":
        return replace(self, indices=tuple(members[chosen(members)] for members in self.indices))

    def _none(self, lies: str, start_zyx: Zyx, stop_zyx: Zyx) -> str:
        return (
            f"no training coordinate of {self.labels_source} lies {lies} the box zyx {start_zyx} to"
            f" {stop_zyx}, with canvases that reach {self.lom_radius_zyx} from their center in a"
            f" volume of {self.shape_zyx}:"
        )

    def check_labels(self, labels: Volume, source: str) -> None:
        """Check on some coordinates that they may be of ``labels``, which have the same shape.

        Args:
            labels: Object ids.
            source: What the coordinates are called.

        Raises:
            InputError: One of them lies on background.
        """
        everything = np.concatenate(self.indices)
        chosen = everything[:: max(1, len(everything) // _LOOKED_AT)]
        for index in chosen:
            z, y, x = (int(n) for n in np.unravel_index(int(index), self.shape_zyx))
            if labels.read((z, y, x), (1, 1, 1))[0, 0, 0] == 0:
                raise InputError(
                    f"coordinates {source} are not of labels {labels.source}: voxel zyx"
                    f" {(z, y, x)} is background there; prepare them again"
                )

    def save(self, path: str | Path) -> None:
        """Write an HDF5 file, complete or not at all."""
        with whole_file(path) as partial, new_hdf5(partial) as file:
            file.attrs["format"] = _FORMAT
            file.attrs["shape_zyx"] = self.shape_zyx
            file.attrs["lom_radius_zyx"] = self.lom_radius_zyx
            file.attrs["thresholds"] = self.thresholds
            file.attrs["min_size"] = self.min_size
            file.attrs["labels_source"] = self.labels_source
            for number, members in enumerate(self.indices, start=1):
                data = file.create_dataset(
                    _class_name(number), data=members, fletcher32=len(members) > 0
                )
                data.attrs[_CHECKSUM] = _checksum(members)

    @classmethod
    def load(cls, path: str | Path) -> "Coordinates":
        """Read a file written by :meth:`save`.

        Raises:
            InputError: No such file, damaged, or not a coordinate file.
        """
        if not Path(path).is_file():
            raise InputError(
                f"no coordinate file {path}; write it with `python -m experiments.data prepare`"
            )
        try:
            with h5py.File(path, "r") as file:
                coordinates = cls._from_file(file)
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} is not a coordinate file, or is damaged; delete it and prepare it again"
                f" ({error})"
            ) from error
        return coordinates

    @classmethod
    def _from_file(cls, file: h5py.File) -> "Coordinates":
        attributes = file.attrs
        if attributes.get("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT!r}")
        shape_zyx = as_zyx(attributes["shape_zyx"], "shape_zyx")
        thresholds = tuple(float(t) for t in attributes["thresholds"])
        classes = [file[_class_name(i)] for i in range(1, len(thresholds) + 2)]
        indices = tuple(data[...] for data in classes)
        for data, members in zip(classes, indices, strict=True):
            if data.attrs.get(_CHECKSUM) not in (None, _checksum(members)):  # None: an older file
                raise ValueError(f"{data.name} has another checksum")
            if len(members) and int(members[-1]) >= math.prod(shape_zyx):
                raise ValueError("a coordinate lies outside the volume")
        return cls(
            indices,
            shape_zyx,
            as_zyx(attributes["lom_radius_zyx"], "lom_radius_zyx"),
            thresholds,
            int(attributes["min_size"]),
            str(attributes["labels_source"]),
        )


def _checksum(members: np.ndarray) -> str:
    """SHA-256 of the indices of a class. That of HDF5 takes a block of zeros for whole."""
    return hashlib.sha256(np.ascontiguousarray(members).data).hexdigest()


def _class_name(number: int) -> str:
    return f"class_{number:03d}"


def _inside(members: np.ndarray, shape_zyx: Zyx, start_zyx: Zyx, stop_zyx: Zyx) -> np.ndarray:
    """Which of the flat indices lie in the box."""
    inside = np.ones(len(members), bool)
    positions = np.unravel_index(members, shape_zyx)
    for position, start, stop in zip(positions, start_zyx, stop_zyx, strict=True):
        inside &= (position >= start) & (position < stop)
    return inside


def _why_empty(shape_zyx: Zyx, radius_zyx: Zyx, min_size: int, source: str) -> str:
    if any(2 * r + 1 > n for r, n in zip(radius_zyx, shape_zyx, strict=True)):
        reason = "the window does not fit the volume; lower lom_radius_zyx"
    else:
        reason = (
            "no object is that large where its window fits; lower min_size"
            " (data.min_object_voxels) or lom_radius_zyx (FOV // 2 + deltas of the model)"
        )
    return (
        f"{source} (shape zyx {shape_zyx}) has no training coordinate with min_size {min_size}"
        f" and lom_radius_zyx {radius_zyx}: {reason}"
    )
