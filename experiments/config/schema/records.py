"""What is recorded of a run, how it is scored, and what is kept of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from experiments.config.schema.data import VolumeConfig
from ffn_core.errors import InputError
from ffn_core.limits.ranges import MOST_EXTENT, MOST_FOVS, MOST_SEED, number, numbers, option
from ffn_core.metric_names import AVERAGED, AVERAGED_F1, SCORES, VALIDATION
from ffn_core.sampling.partial_labels import box_of

SETS = (AVERAGED, VALIDATION)
"""Scores of averaged and of raw weights."""


@dataclass(frozen=True)
class ReportConfig:
    """How often training counts are recorded, in FOVs summed over nodes."""

    every_fovs: int = number(
        500, "FOVs over all nodes between two records", at_least=1, at_most=MOST_FOVS
    )
    skip_steps: int = number(
        2, "first steps that do not count for throughput", at_least=0, at_most=MOST_FOVS
    )
    noise_half_life_fovs: int = number(
        1000,
        "FOVs in which the average of the gradient noise scale forgets half",
        at_least=1,
        at_most=MOST_FOVS,
    )
    canvases: int = number(
        4, "held-out canvases drawn into a picture at each evaluation", at_least=0, at_most=1000
    )


@dataclass(frozen=True)
class ValidationConfig:
    """Scores on ``canvases`` held-out canvases, always the same.

    They come in turn from the last ``fraction`` of the long axis of what is trained on (0: none of
    it), or from a ``box`` of it instead; from each of ``volumes``, which are not trained on at all;
    and, for synthetic data, from a volume made like the one trained on for each of
    ``synthetic_seeds``. On the first ``subset`` of them (a share, 0 to 1) ``f1_half`` and ``auc``
    are measured as well, for which the FOV moves two to three times as often each: with the
    default, scoring averaged weights beside the raw ones and all this together cost about twice
    what the published score of the raw ones alone does.
    """

    every_fovs: int = number(
        2000, "FOVs over all nodes between two evaluations", at_least=1, at_most=MOST_FOVS
    )
    canvases: int = number(64, "held-out canvases; 0: no scores", at_least=0, at_most=10**9)
    subset: float = number(
        0.0625, "share of them on which f1_half and auc are measured too", at_least=0, at_most=1
    )
    fraction: float = number(
        0.25, "share of the long axis that is held out; 0: none of it", at_least=0, below=1
    )
    box: list[list[int]] | None = number(
        None,
        "box that is held out instead of that share: its first voxel and the one past its last,"
        " [[z,y,x],[z,y,x]]",
        at_least=0,
        at_most=MOST_EXTENT,
    )
    volumes: list[VolumeConfig] = option([], "volumes that are held out as a whole")
    synthetic_seeds: list[int] = numbers(
        [], "seeds of synthetic volumes held out as a whole", at_least=0, at_most=MOST_SEED
    )
    batch_size: int = number(16, "FOVs per forward pass", at_least=1, at_most=10**6)
    seed: int = number(7, "seed of the choice of canvases", at_least=0, at_most=MOST_SEED)

    def __post_init__(self) -> None:
        if self.box is not None:
            box_of(self.box, "validation.box")
        elsewhere = self.box or self.volumes or self.synthetic_seeds
        if not (self.fraction or elsewhere or not self.canvases):
            raise InputError(
                "validation.fraction=0 holds nothing out: give validation.box, name "
                "validation.volumes (or validation.synthetic_seeds), or set validation.canvases=0"
            )
        if weighted := [v for v in self.volumes if v.weight != 1.0]:
            raise InputError(
                f"validation.volumes: weight={weighted[0].weight} of {weighted[0].image} has no "
                "meaning: canvases are taken from held-out volumes in turn"
            )


@dataclass(frozen=True)
class ScoreConfig:
    """The metric a run is judged by.

    Without averaged weights it is that of the raw ones. The checkpoint with the best value is kept
    besides the newest.
    """

    name: str = option(
        AVERAGED_F1, f"{' or '.join(SETS)} (raw weights), a slash, one of {', '.join(SCORES)}"
    )
    last: int = number(
        4, "evaluations at the end whose mean is the score", at_least=1, at_most=10**6
    )

    def __post_init__(self) -> None:
        group, _, score = self.name.partition("/")
        if group not in SETS or score not in SCORES:
            raise InputError(
                f"score.name={self.name} is unknown; choose one of {', '.join(SETS)} with one of "
                f"{', '.join(SCORES)}, as in {AVERAGED_F1}"
            )


@dataclass(frozen=True)
class CheckpointConfig:
    """How often the whole state is saved, and how many are kept."""

    every_fovs: int = number(
        10000, "FOVs over all nodes between two checkpoints", at_least=1, at_most=MOST_FOVS
    )
    keep: int = number(2, "newest checkpoints that are kept", at_least=1, at_most=10**6)


@dataclass(frozen=True)
class TrackingConfig:
    """Where runs are recorded."""

    uri: str | None = option(None, "MLflow store; null: mlflow.db in the working directory")
    experiment: str = option("default", "MLflow experiment, and folder in runs_dir")
    name: str | None = option(
        None, "name of the run in MLflow, in a sweep its beginning; null: what varies in the sweep"
    )

    def __post_init__(self) -> None:
        named = f"tracking.experiment={self.experiment!r}"
        parts = self.experiment.strip("/").split("/")
        if any(part.strip() in ("", ".", "..") for part in parts):
            raise InputError(
                f"{named} names no folder below runs_dir: use words with single slashes between "
                "them, without '.' and '..'"
            )
        if not self.experiment.isprintable() or any(len(os.fsencode(p)) > 200 for p in parts):
            raise InputError(
                f"{named} must be printable, with at most 200 bytes between two slashes"
            )
