"""The sections of a run's configuration that say what is recorded and saved, and how often."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.limits import at_least_one
from ffn_core.errors import InputError


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
    """Scores on held-out canvases, which fill the last ``fraction`` of the volume's long axis."""

    every_fovs: int = 2000
    canvases: int = 64
    fraction: float = 0.25
    batch_size: int = 16
    seed: int = 7

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction < 1.0:
            raise InputError(f"validation.fraction={self.fraction} must lie between 0 and 1")
        if self.canvases < 0:
            raise InputError(f"validation.canvases={self.canvases} must be at least 0 (off)")
        at_least_one("validation", self, "every_fovs", "batch_size")


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
