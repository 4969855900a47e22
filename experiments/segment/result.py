"""From finished subvolumes to one segmentation, and from that to its scores."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from typing import Final

import numpy as np

from experiments.reporting import run_files
from experiments.reporting.redaction import redacted
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedSegment
from ffn_core.files.outputs import Outputs
from ffn_core.geometry import Box
from ffn_core.inference.dropped import proposed_min_size
from ffn_core.inference.evaluation import Evaluation, evaluate_volumes
from ffn_core.inference.reconcile import reconcile
from ffn_core.volumes import known_voxel_nm, open_labels, open_volume
from ffn_core.volumes.hdf5 import new_hdf5

_KEPT_SUBVOLUMES: Final = 2
"""In memory while subvolumes are reconciled: the two sides of a seam."""


@dataclass(frozen=True)
class Summary:
    """What a segmentation took and gave.

    Attributes:
        segments: That were kept.
        fovs: FOVs evaluated.
        subvolumes: Of its region.
        kept_voxels: In all segments; 0 in results from before this was counted.
        dropped_segments: Objects below ``flood.min_segment_size``, which were not kept.
        dropped_voxels: In them.
        dropped_parts: Parts of others that do not touch them, and are below that size.
        dropped_part_voxels: In those.
        proposed_min_segment_size: See `ffn_core.inference.dropped`.
    """

    segments: int
    fovs: int
    subvolumes: int
    kept_voxels: int = 0
    dropped_segments: int = 0
    dropped_voxels: int = 0
    dropped_parts: int = 0
    dropped_part_voxels: int = 0
    proposed_min_segment_size: int | None = None


def assemble(config: ResolvedSegment) -> Summary:
    """Reconcile the finished subvolumes into the result file; returns what they took."""
    folder, grid = config.directory, config.grid
    files = [segmentation_files.finished_path(folder, sub.index) for sub in grid.subvolumes]
    region = grid.region

    @functools.lru_cache(maxsize=_KEPT_SUBVOLUMES)
    def read(index: int) -> np.ndarray:
        return segmentation_files.load_segments(files[index])

    # What a repeated command puts together again is replaced, but nothing that was edited since.
    outputs = Outputs("experiments.segment", overwrite=True)
    with (
        outputs.place(folder / segmentation_files.SEGMENTATION) as partial,
        new_hdf5(partial) as file,
    ):
        dataset = file.create_dataset(
            segmentation_files.DATASET,
            shape=region.shape_zyx,
            dtype=np.uint32,
            chunks=tuple(min(64, n) for n in region.shape_zyx),
            compression="gzip",
            compression_opts=1,
            fletcher32=True,
        )

        sizes = np.zeros(1, np.int64)  # by id
        removed: list[np.ndarray] = []

        def write(core: Box, ids: np.ndarray) -> None:
            nonlocal sizes
            dataset[core.slices_in(region)] = ids
            here = np.bincount(ids.ravel(), minlength=len(sizes))
            here[: len(sizes)] += sizes
            sizes = here

        least, min_iou = config.flood.min_segment_size, config.subvolume.min_iou
        count = reconcile(grid, read, write, least, min_iou, removed.append)
        dataset.attrs["start_zyx"] = region.start_zyx
        image = open_volume(config.image, cache_bytes=0)
        where = dataclasses.replace(
            image.placement, voxel_nm=known_voxel_nm(config.voxel_size_nm, image.placement)
        )
        dataset.attrs.update(where.at(region.start_zyx).attributes)
        dataset.attrs["settings"] = json.dumps(redacted(dataclasses.asdict(config)))
    dropped, voxels = _dropped(config)
    parts, kept = np.concatenate([np.zeros(0, np.int64), *removed]), sizes[1:]
    return Summary(
        segments=count,
        fovs=sum(map(segmentation_files.load_fovs, files)),
        subvolumes=len(files),
        kept_voxels=int(kept.sum()),
        dropped_segments=len(dropped),
        dropped_voxels=voxels,
        dropped_parts=len(parts),
        dropped_part_voxels=int(parts.sum()),
        proposed_min_segment_size=proposed_min_size(np.concatenate([kept, dropped])),
    )


def _dropped(config: ResolvedSegment) -> tuple[np.ndarray, int]:
    """Objects that subvolumes did not keep: (n,) int64 voxels of each, and those of all together.

    Each subvolume counts in its core, where the result has its ids.
    """
    sizes, voxels = [np.zeros(0, np.int64)], 0
    for sub in config.grid.subvolumes:
        path = segmentation_files.finished_path(config.directory, sub.index)
        small, objects = segmentation_files.load_small(path)
        core = sub.core.slices_in(sub.box)
        voxels += np.count_nonzero(small[core])
        inside = [
            (objects[:, axis] >= part.start) & (objects[:, axis] < part.stop)
            for axis, part in enumerate(core)
        ]
        sizes.append(objects[np.logical_and.reduce(inside), 3])
    return np.concatenate(sizes), int(voxels)


def score(config: ResolvedSegment) -> Evaluation:
    """Compare the result with the ground truth, where that is labeled, and keep the scores."""
    folder, region = config.directory, config.grid.region
    truth = config.open_truth(config.cache_bytes)
    assert truth is not None
    ids = open_labels(segmentation_files.result(folder), config.cache_bytes)
    evaluation = evaluate_volumes(truth, ids, region.start_zyx)
    run_files.write_json(folder / segmentation_files.EVALUATION, dataclasses.asdict(evaluation))
    return evaluation
