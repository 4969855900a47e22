"""The configuration of one run: typed, validated, and free of Hydra.

Every section is a frozen dataclass; `experiments.typed.from_dict` builds the tree from plain values
(what Hydra composed or a run directory's ``config.yaml`` holds) and names whatever does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.data_schema import DataConfig
from experiments.launch_schema import BatchConfig, ClusterConfig, LauncherConfig
from experiments.record_schema import (
    CheckpointConfig,
    ReportConfig,
    TrackingConfig,
    ValidationConfig,
)
from experiments.training_schema import (
    BudgetConfig,
    LearningRateConfig,
    ModelConfig,
    MovementConfig,
    OptimizerConfig,
)
from ffn_core.learning_rate import Schedule
from ffn_core.seed import SeedValues


@dataclass(frozen=True)
class SweepConfig:
    """How points of a sweep are gone through; says nothing of what a point computes.

    ``dry_run`` lists the points, what they cost and the commands that would run, and runs nothing.
    A point that fails (not: diverges) is tried ``retries`` more times, from its last checkpoint.
    With ``fail_fast`` the first failure ends the sweep. ``pair`` holds options by dotted name that
    belong together: swept over, it moves several of them along one axis.
    """

    dry_run: bool = False
    retries: int = 0
    fail_fast: bool = False
    pair: Any = None


@dataclass(frozen=True)
class Config:
    """One run. See the sections."""

    data: DataConfig
    model: ModelConfig
    budget: BudgetConfig
    movement: MovementConfig = field(default_factory=MovementConfig)
    seed_values: SeedValues = field(default_factory=SeedValues)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    learning_rate: LearningRateConfig = field(default_factory=LearningRateConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    launcher: LauncherConfig = field(default_factory=LauncherConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    seed: int = 1
    runs_dir: str = "runs"

    def schedule(self) -> Schedule:
        """Learning rate of each optimizer step."""
        fovs_per_step = self.cluster.fovs_per_step
        steps = self.budget.in_steps(fovs_per_step)
        warmup = self.learning_rate.warmup.in_steps(fovs_per_step, steps)
        return Schedule(self.learning_rate.peak(self.cluster.nodes), warmup_steps=warmup)
