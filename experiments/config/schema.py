"""The configuration of one run: typed, validated, and free of Hydra.

Every section is a frozen dataclass; `experiments.config.parsing.from_dict` builds the tree from
plain values (what Hydra composed or ``config.yaml`` of a run directory holds) and names what does
not fit.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any

from experiments.config.cluster import BatchConfig, ClusterConfig, LauncherConfig
from experiments.config.parsing import at_least_one
from experiments.config.stages import StageConfig, check_stages, stage_ends
from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry
from ffn_core.metric_names import AVERAGED, AVERAGED_F1, SCORES, VALIDATION
from ffn_core.model_size import PRECISIONS, ModelSize
from ffn_core.seed import SeedValues
from ffn_core.training.learning_rate import Cooldown, Schedule, Warmup, scale_factor


@dataclass(frozen=True)
class VolumeConfig:
    """One of several volumes to train on.

    ``image``, ``labels`` and ``mask`` are names of volumes (``ffn_core.volumes.opening``). No
    canvas is centered where ``mask`` is false. What is None is prepared: ``coordinates`` of the
    labels and mask, ``mean`` and ``stddev`` of the image. Canvases are drawn from each volume in
    proportion to ``weight``.
    """

    image: str
    labels: str
    coordinates: str | None = None
    mask: str | None = None
    mean: float | None = None
    stddev: float | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise InputError(
                f"data.volumes: weight={self.weight} of {self.image} must be above 0; leave the"
                " volume out to train without it"
            )


@dataclass(frozen=True)
class DataConfig:
    """What to train on.

    ``kind`` is ``synthetic`` (made on first use, ``size_zyx`` and ``synthetic_seed`` matter),
    ``files`` (``image``, ``labels`` and so on as in `VolumeConfig`, or several ``volumes``) or
    ``dummy`` (constant noise in memory, for timing without input). Volumes of up to
    ``cache_bytes`` are read into memory by each rank; of each larger one that much is kept.
    """

    name: str
    kind: str = "synthetic"
    cache_dir: str = "data"
    image: str | None = None
    labels: str | None = None
    coordinates: str | None = None
    mask: str | None = None
    mean: float | None = None
    stddev: float | None = None
    volumes: list[VolumeConfig] = field(default_factory=list)
    cache_bytes: int = 2 * 1024**3
    size_zyx: list[int] = field(default_factory=lambda: [128, 128, 128])
    synthetic_seed: int = 1
    min_object_voxels: int = 1000
    reflect_axes: list[int] = field(default_factory=lambda: [0, 1, 2])
    permute_axes: list[int] = field(default_factory=lambda: [0, 1, 2])

    def __post_init__(self) -> None:
        if self.cache_bytes < 0:
            raise InputError(f"data.cache_bytes={self.cache_bytes} must be 0 or more")
        if self.volumes and (self.image or self.labels):
            raise InputError("set either data.image and data.labels or data.volumes, not both")

    @property
    def sources(self) -> list[VolumeConfig]:
        """The volumes, one or several.

        Raises:
            InputError: There is none.
        """
        if self.volumes:
            return self.volumes
        if not (self.image and self.labels):
            raise InputError("data.kind=files needs data.image and data.labels, or data.volumes")
        return [
            VolumeConfig(
                self.image, self.labels, self.coordinates, self.mask, self.mean, self.stddev
            )
        ]


SETS = (AVERAGED, VALIDATION)
"""Scores of averaged and of raw weights."""


@dataclass(frozen=True)
class ReportConfig:
    """How often training counts are recorded, in FOVs summed over nodes.

    At each evaluation ``canvases`` held-out canvases (0: none) are drawn into a picture.
    """

    every_fovs: int = 500
    skip_steps: int = 2
    noise_half_life_fovs: int = 1000
    canvases: int = 4

    def __post_init__(self) -> None:
        if self.canvases < 0:
            raise InputError(f"report.canvases={self.canvases} must be at least 0 (off)")
        at_least_one("report", self, "every_fovs", "noise_half_life_fovs")


@dataclass(frozen=True)
class ValidationConfig:
    """Scores on ``canvases`` held-out canvases, always the same.

    They come in turn from the last ``fraction`` of the long axis of what is trained on (0: none of
    it), from each of ``volumes``, which are not trained on at all, and, for synthetic data, from a
    volume made like the one trained on for each of ``synthetic_seeds``. On the first ``subset`` of
    them (a share, 0 to 1) ``f1_half`` and ``auc`` are measured as well, for which the FOV moves two
    to three times as often each: with the default, scoring averaged weights beside the raw ones and
    all this together cost about twice what the published score of the raw ones alone does.
    """

    every_fovs: int = 2000
    canvases: int = 64
    subset: float = 0.0625
    fraction: float = 0.25
    volumes: list[VolumeConfig] = field(default_factory=list)
    synthetic_seeds: list[int] = field(default_factory=list)
    batch_size: int = 16
    seed: int = 7

    def __post_init__(self) -> None:
        if not 0.0 <= self.fraction < 1.0:
            raise InputError(f"validation.fraction={self.fraction} must be at least 0 and below 1")
        if not (self.fraction or self.volumes or self.synthetic_seeds or not self.canvases):
            raise InputError(
                "validation.fraction=0 holds nothing out: name validation.volumes (or "
                "validation.synthetic_seeds), or set validation.canvases=0"
            )
        if not 0.0 <= self.subset <= 1.0:
            raise InputError(f"validation.subset={self.subset} must lie between 0 and 1")
        if weighted := [v for v in self.volumes if v.weight != 1.0]:
            raise InputError(
                f"validation.volumes: weight={weighted[0].weight} of {weighted[0].image} has no "
                "meaning: canvases are taken from held-out volumes in turn"
            )
        if self.canvases < 0:
            raise InputError(f"validation.canvases={self.canvases} must be at least 0 (off)")
        at_least_one("validation", self, "every_fovs", "batch_size")


@dataclass(frozen=True)
class ScoreConfig:
    """The metric a run is judged by, and of how many of its ``last`` evaluations the mean is taken.

    ``name`` is one of `SETS`, a slash and one of `SCORES`. Without averaged weights it is that of
    the raw ones. The checkpoint with the best value is kept besides the newest.
    """

    name: str = AVERAGED_F1
    last: int = 4

    def __post_init__(self) -> None:
        group, _, score = self.name.partition("/")
        if group not in SETS or score not in SCORES:
            raise InputError(
                f"score.name={self.name} is unknown; choose one of {', '.join(SETS)} with one of "
                f"{', '.join(SCORES)}, as in {AVERAGED_F1}"
            )
        at_least_one("score", self, "last")


@dataclass(frozen=True)
class CheckpointConfig:
    """How often the whole state is saved, in FOVs summed over nodes, and how many are kept."""

    every_fovs: int = 10000
    keep: int = 2

    def __post_init__(self) -> None:
        at_least_one("checkpoint", self, "every_fovs", "keep")


@dataclass(frozen=True)
class TrackingConfig:
    """Where runs are recorded; None is ``mlflow.db`` in the working directory."""

    uri: str | None = None
    experiment: str = "default"

    def __post_init__(self) -> None:
        option = f"tracking.experiment={self.experiment!r}"
        parts = self.experiment.strip("/").split("/")
        if any(part.strip() in ("", ".", "..") for part in parts):
            raise InputError(
                f"{option} names no folder below runs_dir: use words with single slashes between "
                "them, without '.' and '..'"
            )
        if not self.experiment.isprintable() or any(len(os.fsencode(p)) > 200 for p in parts):
            raise InputError(
                f"{option} must be printable, with at most 200 bytes between two slashes"
            )


WEIGHTS = ("averaged", "raw")
"""Which weights of a checkpoint: their moving average, if it has one, or those of its last step."""


@dataclass(frozen=True)
class ModelConfig:
    """The network and its field of view; ``checkpoint`` starts from given weights.

    ``checkpoint`` is a run directory (its best checkpoint, without one its newest), a checkpoint
    folder in one, or a TensorFlow 1 checkpoint without extension; ``checkpoint_weights``, one of
    `WEIGHTS`, says which weights of it. Nothing else of the earlier run is taken up.
    ``micro_batch_size`` is the most FOVs in one forward and backward pass: what is fastest depends
    on the size of the network, and the result does not depend on it. ``precision`` is that of the
    convolutions: bfloat16 is faster on CPUs that have it natively, and changes the result a little.
    """

    name: str
    fov_zyx: list[int]
    deltas_zyx: list[int]
    depth: int
    features: int
    micro_batch_size: int = 1
    checkpoint: str | None = None
    precision: str = "float32"
    checkpoint_weights: str = "averaged"

    def __post_init__(self) -> None:
        at_least_one("model", self, "micro_batch_size")
        if self.precision not in PRECISIONS:
            raise InputError(
                f"model.precision={self.precision!r} is unknown; choose from "
                f"{', '.join(PRECISIONS)}"
            )
        if self.checkpoint_weights not in WEIGHTS:
            raise InputError(
                f"model.checkpoint_weights={self.checkpoint_weights!r} is unknown; choose from "
                f"{', '.join(WEIGHTS)}"
            )

    @property
    def geometry(self) -> FovGeometry:
        """FOV and deltas, checked."""
        return FovGeometry(tuple(self.fov_zyx), tuple(self.deltas_zyx))  # type: ignore[arg-type]

    @property
    def size(self) -> ModelSize:
        """Depth and features, checked."""
        return ModelSize(self.depth, self.features)

    def require_size(self, found: ModelSize, source: str) -> None:
        """Check that weights are of this network.

        Args:
            found: size of the network they are of.
            source: where they come from, as the user gave it.

        Raises:
            InputError: they are not.
        """
        if found != self.size:
            raise InputError(
                f"{source} has depth {found.depth} and {found.features} features, the config "
                f"{self.depth} and {self.features}: choose the model it was trained with"
            )

    @property
    def training_flops(self) -> int:
        """Floating-point operations of training on one FOV."""
        return self.size.training_flops(self.geometry.fov_voxels)


@dataclass(frozen=True)
class MovementConfig:
    """How the FOV moves over a training canvas."""

    policy: str = "fixed"
    shuffle: bool = True


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer by name, with keyword arguments of its Keras class."""

    name: str = "adam"
    arguments: dict[str, float] = field(default_factory=dict)
    clip: float | None = 0.7


@dataclass(frozen=True)
class LearningRateConfig:
    """Base rate (of one node), scaling rule over nodes, warm-up and cooldown."""

    base: float = 1e-3
    rule: str = "sqrt"
    power: float = 0.5
    warmup: Warmup = field(default_factory=Warmup)
    cooldown: Cooldown = field(default_factory=Cooldown)

    def peak(self, nodes: int) -> float:
        """Rate after warm-up on ``nodes`` nodes."""
        if self.base <= 0:
            raise InputError(f"learning_rate.base={self.base} must be above 0")
        return self.base * scale_factor(self.rule, nodes, self.power)


@dataclass(frozen=True)
class AveragingConfig:
    """The moving average of the weights: it forgets half in ``half_life_fovs``; 0 keeps none."""

    half_life_fovs: int = 1000

    def __post_init__(self) -> None:
        if self.half_life_fovs < 0:
            raise InputError(
                f"averaging.half_life_fovs={self.half_life_fovs} must be at least 0 (off)"
            )


@dataclass(frozen=True)
class BudgetConfig:
    """Length of a run in exactly one unit; in none for a run in stages, whose sum it is."""

    steps: int | None = None
    fovs: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        if len(given) > 1:
            raise InputError(
                f"budget has {len(given)} units {given}; set exactly one of steps, fovs, seconds"
            )
        for name, value in given.items():
            if value <= 0:
                raise InputError(f"budget.{name}={value} must be above 0")

    def in_steps(self, fovs_per_step: int) -> int | None:
        """Optimizer steps, rounded up; None for a budget in seconds."""
        if self.fovs is not None:
            return -(-self.fovs // fovs_per_step)
        return self.steps

    def __str__(self) -> str:
        given = dataclasses.asdict(self).items()
        return next((f"{value} {name}" for name, value in given if value is not None), "none")


@dataclass(frozen=True)
class SweepConfig:
    """How points of a sweep are gone through; says nothing of what a point computes.

    ``dry_run`` lists the points, what they cost and the commands that would run, and runs nothing.
    ``parallel`` points at a time run side by side on this machine, each on an equal share of its
    cores. A point that fails (not: diverges) is tried ``retries`` more times, from its last
    checkpoint. With ``fail_fast`` no point is started after the first failure. With ``extend`` a
    point begins where a finished one of the same options but a smaller budget ended. ``pair`` holds
    options by dotted name that belong together: swept over, it moves several of them along one
    axis. Speed-up and parallel efficiency are relative to ``baseline_nodes`` (None: the smallest
    real node count).
    """

    dry_run: bool = False
    parallel: int = 1
    baseline_nodes: int | None = None
    retries: int = 0
    fail_fast: bool = False
    extend: bool = True
    pair: Any = None

    def __post_init__(self) -> None:
        at_least_one("sweep", self, "parallel", "baseline_nodes")


@dataclass(frozen=True)
class Config:
    """One run. See the sections.

    ``continue_from`` is the directory of a run whose weights, their average, optimizer state and
    counts this one begins with, as of its newest checkpoint; nodes, rate and budget may be others,
    and budget and ramps of the rate count from the beginning of the earlier run.

    A run in ``stages`` goes through them one after another, each on nodes and at a rate of its own;
    at the end of one, weights, their average and the optimizer's state go over into the next, and
    example streams begin again. Ramps of the rate have their place in the whole. ``stage`` is the
    index of the one that the ranks are in, which is set when they are started.
    """

    data: DataConfig
    model: ModelConfig
    budget: BudgetConfig
    movement: MovementConfig = field(default_factory=MovementConfig)
    seed_values: SeedValues = field(default_factory=SeedValues)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    learning_rate: LearningRateConfig = field(default_factory=LearningRateConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    launcher: LauncherConfig = field(default_factory=LauncherConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    continue_from: str | None = None
    stages: list[StageConfig] = field(default_factory=list)
    stage: int | None = None
    seed: int = 1
    runs_dir: str = "runs"

    def __post_init__(self) -> None:
        if self.stages:
            self._check_stages()
        elif self.budget == BudgetConfig():
            raise InputError("budget has no unit; set exactly one of steps, fovs, seconds")
        if self.continue_from is not None:
            self._check_continue()

    def _check_stages(self) -> None:
        """Check the stages, and make the budget their sum where it is left out."""
        if self.continue_from is not None:
            raise InputError(
                f"continue_from={self.continue_from} cannot be had together with stages: make what "
                "it has trained the first stage, or continue it stage by stage"
            )
        if self.budget == BudgetConfig():
            total = stage_ends(self.stages)[-1]
            object.__setattr__(self, "budget", BudgetConfig(fovs=total))
        if self.budget.fovs is None:
            raise InputError(
                f"stages are given in FOVs, and the budget as {self.budget}: leave out the budget"
            )
        check_stages(self.stages, self.cluster.local_batch_size, self.budget.fovs)

    def _check_continue(self) -> None:
        said = f"continue_from={self.continue_from}"
        if self.model.checkpoint:
            raise InputError(
                f"{said} brings its own weights: leave out model.checkpoint={self.model.checkpoint}"
            )
        if self.budget.steps is not None:
            raise InputError(
                f"budget.steps={self.budget.steps} is not clear with {said}, whose steps may have "
                "had another size: give budget.fovs, in total"
            )

    @property
    def score_name(self) -> str:
        """The metric that is the score."""
        if self.averaging.half_life_fovs:
            return self.score.name
        return self.score.name.replace(f"{AVERAGED}/", f"{VALIDATION}/")

    def each_stage(self) -> list[Config]:
        """The run as it is in each of its stages; itself where it has none."""
        return [self.in_stage(index) for index in range(len(self.stages))] or [self]

    def in_stage(self, index: int) -> Config:
        """The run as it is in one of its stages."""
        cluster, rate = self.cluster, self.learning_rate
        stages = [
            dataclasses.replace(
                stage,
                base=rate.base if stage.base is None else stage.base,
                ranks=cluster.ranks if stage.ranks is None else stage.ranks,
            )
            for stage in self.stages
        ]
        batches = [stage.nodes * cluster.local_batch_size for stage in stages]
        stage = stages[index]
        assert stage.base is not None
        assert stage.ranks is not None
        return dataclasses.replace(
            self,
            stages=stages,
            stage=index,
            cluster=dataclasses.replace(cluster, nodes=stage.nodes, ranks=stage.ranks),
            learning_rate=dataclasses.replace(
                rate,
                base=stage.base,
                warmup=rate.warmup.with_steps_of(batches[0]),
                cooldown=rate.cooldown.with_steps_of(batches[-1]),
            ),
        )

    @property
    def fovs_at_end(self) -> int | None:
        """FOVs with which the stage it is in, or the run, ends; None for another unit."""
        if self.stage is not None:
            return stage_ends(self.stages)[self.stage]
        return self.budget.fovs

    @property
    def later_steps(self) -> int:
        """Steps of the stages after the one it is in."""
        if self.stage is None:
            return 0
        later, batch = self.stages[self.stage + 1 :], self.cluster.local_batch_size
        return sum(stage.fovs // (stage.nodes * batch) for stage in later)

    def on(self, cores: int) -> Config:
        """The same run as it is started on so many cores, shared by ``sweep.parallel`` points."""
        return self.with_ranks(self.cluster.ranks_on(cores // self.sweep.parallel))

    def with_ranks(self, ranks: int) -> Config:
        """The same run on so many ranks."""
        return dataclasses.replace(self, cluster=dataclasses.replace(self.cluster, ranks=ranks))

    def schedule(self) -> Schedule:
        """Learning rate of each optimizer step."""
        fovs_per_step = self.cluster.fovs_per_step
        steps = self.budget.in_steps(fovs_per_step)
        rate = self.learning_rate
        return Schedule(
            rate.peak(self.cluster.nodes),
            warmup_steps=rate.warmup.in_steps(fovs_per_step, steps),
            cooldown_steps=rate.cooldown.in_steps(fovs_per_step, steps),
            total_steps=steps,
        )
