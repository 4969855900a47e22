"""The configuration of one run: typed, validated, and free of Hydra.

Every section is a frozen dataclass, each of whose options carries one line on what it is and the
range of its numbers; `experiments.config.parsing.from_dict` builds the tree from plain values (what
Hydra composed or ``config.yaml`` of a run directory holds) and names what does not fit. The
sections that say how ranks are started are in `experiments.config.cluster`.
"""

from experiments.config.schema.data import DataConfig, VolumeConfig
from experiments.config.schema.model import WEIGHTS, ModelConfig, MovementConfig
from experiments.config.schema.records import (
    SETS,
    CheckpointConfig,
    ReportConfig,
    ScoreConfig,
    TrackingConfig,
    ValidationConfig,
)
from experiments.config.schema.run import Config, SweepConfig
from experiments.config.schema.training import (
    AveragingConfig,
    BudgetConfig,
    LearningRateConfig,
    OptimizerConfig,
)

__all__ = [
    "SETS",
    "WEIGHTS",
    "AveragingConfig",
    "BudgetConfig",
    "CheckpointConfig",
    "Config",
    "DataConfig",
    "LearningRateConfig",
    "ModelConfig",
    "MovementConfig",
    "OptimizerConfig",
    "ReportConfig",
    "ScoreConfig",
    "SweepConfig",
    "TrackingConfig",
    "ValidationConfig",
    "VolumeConfig",
]
