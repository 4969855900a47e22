"""Supervoxels seen as the bodies they were joined to."""

import numpy as np

from ffn_core.errors import InputError
from ffn_core.geometry import Zyx
from ffn_core.volumes.hdf5 import TRANSFORMS_DATASET
from ffn_core.volumes.volume import Volume


class BodyVolume:
    """Supervoxels seen through a table supervoxel -> body."""

    def __init__(self, supervoxels: Volume, transforms: np.ndarray) -> None:
        self._supervoxels = supervoxels
        self.source = supervoxels.source
        self.shape_zyx = supervoxels.shape_zyx
        self.chunk_zyx = supervoxels.chunk_zyx
        table = transforms[np.argsort(transforms[:, 0], kind="stable")]
        self._keys = table[:, 0]
        self.dtype = np.min_scalar_type(max(int(table[:, 1].max()), 2**16))
        self._bodies = table[:, 1].astype(self.dtype)
        n_bodies = len(np.unique(self._bodies))
        self.info = f"{TRANSFORMS_DATASET}: {len(table)} supervoxels -> {n_bodies} bodies"

    def read(self, start_zyx: Zyx, shape_zyx: Zyx) -> np.ndarray:
        """Read the window and look its supervoxels up; see :meth:`Volume.read`."""
        supervoxels = self._supervoxels.read(start_zyx, shape_zyx)
        row = np.minimum(np.searchsorted(self._keys, supervoxels), len(self._keys) - 1)
        unknown = self._keys[row] != supervoxels
        if unknown.any():
            raise InputError(
                f"{self.source}: supervoxel {supervoxels[unknown][0]} is not in the"
                f" {TRANSFORMS_DATASET!r} dataset beside it; repair or remove that dataset"
            )
        return self._bodies[row]
