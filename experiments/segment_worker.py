"""Segment a share of the subvolumes: ``python -m experiments.segment_worker FOLDER``.

Started by `experiments.segment`, or by mpirun, horovodrun or srun over several machines: task i of
n takes subvolumes i, i + n, ... Subvolumes do not depend on each other, so the result does not
depend on n, and a task that was killed goes on from its last saved state when started again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from experiments import records
from experiments.environment import available_cores, before_tensorflow
from experiments.exit_codes import EXIT_INPUT, EXIT_STOPPED
from experiments.network import load_network
from experiments.schema import from_dict
from experiments.segment_files import (
    finished_path,
    load_state,
    partial_path,
    save_state,
    write_progress,
)
from experiments.segment_schema import SegmentConfig
from experiments.stop_request import StopRequest
from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry, as_zyx
from ffn_core.inference import seeds
from ffn_core.inference.segmentation import Forward, Segmenter
from ffn_core.inference.subvolumes import Box, Grid, Subvolume
from ffn_core.volumes import Volume, open_volume

PROGRESS_EVERY_S = 1.0

TASK_VARIABLES = (
    ("HOROVOD_RANK", "HOROVOD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)


def load_config(folder: Path) -> SegmentConfig:
    """The config of a segmentation's folder."""
    return from_dict(SegmentConfig, yaml.safe_load((folder / records.CONFIG).read_text()))


def make_grid(config: SegmentConfig) -> Grid:
    """The subvolumes of a resolved config."""
    assert config.region.size_zyx is not None
    fov = as_zyx(config.fov_zyx, "fov_zyx")
    size = as_zyx(config.region.size_zyx, "region.size_zyx")
    region = Box(as_zyx(config.region.start_zyx, "region.start_zyx"), size)
    cut = config.subvolume
    overlap = as_zyx(cut.overlap_zyx or [2 * n for n in fov], "subvolume.overlap_zyx")
    return Grid(region, as_zyx(cut.size_zyx or size, "subvolume.size_zyx"), overlap, fov)


def task_of(environment: Mapping[str, str]) -> tuple[int, int]:
    """Number of this task and of all tasks, as the launcher says; (0, 1) without one."""
    for rank, size in TASK_VARIABLES:
        if rank in environment and size in environment:
            return int(environment[rank]), int(environment[size])
    return 0, 1


class Worker:
    """Segments subvolumes one after another, with one compiled network."""

    def __init__(self, config: SegmentConfig, folder: Path, forward: Forward) -> None:
        self._config = config
        self._folder = folder
        self._forward = forward
        self._image = open_volume(config.image)
        self._stop_request = StopRequest(folder)
        self._stop_request.listen()
        self._parent = os.getppid()

    def segment(self, subvolume: Subvolume) -> bool:
        """Segment one subvolume unless it is finished; False if asked to stop before the end."""
        finished = finished_path(self._folder, subvolume.index)
        partial = partial_path(self._folder, subvolume.index)
        if finished.is_file():
            return True
        segmenter = self._segmenter(subvolume.box)
        if partial.is_file():
            segmenter.restore(load_state(partial))
        if not self._run(segmenter, subvolume.index):
            save_state(partial, segmenter.state())
            return False
        save_state(finished, segmenter.state())
        partial.unlink(missing_ok=True)
        return True

    def _segmenter(self, box: Box) -> Segmenter:
        config = self._config
        assert config.mean is not None
        assert config.stddev is not None
        image = read_normalised(self._image, box, config.mean, config.stddev)
        return Segmenter(
            image,
            seed_points(config, image, box, self._image),
            self._forward,
            FovGeometry(as_zyx(config.fov_zyx, "fov_zyx"), as_zyx(config.deltas_zyx, "deltas_zyx")),
            config.flood.settings,
            config.batch_size,
        )

    def _run(self, segmenter: Segmenter, index: int) -> bool:
        """Step to the end, saving and telling now and then; False if asked to stop."""
        partial = partial_path(self._folder, index)
        told = saved = time.monotonic()
        saved_point, told_fovs = segmenter.next_point, segmenter.fovs
        self._tell(segmenter, index, 0.0)
        while not segmenter.finished:
            if self._stop_request.is_set() or os.getppid() != self._parent:
                return False
            segmenter.step()
            now = time.monotonic()
            if now - told >= PROGRESS_EVERY_S:
                self._tell(segmenter, index, (segmenter.fovs - told_fovs) / (now - told))
                told, told_fovs = now, segmenter.fovs
            due = now - saved >= self._config.save_every_s
            if due and segmenter.next_point > saved_point:
                save_state(partial, segmenter.state())
                saved, saved_point = now, segmenter.next_point
        self._tell(segmenter, index, 0.0)
        return True

    def _tell(self, segmenter: Segmenter, index: int, fovs_per_second: float) -> None:
        write_progress(
            self._folder,
            index,
            fraction=segmenter.progress(),
            fovs=segmenter.fovs,
            wasted_fovs=segmenter.wasted_fovs,
            objects=segmenter.objects,
            fovs_per_second=fovs_per_second,
            unix_s=time.time(),
        )


def read_normalised(image: Volume, box: Box, mean: float, stddev: float) -> np.ndarray:
    """The (z, y, x) float32 intensities of a box, as the network was trained on them."""
    window = image.read(box.start_zyx, box.shape_zyx).astype(np.float32)
    window -= np.float32(mean)
    window /= np.float32(stddev)
    return window


def seed_points(config: SegmentConfig, image: np.ndarray, box: Box, volume: Volume) -> np.ndarray:
    """(n, 3) seed points relative to ``box``, whose normalised ``image`` is given."""
    if config.seeds.policy == "peaks":
        return seeds.peaks(image)
    points = seeds.manual(config.seeds.points, volume.shape_zyx) - np.array(box.start_zyx)
    return points[((points >= 0) & (points < box.shape_zyx)).all(axis=1)]


def start_tensorflow(threads: int) -> None:
    """Import TensorFlow with this project's settings."""
    before_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.optimizer.set_experimental_options({"remapping": False})  # as in training


def run_task(folder: Path, task: int, tasks: int) -> int:
    """Segment every subvolume of one task; returns the exit code."""
    config = load_config(folder)
    start_tensorflow(config.threads_per_process or max(1, available_cores() // config.processes))
    from ffn_core.inference.forward import make_forward

    forward = make_forward(load_network(Path(config.checkpoint)))
    worker = Worker(config, folder, forward)
    for subvolume in make_grid(config).subvolumes[task::tasks]:
        if not worker.segment(subvolume):
            return EXIT_STOPPED
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.segment_worker")
    parser.add_argument("folder", type=Path, help="folder that experiments.segment has made")
    parser.add_argument("--task", type=int, help="number of this task; default: the launcher's")
    parser.add_argument("--tasks", type=int, help="number of tasks; default: the launcher's")
    parsed = parser.parse_args(arguments)
    task, tasks = task_of(os.environ)
    if parsed.task is not None and parsed.tasks is not None:
        task, tasks = parsed.task, parsed.tasks
    try:
        if not (parsed.folder / records.CONFIG).is_file():
            raise InputError(f"{parsed.folder} has no {records.CONFIG}; run experiments.segment")
        return run_task(parsed.folder, task, tasks)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT


if __name__ == "__main__":
    sys.exit(main())
