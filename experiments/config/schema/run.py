"""One run as a whole, and how points of a sweep are gone through."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from experiments.config.cluster import BatchConfig, ClusterConfig, LauncherConfig
from experiments.config.schema.data import DataConfig
from experiments.config.schema.model import ModelConfig, MovementConfig
from experiments.config.schema.records import (
    CheckpointConfig,
    ReportConfig,
    ScoreConfig,
    TrackingConfig,
    ValidationConfig,
)
from experiments.config.schema.training import (
    AveragingConfig,
    BudgetConfig,
    LearningRateConfig,
    OptimizerConfig,
)
from experiments.config.stages import StageConfig, check_stages, stage_ends
from ffn_core.devices.placement import require_known
from ffn_core.errors import InputError
from ffn_core.limits.ranges import MOST_NODES, MOST_SEED, number, option
from ffn_core.metric_names import AVERAGED, VALIDATION
from ffn_core.seed import SeedValues
from ffn_core.training.learning_rate import Schedule


@dataclass(frozen=True)
class SweepConfig:
    """How points of a sweep are gone through; says nothing of what a point computes.

    A point that fails (not: diverges) is tried again from its last checkpoint. With ``extend`` a
    point begins where a finished one of the same options but a smaller budget ended. ``pair`` holds
    options by dotted name that belong together: swept over, it moves several of them along one
    axis.
    """

    dry_run: bool = option(False, "list points, costs and commands, and run nothing")
    parallel: int = number(
        1,
        "points at a time on this machine, each on its share of the cores",
        at_least=1,
        at_most=1024,
    )
    baseline_nodes: int | None = number(
        None,
        "nodes that speed-up and efficiency are relative to; null: the smallest real count",
        at_least=1,
        at_most=MOST_NODES,
    )
    retries: int = number(0, "further attempts at a point that fails", at_least=0, at_most=1000)
    fail_fast: bool = option(False, "start no point after the first failure")
    extend: bool = option(True, "begin where a finished run with a smaller budget ended")
    figures: bool = option(True, "draw figures and write a report when a sweep ends")
    pair: Any = option(None, "options that change together: {model.depth: 4, model.features: 8}")

    def __post_init__(self) -> None:
        if self.pair is not None and not isinstance(self.pair, dict):
            raise InputError(
                f"sweep.pair={self.pair} must be options by name, as "
                "sweep.pair={model.depth:4,model.features:8}"
            )


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
    continue_from: str | None = option(None, "run directory to continue with other options")
    stages: list[StageConfig] = option([], "parts of a run: [{nodes:4,fovs:8000}, ...]")
    stage: int | None = number(None, "set by the launcher", at_least=0, at_most=10**6)
    device: str = option("auto", "cpu, gpu, or auto: a GPU where there is one")
    seed: int = number(1, "of weights, examples and their order", at_least=0, at_most=MOST_SEED)
    runs_dir: str = option("runs", "folder of all run directories")

    def __post_init__(self) -> None:
        require_known("device", self.device)
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
