"""The configuration of a segmentation: typed, validated, and free of Hydra.

`SegmentConfig` is what a user gives, `ResolvedSegment` the same with nothing left open, which
`experiments.segment.resolve` makes of it and all else works with.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from experiments.config.cluster import LauncherConfig
from experiments.config.schema import WEIGHTS
from ffn_core.devices.placement import require_known
from ffn_core.errors import InputError
from ffn_core.files import digest
from ffn_core.geometry import Box, FovGeometry, as_zyx
from ffn_core.inference.settings import FloodSettings
from ffn_core.inference.subvolumes import Grid
from ffn_core.model_size import PRECISIONS
from ffn_core.seed import SeedValues
from ffn_core.volumes import short_name


@dataclass(frozen=True)
class RegionConfig:
    """The part of the image to segment; without ``size_zyx`` all from ``start_zyx`` on."""

    start_zyx: list[int] = field(default_factory=lambda: [0, 0, 0])
    size_zyx: list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class ResolvedRegion(RegionConfig):
    """A part of an image that lies in it."""

    size_zyx: list[int] = field()  # or the default of the base class would stay

    @property
    def box(self) -> Box:
        """The same as a box."""
        size = as_zyx(self.size_zyx, "region.size_zyx")
        return Box(as_zyx(self.start_zyx, "region.start_zyx"), size)


@dataclass(frozen=True)
class SeedsConfig:
    """Where objects are started: ``peaks``, or ``manual`` at ``points`` (z, y, x) of the image."""

    policy: str = "peaks"
    points: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class FloodConfig:
    """How objects are filled and which are kept; see `FloodSettings`."""

    init: float = 0.95
    pad: float = 0.05
    move: float = 0.9
    segment: float = 0.6
    min_segment_size: int = 1000
    min_boundary_dist_zyx: list[int] = field(default_factory=lambda: [1, 1, 1])
    disco_seed_threshold: float = 0.0

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

    size_zyx: list[int] | None = None
    overlap_zyx: list[int] | None = None
    min_iou: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.min_iou <= 1.0:
            raise InputError(f"subvolume.min_iou={self.min_iou} must be above 0 and at most 1")


@dataclass(frozen=True)
class SegmentConfig:
    """One segmentation, as a user asks for it.

    ``checkpoint`` is a run directory or checkpoint folder of this project, or the path of a
    google/ffn TensorFlow 1 checkpoint without its extension. ``weights`` of it: ``averaged`` (over
    the last steps, where it has them) or ``raw``. ``fov_zyx``, ``deltas_zyx``, ``mean``,
    ``stddev`` and ``precision`` (of the convolutions) are those of the training run unless given.
    ``image`` and ``labels`` are names of volumes (``ffn_core.volumes.opening``); without an image
    both are those of the run, and without a region it is the part that the run held out.

    What is left changes the speed, not the result. ``batch_size``: FOVs per forward pass.
    ``device`` is what they are run on: ``cpu``, ``gpu``, or ``auto``, a GPU where there is one.
    ``processes`` share the subvolumes, started by ``launcher`` (gloo without hosts: directly on
    this machine); 0 starts none and leaves that to a person. ``cache_bytes``: of the image and of
    the labels, how much a process keeps in memory.

    ``overwrite`` replaces an earlier segmentation, or scores against other labels, in the folder
    ``out``. What is there of anybody else is never replaced.
    """

    checkpoint: str
    weights: str = "averaged"
    image: str | None = None
    labels: str | None = None
    mean: float | None = None
    stddev: float | None = None
    fov_zyx: list[int] | None = None
    deltas_zyx: list[int] | None = None
    precision: str | None = None
    region: RegionConfig = field(default_factory=RegionConfig)
    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    flood: FloodConfig = field(default_factory=FloodConfig)
    subvolume: SubvolumeConfig = field(default_factory=SubvolumeConfig)
    batch_size: int = 1
    processes: int = 1
    threads_per_process: int | None = None
    device: str = "auto"
    launcher: LauncherConfig = field(default_factory=LauncherConfig)
    cache_bytes: int = 256 * 1024**2
    save_every_s: float = 60.0
    pictures: bool = True
    out: str | None = None
    out_root: str = "segmentations"
    overwrite: bool = False

    def __post_init__(self) -> None:
        least = {"batch_size": 1, "threads_per_process": 1, "processes": 0, "cache_bytes": 0}
        for name, limit in (least | {"save_every_s": 0}).items():
            value = getattr(self, name)
            if value is not None and value < limit:
                raise InputError(f"{name}={value} must be at least {limit}")
        require_known("device", self.device)
        if self.weights not in WEIGHTS:
            raise InputError(
                f"weights={self.weights!r} is unknown; choose from {', '.join(WEIGHTS)}"
            )
        if self.precision not in (None, *PRECISIONS):
            raise InputError(
                f"precision={self.precision!r} is unknown; choose from {', '.join(PRECISIONS)}"
            )
        if self.stddev is not None and self.stddev <= 0:
            raise InputError(f"stddev={self.stddev} must be above 0")


@dataclass(frozen=True, kw_only=True)
class ResolvedSegment(SegmentConfig):
    """A segmentation with nothing left open: what ``config.yaml`` of its folder holds.

    Names of volumes and ``checkpoint`` are absolute. ``labels`` is None where there is no ground
    truth; ``subvolume`` stays as given, see `grid`.
    """

    # Without field() each would keep the default of the base class, which leaves it open.
    image: str = field()
    mean: float = field()
    stddev: float = field()
    fov_zyx: list[int] = field()
    deltas_zyx: list[int] = field()
    region: ResolvedRegion = field()

    @property
    def geometry(self) -> FovGeometry:
        """FOV and deltas, checked."""
        return FovGeometry(as_zyx(self.fov_zyx, "fov_zyx"), as_zyx(self.deltas_zyx, "deltas_zyx"))

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
        name = f"{short_name(self.image)}-{Path(self.checkpoint).name}-{self.identity}"
        return Path(self.out_root).absolute() / name


_NOT_IN_THE_RESULT = (
    "labels",
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
    "overwrite",
)
