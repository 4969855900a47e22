"""Data made once and kept: synthetic volumes and training coordinates.

File names carry what the data depend on, and files appear complete or not at all, so that a file
that exists can be used and several processes may ask for the same one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ffn_core.files import digest
from ffn_core.geometry import Zyx
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import Corners, open_partial_labels
from ffn_core.sampling.partitions import PUBLISHED_MIN_SIZE, PUBLISHED_THRESHOLDS, partition_blocks
from ffn_core.synthetic.neurites import synthesize
from ffn_core.volumes import (
    DEFAULT_CACHE_BYTES,
    UNKNOWN,
    Placement,
    absolute_spec,
    doubts,
    fingerprint,
    open_mask,
    short_name,
    whole_file,
)
from ffn_core.volumes.hdf5 import new_hdf5


def ensure_synthetic(
    cache_dir: str | Path, shape_zyx: Zyx, seed: int, object_radius_vx: float = 11.0
) -> tuple[str, str]:
    """Synthesize a volume unless it exists.

    Args:
        cache_dir: Where the file is kept.
        shape_zyx: Extents in voxels.
        seed: Seed of the volume.
        object_radius_vx: Typical radius of a neurite; see
            :func:`ffn_core.synthetic.neurites.synthesize`.

    Returns:
        The ``path:dataset`` of the image (uint8) and of the labels (uint32).
    """
    size = "x".join(str(extent) for extent in shape_zyx)
    path = Path(cache_dir) / f"synthetic_{size}_radius{object_radius_vx:g}_seed{seed}.h5"
    if not path.is_file():
        image, labels = synthesize(shape_zyx, seed, object_radius_vx=object_radius_vx)
        write_volumes(path, {"image": image, "labels": labels})
    return f"{path}:image", f"{path}:labels"


def ensure_coordinates(
    labels_spec: str,
    lom_radius_zyx: Zyx,
    min_size: int,
    cache_dir: str | Path,
    thresholds: Sequence[float] = PUBLISHED_THRESHOLDS,
    mask_spec: str | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    labels_box: Corners | None = None,
    labels_mask: str | None = None,
) -> Path:
    """Compute the training coordinates of labels unless they exist.

    They are computed again when an argument, or the size or modification time of the files of
    labels or masks, is another one. See `prepare_coordinates` for the arguments.

    Returns:
        Path of a file for :meth:`ffn_core.sampling.coordinates.Coordinates.load`.

    Raises:
        InputError: Unusable labels, a window that does not fit, or no coordinate left.
    """
    specs = [spec for spec in (labels_spec, mask_spec, labels_mask) if spec is not None]
    key: dict[str, Any] = {
        "volumes": [absolute_spec(spec) for spec in specs],
        "state": [fingerprint(spec) for spec in specs],
        "lom_radius_zyx": lom_radius_zyx,
        "min_size": min_size,
        "thresholds": thresholds,
    }
    if labels_box is not None or labels_mask is not None:  # or files keep their older names
        key["labeled"] = [labels_box, labels_mask]
    number = digest(json.dumps(key))[:12]
    path = Path(cache_dir) / f"coordinates_{short_name(labels_spec)}_{number}.h5"
    if not path.is_file():
        prepare_coordinates(
            labels_spec,
            lom_radius_zyx,
            min_size,
            thresholds,
            mask_spec,
            cache_bytes,
            labels_box=labels_box,
            labels_mask=labels_mask,
        ).save(path)
    return path


def prepare_coordinates(
    labels_spec: str,
    lom_radius_zyx: Zyx,
    min_size: int = PUBLISHED_MIN_SIZE,
    thresholds: Sequence[float] = PUBLISHED_THRESHOLDS,
    mask_spec: str | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    on_progress: Callable[[float], None] | None = None,
    on_doubt: Callable[[str], object] | None = None,
    labels_box: Corners | None = None,
    labels_mask: str | None = None,
) -> Coordinates:
    """Compute the training coordinates of labels, named as for `open_labels`.

    Voxels where the mask is false are left out; canvases may still reach into them. Where labels
    are true only in ``labels_box`` or ``labels_mask``, all else counts as unlabeled.
    ``on_progress`` is called now and then with the fraction done, ``on_doubt`` with what a user
    should know of labels and mask.

    Raises:
        InputError: Unusable labels or mask, a window that does not fit, or no coordinate left.
    """
    labels = open_partial_labels(labels_spec, labels_box, labels_mask, cache_bytes)
    mask = open_mask(mask_spec, cache_bytes) if mask_spec else None
    if on_doubt is not None:
        for said in doubts(labels, mask):
            on_doubt(said)
    blocks = partition_blocks(
        labels, lom_radius_zyx, thresholds, min_size, mask, on_progress=on_progress
    )
    return Coordinates.from_blocks(
        blocks, labels.shape_zyx, lom_radius_zyx, thresholds, min_size, labels_spec
    )


def write_volumes(
    path: str | Path,
    volumes: Mapping[str, np.ndarray],
    attributes: Mapping[str, str | int | float] | None = None,
    placements: Mapping[str, Placement] | None = None,
) -> None:
    """Write named (z, y, x) arrays to one HDF5 file, complete or not at all.

    ``placements`` by the same names are written as attributes of the datasets.
    """
    with whole_file(path) as partial, new_hdf5(partial) as file:
        file.attrs.update(attributes or {})
        for name, array in volumes.items():
            dataset = file.create_dataset(
                name, data=array, compression="gzip", compression_opts=1, fletcher32=True
            )
            dataset.attrs.update((placements or {}).get(name, UNKNOWN).attributes)
