"""A piece of a segmentation beside its truth, small enough to be kept with a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Box, Zyx, to_zyx
from ffn_core.volumes import Volume, whole_file
from ffn_core.volumes.hdf5 import new_hdf5

MOST_EDGE: Final = 128
"""Longest edge of a sample in voxels; of a larger region it is the middle."""


@dataclass(frozen=True)
class SegmentedSample:
    """Ids and truth of a box, and one section of the image.

    Attributes:
        segmentation: (z, y, x) ids, 0 = none.
        truth: (z, y, x) true ids of the same voxels.
        section: (y, x) intensities at ``z``.
        z: of the section, counted within the sample.
        start_zyx: corner of the sample in the volume.
        step: optimizer steps that the network had been trained for.
    """

    segmentation: np.ndarray
    truth: np.ndarray
    section: np.ndarray
    z: int
    start_zyx: Zyx
    step: int

    @classmethod
    def cut(
        cls, segmentation: Volume, truth: Volume, image: Volume, region: Box, step: int
    ) -> SegmentedSample:
        """The middle of a segmented region.

        Args:
            segmentation: ids of ``region``.
            truth: of the whole volume, like ``image``.
            image: the volume.
            region: where ``segmentation`` lies in them.
            step: optimizer steps of the network.
        """
        size = to_zyx(min(n, MOST_EDGE) for n in region.shape_zyx)
        inside = to_zyx((n - m) // 2 for n, m in zip(region.shape_zyx, size, strict=True))
        start = to_zyx(a + b for a, b in zip(region.start_zyx, inside, strict=True))
        z = size[0] // 2
        section = image.read((start[0] + z, *start[1:]), (1, *size[1:]))[0]
        return cls(
            segmentation.read(inside, size), truth.read(start, size), section, z, start, step
        )

    def save(self, path: Path) -> None:
        """Write as compressed HDF5, whole or not at all."""
        with whole_file(path) as partial, new_hdf5(partial) as file:
            for name in ("segmentation", "truth", "section"):
                array = getattr(self, name)
                file.create_dataset(name, data=array, compression="gzip", fletcher32=True)
            file.attrs.update(z=self.z, start_zyx=self.start_zyx, step=self.step)

    @classmethod
    def load(cls, path: Path) -> SegmentedSample:
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            with h5py.File(path) as file:
                return cls(
                    segmentation=file["segmentation"][()],
                    truth=file["truth"][()],
                    section=file["section"][()],
                    z=int(file.attrs["z"]),
                    start_zyx=to_zyx(int(n) for n in file.attrs["start_zyx"]),
                    step=int(file.attrs["step"]),
                )
        except Exception as error:  # whatever HDF5 makes of damaged bytes
            raise InputError(f"{path} is damaged, or no segmented sample: {error}") from error
