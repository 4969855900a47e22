"""Finished subvolumes put together, and what was dropped on the way."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments.data.cache import write_volumes
from experiments.segment import segmentation_files
from experiments.segment.config import (
    FloodConfig,
    ResolvedRegion,
    ResolvedSegment,
    SubvolumeConfig,
)
from experiments.segment.result import Summary, assemble
from ffn_core.inference.segmentation import State

SHAPE = (8, 8, 30)
LEAST = 20


@pytest.fixture
def config(tmp_path) -> ResolvedSegment:
    """Two subvolumes side by side along x, 0-18 and 12-30, with cores up to and from 15."""
    write_volumes(tmp_path / "v.h5", {"image": np.zeros(SHAPE, np.uint8)})
    return ResolvedSegment(
        checkpoint="/nowhere",
        image=f"{tmp_path}/v.h5:image",
        mean=0.0,
        stddev=1.0,
        fov_zyx=[3, 3, 3],
        deltas_zyx=[1, 1, 1],
        region=ResolvedRegion(start_zyx=[0, 0, 0], size_zyx=list(SHAPE)),
        flood=FloodConfig(min_segment_size=LEAST),
        subvolume=SubvolumeConfig(size_zyx=[8, 8, 18], overlap_zyx=[6, 6, 6]),
        out=str(tmp_path / "out"),
    )


def finish(config: ResolvedSegment, index: int, ids, small=None, objects=()) -> None:
    objects = np.array(objects, np.int64).reshape(-1, 4)
    state = State(ids, 0, 5, np.zeros((0, 4), np.int64), None, small, objects)
    path = segmentation_files.finished_path(Path(config.out), index)
    path.parent.mkdir(parents=True, exist_ok=True)
    segmentation_files.save_state(path, state)


def test_what_was_dropped_is_counted_where_a_subvolume_counts(config):
    boxes = [(s.box.start_zyx[2], s.core.start_zyx[2], s.core.stop_zyx[2]) for s in subs(config)]
    assert boxes == [(0, 0, 15), (12, 15, 30)]
    left, right = np.zeros((2, 8, 8, 18), np.uint32)
    small_left, small_right = np.zeros((2, 8, 8, 18), bool)
    left[:4, :4, :8] = 1  # 128 voxels, kept
    right[:, 0, 3:5] = 1  # 16 voxels of its core, too few once it is cut
    small_left[7, :, 14:17] = True  # 8 voxels of the core, and 16 beyond it
    small_left[0, 0, 0] = True  # became part of the object that was kept
    small_right[7, 7, 17] = True
    finish(config, 0, left, small_left, [[7, 4, 14, 24], [0, 0, 0, 1]])
    finish(config, 1, right, small_right, [[7, 7, 17, 1], [7, 4, 2, 24]])
    found = assemble(config)
    # Sown in their cores: two of the left subvolume and one of the right.
    assert found == Summary(1, 10, 2, 128, 3, 8 + 1, 1, 16, None)
    with h5py.File(Path(config.out) / segmentation_files.SEGMENTATION) as file:
        assert np.bincount(file["segmentation"][...].ravel())[1:].tolist() == [128]


def test_subvolumes_of_older_versions_do_not_say(config):
    ids = np.zeros((8, 8, 18), np.uint32)
    ids[:4, :4, :8] = 1
    for index in range(2):
        state = State(ids * (index == 0), 0, 5, np.zeros((0, 4), np.int64))
        path = segmentation_files.finished_path(Path(config.out), index)
        path.parent.mkdir(parents=True, exist_ok=True)
        segmentation_files.save_state(path, state)
        assert segmentation_files.load_state(path).small is None
    assert assemble(config) == Summary(1, 10, 2, 128)


def subs(config: ResolvedSegment):
    return config.grid.subvolumes
