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
from ffn_core.inference.evaluation import Evaluation, evaluate_volumes
from ffn_core.inference.reconcile import reconcile
from ffn_core.volumes import known_voxel_nm, open_labels, open_volume
from ffn_core.volumes.hdf5 import new_hdf5

_KEPT_SUBVOLUMES: Final = 2
"""In memory while subvolumes are reconciled: the two sides of a seam."""


@dataclass(frozen=True)
class Summary:
    """What a segmentation took and gave: segments, FOVs evaluated, subvolumes."""

    segments: int
    fovs: int
    subvolumes: int


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

        def write(core: Box, ids: np.ndarray) -> None:
            dataset[core.slices_in(region)] = ids

        least, min_iou = config.flood.min_segment_size, config.subvolume.min_iou
        count = reconcile(grid, read, write, least, min_iou)
        dataset.attrs["start_zyx"] = region.start_zyx
        image = open_volume(config.image, cache_bytes=0)
        where = dataclasses.replace(
            image.placement, voxel_nm=known_voxel_nm(config.voxel_size_nm, image.placement)
        )
        dataset.attrs.update(where.at(region.start_zyx).attributes)
        dataset.attrs["settings"] = json.dumps(redacted(dataclasses.asdict(config)))
    return Summary(count, sum(map(segmentation_files.load_fovs, files)), len(files))


def score(config: ResolvedSegment) -> Evaluation:
    """Compare the result with the ground truth, where that is labeled, and keep the scores."""
    folder, region = config.directory, config.grid.region
    truth = config.open_truth(config.cache_bytes)
    assert truth is not None
    ids = open_labels(segmentation_files.result(folder), config.cache_bytes)
    evaluation = evaluate_volumes(truth, ids, region.start_zyx)
    run_files.write_json(folder / segmentation_files.EVALUATION, dataclasses.asdict(evaluation))
    return evaluation
