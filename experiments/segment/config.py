"""The configuration of a segmentation: typed, validated, and free of Hydra.

`SegmentConfig` is what a user gives, `ResolvedSegment` the same with nothing left open, which
`experiments.segment.resolve` makes of it and all else works with.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.config.cluster import LauncherConfig
from experiments.config.schema import WEIGHTS
from experiments.config.schema.data import (
    LABELS_BOX,
    LABELS_MASK,
    MOST_INTENSITY,
    require_three,
)
from experiments.config.schema.model import DELTA, FOV_EDGE
from experiments.config.trained_network import RUNS_DIR
from ffn_core.devices.placement import require_known
from ffn_core.errors import InputError
from ffn_core.files import digest
from ffn_core.geometry import Box, FovGeometry, as_zyx
from ffn_core.inference.settings import FloodSettings
from ffn_core.inference.subvolumes import Grid
from ffn_core.limits.ranges import (
    MOST_BYTES,
    MOST_EXTENT,
    MOST_FOVS,
    MOST_NODES,
    MOST_SECONDS,
    MOST_THREADS,
    SMALLEST,
    VOXEL_NM,
    Range,
    described,
    number,
    numbers,
    option,
)
from ffn_core.model_size import PRECISIONS
from ffn_core.sampling.partial_labels import box_of, open_partial_labels
from ffn_core.seed import SeedValues
from ffn_core.volumes import Volume, short_name


@dataclass(frozen=True)
class RegionConfig:
    """The part of the image to segment; without ``size_zyx`` all from ``start_zyx`` on."""

    start_zyx: list[int] = numbers(
        [0, 0, 0], "first voxel of it in the image", at_least=0, at_most=MOST_EXTENT
    )
    size_zyx: list[int] | None = number(
        None, "its extents in voxels; null: to the end", at_least=1, at_most=MOST_EXTENT
    )


@dataclass(frozen=True, kw_only=True)
class ResolvedRegion(RegionConfig):
    """A part of an image that lies in it."""

    # Or the default of the base class would stay.
    size_zyx: list[int] = field(
        metadata=described("its extents in voxels", Range(at_least=1, at_most=MOST_EXTENT))
    )

    @property
    def box(self) -> Box:
        """The same as a box."""
        size = as_zyx(self.size_zyx, "region.size_zyx")
        return Box(as_zyx(self.start_zyx, "region.start_zyx"), size)


@dataclass(frozen=True)
class SeedsConfig:
    """Where objects are started: ``peaks``, or ``manual`` at ``points`` (z, y, x) of the image."""

    policy: str = option("peaks", "peaks | manual, at points")
    points: list[list[int]] = numbers(
        [], "z, y, x of each in the image", at_least=0, at_most=MOST_EXTENT
    )


@dataclass(frozen=True)
class FloodConfig:
    """How objects are filled and which are kept; see `FloodSettings`."""

    init: float = number(0.95, "probability at the seed point", above=0, below=1)
    pad: float = number(0.05, "probability where nothing was predicted yet", above=0, below=1)
    move: float = number(
        0.9, "a position is visited only from this probability on", above=0, below=1
    )
    segment: float = number(
        0.6, "a voxel belongs to the object from this probability on", above=0, below=1
    )
    min_segment_size: int = number(
        1000, "objects with fewer voxels are dropped", at_least=1, at_most=MOST_FOVS
    )
    min_boundary_dist_zyx: list[int] = numbers(
        [1, 1, 1],
        "a seed point this many voxels or fewer away from an object is not tried",
        at_least=0,
        at_most=MOST_EXTENT,
    )
    disco_seed_threshold: float = number(
        0.0,
        "share of the FOV from which what was separated stays separated; negative: off",
        at_least=-1,
        at_most=1,
    )

    @property
    def settings(self) -> FloodSettings:
        """The same, checked."""
        return FloodSettings(
            SeedValues(self.init, self.pad, self.move),
            self.segment,
            self.min_segment_size,
            as_zyx(self.min_boundary_dist_zyx, "flood.min_boundary_dist_zyx"),
            self.disco_seed_threshold,
        )


@dataclass(frozen=True)
class SubvolumeConfig:
    """How the region is cut up.

    Without ``size_zyx`` it stays whole. ``overlap_zyx`` is two FOV edges unless given. Objects of
    neighbors are joined from an intersection over union of ``min_iou`` on.
    """

    size_zyx: list[int] | None = number(
        None, "extents of one in voxels; null: the whole region", at_least=1, at_most=MOST_EXTENT
    )
    overlap_zyx: list[int] | None = number(
        None, "voxels that neighbors share; null: two FOV edges", at_least=0, at_most=MOST_EXTENT
    )
    min_iou: float = number(
        0.5,
        "objects of neighbors are joined from this intersection over union on",
        above=0,
        at_most=1,
    )


@dataclass(frozen=True)
class SegmentConfig:
    """One segmentation, as a user asks for it.

    ``checkpoint`` is a run by its name or folder, a checkpoint folder of this project, or the path
    of a google/ffn TensorFlow 1 checkpoint without its extension. ``image`` and ``labels`` are
    names of volumes (``ffn_core.volumes.opening``); without an image both are those of the run, and
    without a region it is the part that the run held out.

    From ``batch_size`` to ``save_every_s`` the speed changes, not the result. ``processes`` share
    the subvolumes, started by ``launcher`` (gloo without hosts: directly on this machine).

    ``overwrite`` replaces an earlier segmentation, or scores against other labels, in the folder
    ``out``. What is there of anybody else is never replaced.
    """

    checkpoint: str = field(
        metadata=described("run by name or folder, checkpoint folder, or TF 1 path")
    )
    weights: str = option("averaged", f"of the checkpoint: {' | '.join(WEIGHTS)}")
    image: str | None = option(None, "name of a volume; null: the part the run held out")
    labels: str | None = option(None, "name of a ground truth to be scored against")
    labels_box: list[list[int]] | None = number(
        None, f"{LABELS_BOX}; null: as in training", at_least=0, at_most=MOST_EXTENT
    )
    labels_mask: str | None = option(None, f"{LABELS_MASK}; null: as in training")
    mean: float | None = number(
        None,
        "subtracted from intensities; null: as in training",
        at_least=-MOST_INTENSITY,
        at_most=MOST_INTENSITY,
    )
    stddev: float | None = number(
        None,
        "intensities are divided by it; null: as in training",
        at_least=SMALLEST,
        at_most=MOST_INTENSITY,
    )
    fov_zyx: list[int] | None = field(
        default=None, metadata=described("edges of the FOV; null: as in training", FOV_EDGE)
    )
    deltas_zyx: list[int] | None = field(
        default=None, metadata=described("voxels of one move; null: as in training", DELTA)
    )
    precision: str | None = option(
        None, f"of convolutions: {' | '.join(PRECISIONS)}; null: as in training"
    )
    voxel_size_nm: list[float] | None = field(
        default=None,
        metadata=described(
            "edges of a voxel in nm, z, y, x; null: as the image says, or as in training", VOXEL_NM
        ),
    )
    region: RegionConfig = field(default_factory=RegionConfig)
    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    flood: FloodConfig = field(default_factory=FloodConfig)
    subvolume: SubvolumeConfig = field(default_factory=SubvolumeConfig)
    batch_size: int = number(1, "FOVs per forward pass", at_least=1, at_most=10**6)
    processes: int = number(
        1, "that share the subvolumes; 0 starts none", at_least=0, at_most=MOST_NODES
    )
    threads_per_process: int | None = number(
        None,
        "compute threads of each; null: its share of the cores",
        at_least=1,
        at_most=MOST_THREADS,
    )
    device: str = option("auto", "cpu, gpu, or auto: a GPU where there is one")
    launcher: LauncherConfig = field(default_factory=LauncherConfig)
    cache_bytes: int = number(
        256 * 1024**2,
        "of image and labels each, kept in memory by a process",
        at_least=0,
        at_most=MOST_BYTES,
    )
    save_every_s: float = number(
        60.0,
        "seconds between two saves of an unfinished subvolume",
        at_least=0,
        at_most=MOST_SECONDS,
    )
    pictures: bool = option(True, "draw a picture of the result")
    out: str | None = option(None, "folder of the result; null: one below out_root")
    out_root: str = option("segmentations", "folder of the folders of results")
    runs_dir: str = option(RUNS_DIR, "where a run is looked for by name")
    overwrite: bool = option(False, "replace another segmentation in out")

    def __post_init__(self) -> None:
        require_known("device", self.device)
        require_three(self.voxel_size_nm, "voxel_size_nm")
        if self.labels_box is not None:
            box_of(self.labels_box, "labels_box")
        if self.weights not in WEIGHTS:
            raise InputError(
                f"weights={self.weights!r} is unknown; choose from {', '.join(WEIGHTS)}"
            )
        if self.precision not in (None, *PRECISIONS):
            raise InputError(
                f"precision={self.precision!r} is unknown; choose from {', '.join(PRECISIONS)}"
            )


def _given(name: str) -> Mapping[str, Any]:
    """Description and range of an option of `SegmentConfig`."""
    return next(f.metadata for f in dataclasses.fields(SegmentConfig) if f.name == name)


@dataclass(frozen=True, kw_only=True)
class ResolvedSegment(SegmentConfig):
    """A segmentation with nothing left open: what ``config.yaml`` of its folder holds.

    Names of volumes and ``checkpoint`` are absolute. ``labels`` is None where there is no ground
    truth; ``subvolume`` stays as given, see `grid`.
    """

    # Without field() each would keep the default of the base class, which leaves it open.
    image: str = field()
    mean: float = field(metadata=_given("mean"))
    stddev: float = field(metadata=_given("stddev"))
    fov_zyx: list[int] = field(metadata=_given("fov_zyx"))
    deltas_zyx: list[int] = field(metadata=_given("deltas_zyx"))
    region: ResolvedRegion = field()

    @property
    def geometry(self) -> FovGeometry:
        """FOV and deltas, checked."""
        return FovGeometry(as_zyx(self.fov_zyx, "fov_zyx"), as_zyx(self.deltas_zyx, "deltas_zyx"))

    @property
    def truth(self) -> tuple[str | None, list[list[int]] | None, str | None]:
        """What it is scored against: labels, and the box and mask that say where they are true."""
        return self.labels, self.labels_box, self.labels_mask

    def open_truth(self, cache_bytes: int) -> Volume | None:
        """The labels, 0 where they are not true; None where there is no ground truth."""
        if self.labels is None:
            return None
        return open_partial_labels(
            self.labels, self.labels_box, self.labels_mask, cache_bytes, "labels_box"
        )

    @property
    def identity(self) -> str:
        """Eight hexadecimal digits that differ between segmentations that may differ."""
        values = dataclasses.asdict(self)
        for name in _NOT_IN_THE_RESULT:
            del values[name]
        if self.weights == "averaged":
            del values["weights"]  # as of segmentations from before there was a choice
        if self.precision in (None, "float32"):
            del values["precision"]  # as of segmentations from before there was a choice
        text = json.dumps(values, sort_keys=True)
        return digest(text)[:8]

    @property
    def grid(self) -> Grid:
        """The subvolumes.

        Raises:
            InputError: The region cannot be cut up as ``subvolume`` says.
        """
        fov, region, cut = self.geometry.fov_zyx, self.region.box, self.subvolume
        size = as_zyx(cut.size_zyx or region.shape_zyx, "subvolume.size_zyx")
        overlap = as_zyx(cut.overlap_zyx or [2 * n for n in fov], "subvolume.overlap_zyx")
        return Grid(region, size, overlap, fov)

    @property
    def directory(self) -> Path:
        """Absolute folder of the results: the same segmentation always finds its own again."""
        if self.out is not None:
            return Path(self.out).absolute()
        root, image = Path(self.out_root).absolute(), short_name(self.image)
        older = root / f"{image}-{Path(self.checkpoint).name}-{self.identity}"  # without the run
        named = root / f"{image}-{self.checkpoint_name}-{self.identity}"
        return older if older.is_dir() else named

    @property
    def checkpoint_name(self) -> str:
        """The checkpoint for people: run and step, such as ``n8_sqrt_adam_lr0.001_s1-step1200``."""
        path = Path(self.checkpoint)
        step = _STEP.fullmatch(path.name)
        if step is None:  # not one of ours
            return path.name
        run = path.parent.parent.name.rpartition("-")[0] or path.parent.parent.name
        return f"{run[:_LONGEST_RUN_NAME]}-step{int(step[1])}"


_STEP = re.compile(r"step-(\d+)")
_LONGEST_RUN_NAME = 100
_NOT_IN_THE_RESULT = (
    "labels",
    "labels_box",
    "labels_mask",
    "voxel_size_nm",
    "batch_size",
    "processes",
    "threads_per_process",
    "device",
    "launcher",
    "cache_bytes",
    "save_every_s",
    "pictures",
    "out",
    "out_root",
    "runs_dir",
    "overwrite",
)
