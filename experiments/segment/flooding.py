"""The subvolumes of a task, segmented several at a time with one network and saved as they go."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from experiments.launch.rank_numbers import all_rank_variables
from experiments.launch.stop_request import StopRequest
from experiments.segment.config import ResolvedSegment
from experiments.segment.segmentation_files import (
    finished_path,
    load_state,
    partial_path,
    save_state,
    write_progress,
)
from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.inference import seeds
from ffn_core.inference.segmentation import Batch, Forward, Segmenter
from ffn_core.inference.subvolumes import Subvolume
from ffn_core.volumes import Volume, open_volume, read_normalized

T = TypeVar("T")

_ARRAY = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Task:
    """Number ``number`` of ``count`` tasks, counted from 0."""

    number: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            raise InputError(f"task {self.number} of {self.count}: tasks are numbered from 0")

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Every ``count``-th of ``items``: the shares of all tasks are all of them, each once."""
        return items[self.number :: self.count]


def task_of(environment: Mapping[str, str], expected: int | None = None) -> Task:
    """The task that the environment of a process tells of; the only one if it tells of none.

    Args:
        environment: Of the process.
        expected: How many tasks were to be started. None if a person started them: then the
            elements of a Slurm job array share the work too, each through all tasks of its step.

    Raises:
        InputError: The launcher says of another number of tasks than expected, or does not say
            which of them this is; or a job array has gaps.
    """
    ranked = _ranked(environment)
    if expected is None:
        array, task = _array_element(environment), ranked or Task()
        return Task(array.number * task.count + task.number, array.count * task.count)
    if ranked is None and expected > 1:
        return Task(_rank_alone(environment), expected)
    task = ranked or Task()
    if task.count != expected:
        raise InputError(
            f"the launcher started {task.count} tasks for processes={expected}; check its"
            " arguments and the allocation"
        )
    return task


def _ranked(environment: Mapping[str, str]) -> Task | None:
    for names in all_rank_variables():
        if names.size and names.rank in environment and names.size in environment:
            return Task(int(environment[names.rank]), int(environment[names.size]))
    return None


def _rank_alone(environment: Mapping[str, str]) -> int:
    known = all_rank_variables()
    for names in known:
        if not names.size and names.rank in environment:
            return int(environment[names.rank])
    raise InputError(
        f"the launcher does not number its tasks: none of {', '.join(n.rank for n in known)} is"
        " set; use another launcher, or start workers by hand (processes=0) with --task and --tasks"
    )


def _array_element(environment: Mapping[str, str]) -> Task:
    """The element of a Slurm job array; the only one outside of any."""
    if f"{_ARRAY}ID" not in environment:
        return Task()
    number, first, last, count = (
        int(environment[_ARRAY + name]) for name in ("ID", "MIN", "MAX", "COUNT")
    )
    step = (last - first) // (count - 1) if count > 1 else 1
    # Slurm tells neither the list nor, for a list, its step: of one with gaps we cannot be sure.
    if last - first != step * (count - 1) or (number - first) % step:
        raise InputError(
            f"a job array of {count} elements from {first} to {last} has gaps: submit one without,"
            f" such as --array=0-{count - 1}"
        )
    return Task((number - first) // step, count)


PROGRESS_EVERY_S = 1.0


class Worker:
    """Segment subvolumes with one compiled network, ``batch_size`` of them at a time."""

    def __init__(self, config: ResolvedSegment, folder: Path, forward: Forward) -> None:
        self._config = config
        self._folder = folder
        self._geometry = config.geometry
        self._batch = Batch(forward, self._geometry.fov_zyx, config.batch_size)
        self._image = open_volume(config.image, config.cache_bytes)
        self._stop_request = StopRequest(folder)
        self._stop_request.listen()
        self._parent = os.getppid()

    def run(self, subvolumes: Sequence[Subvolume]) -> bool:
        """Segment what is not finished yet; False if asked to stop, with the state saved."""
        waiting = [s for s in subvolumes if not finished_path(self._folder, s.index).is_file()]
        waiting.reverse()
        active: list[_Job] = []
        while waiting or active:
            while waiting and len(active) < self._config.batch_size:
                active.append(self._start(waiting.pop()))
            for job in [job for job in active if job.segmenter.finished]:
                job.finish()
                active.remove(job)
            if self._asked_to_stop():
                for job in active:
                    job.save()
                return False
            if active:
                self._batch.step([job.segmenter for job in active])
            for job in active:
                job.save_and_tell_when_due(self._config.save_every_s)
        return True

    def _asked_to_stop(self) -> bool:
        """By a signal or a file, or because the process that started this one is gone."""
        return self._stop_request.is_set() or os.getppid() != self._parent

    def _start(self, subvolume: Subvolume) -> _Job:
        config, box = self._config, subvolume.box
        image = read_normalized(
            self._image, box.start_zyx, box.shape_zyx, config.mean, config.stddev
        )
        points = seed_points(config, image, box, self._image)
        segmenter = Segmenter(image, points, self._geometry, config.flood.settings)
        partial = partial_path(self._folder, subvolume.index)
        if partial.is_file():
            segmenter.restore(load_state(partial))
        return _Job(self._folder, subvolume.index, segmenter)


class _Job:
    """A subvolume under way."""

    def __init__(self, folder: Path, index: int, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self._folder = folder
        self._index = index
        self._written_s = self._saved_s = time.monotonic()
        self._written_fovs = segmenter.fovs
        self._write_progress(fovs_per_second=0.0)

    def save_and_tell_when_due(self, save_every_s: float) -> None:
        """Write the progress file every second, and the state every so often."""
        now = time.monotonic()
        elapsed_s = now - self._written_s
        if elapsed_s >= PROGRESS_EVERY_S:
            self._write_progress((self.segmenter.fovs - self._written_fovs) / elapsed_s)
        if now - self._saved_s >= save_every_s:
            self.save()

    def save(self) -> None:
        """Replace the state on disk."""
        save_state(partial_path(self._folder, self._index), self.segmenter.state())
        self._saved_s = time.monotonic()

    def finish(self) -> None:
        """Leave the finished subvolume behind in place of its partial state."""
        save_state(finished_path(self._folder, self._index), self.segmenter.state())
        partial_path(self._folder, self._index).unlink(missing_ok=True)
        self._write_progress(fovs_per_second=0.0)

    def _write_progress(self, fovs_per_second: float) -> None:
        with contextlib.suppress(OSError):  # a full disk ends it where it matters: at the state
            write_progress(
                self._folder,
                self._index,
                fraction=self.segmenter.progress(),
                fovs=self.segmenter.fovs,
                objects=self.segmenter.objects,
                fovs_per_second=fovs_per_second,
                unix_s=time.time(),
            )
        self._written_s, self._written_fovs = time.monotonic(), self.segmenter.fovs


def seed_points(config: ResolvedSegment, image: np.ndarray, box: Box, volume: Volume) -> np.ndarray:
    """(n, 3) seed points relative to ``box``, whose normalized ``image`` is given."""
    if config.seeds.policy == "peaks":
        return seeds.peaks(image)
    points = seeds.manual(config.seeds.points, volume.shape_zyx) - np.array(box.start_zyx)
    return points[((points >= 0) & (points < box.shape_zyx)).all(axis=1)]
