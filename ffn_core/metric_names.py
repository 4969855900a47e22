"""The words that training writes and analysis reads: metrics, parameters, tags, phases, options.

A metric, parameter or tag is spelled here and nowhere else; `METRICS` says what each metric is.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

# Metrics. In MLflow their step is FOVs processed, summed over nodes.

TRAIN: Final = "train"
VALIDATION: Final = "validation"
AVERAGED: Final = "averaged"

RATES: Final = ("f1", "precision", "recall", "accuracy")
"""Rates of voxel counts: what every canvas is scored by."""

SCORES: Final = ("f1", "f1_half", "auc", "precision", "recall", "accuracy", "loss")
"""What held-out canvases are scored by."""

LOSS: Final = "loss"
"""The one score of which less is better."""


def score_metric(scored: str, score: str) -> str:
    """Name of a score of ``scored``: `TRAIN`, `VALIDATION` or `AVERAGED`."""
    return f"{scored}/{score}"


TRAIN_LOSS: Final = "train/loss"
VALIDATION_F1: Final = "validation/f1"
VALIDATION_ACCURACY: Final = "validation/accuracy"
AVERAGED_F1: Final = "averaged/f1"
AVERAGED_AUC: Final = "averaged/auc"
BASELINE_F1: Final = "baseline/f1"
SCORE: Final = "score/"
"""Prefix of the summary of a run."""
SCORE_FINAL: Final = "score/final"
SCORE_BEST: Final = "score/best"
SCORE_BEST_FOVS: Final = "score/best_fovs"

LEARNING_RATE: Final = "learning_rate"
GRADIENT_NORM: Final = "gradient_norm"
NOISE_SCALE: Final = "noise_scale/simple"
OPTIMIZER_STEP: Final = "optimizer_step"
CURRENT_NODES: Final = "cluster/nodes"

THROUGHPUT: Final = "throughput/fovs_per_second"
PARALLEL_EFFICIENCY: Final = "scaling/parallel_efficiency"
SPEEDUP: Final = "scaling/speedup"
REAL_THROUGHPUT: Final = "scaling/fovs_per_second"
BASELINE_NODES: Final = "scaling/baseline_nodes"
COUPLING_EFFICIENCY: Final = "scaling/coupling_efficiency"
UNCOUPLED_THROUGHPUT: Final = "scaling/uncoupled_fovs_per_second"
BEST_SPEEDUP: Final = "scaling/best_speedup"
BEST_SPEEDUP_NODES: Final = "scaling/best_speedup_nodes"
BEST_PARALLEL_EFFICIENCY: Final = "scaling/best_parallel_efficiency"
BEST_PARALLEL_EFFICIENCY_NODES: Final = "scaling/best_parallel_efficiency_nodes"

SWEEP_BEST: Final = "sweep/best_score"
SWEEP_POINTS: Final = "sweep/points"
SWEEP_DONE: Final = "sweep/points_done"
SWEEP_FAILED: Final = "sweep/points_failed"
SWEEP_FOVS: Final = "sweep/fovs"

FRACTION_OF_PEAK: Final = "compute/fraction_of_peak"
FRACTION_OF_BARE_STEP: Final = "compute/fraction_of_bare_step"
GEMM_FLOPS: Final = "compute/gemm_flops"
BARE_STEP_THROUGHPUT: Final = "compute/bare_step_fovs_per_second"
BARE_STEP_FRACTION_OF_PEAK: Final = "compute/bare_step_fraction_of_peak"

# Phases of a step, and the time metrics.

INPUT: Final = "input"
COMPUTE: Final = "compute"
STRAGGLER_WAIT: Final = "straggler_wait"
ALLREDUCE: Final = "allreduce"
UPDATE: Final = "update"
PHASES: Final = (INPUT, COMPUTE, STRAGGLER_WAIT, ALLREDUCE, UPDATE)
STEP: Final = "step"
"""All phases of a step together, with what lies between them."""


def time_metric(phase: str) -> str:
    """Name of the seconds per step of one of `PHASES`, or of `STEP`."""
    return f"time/{phase}_s"


STEP_S: Final = time_metric(STEP)
STRAGGLER_WAIT_S: Final = time_metric(STRAGGLER_WAIT)
ELAPSED_S: Final = "time/elapsed_s"
SLOWEST_RANK: Final = "time/slowest_rank"
VALIDATION_SHARE: Final = "time/validation_share"

SYSTEM: Final = "system/"
"""Prefix of what hosts and ranks say of themselves; no part of a result."""


def rank_metric(rank: int, name: str) -> str:
    """Name of a system metric of one rank."""
    return f"{SYSTEM}rank{rank}_{name}"


def host_metric(rank: int, name: str) -> str:
    """Name of a system metric of the host on which ``rank`` is the first.

    Not by the name of the host: runs on other machines are compared under the same name.
    """
    return f"{SYSTEM}host_of_rank{rank}_{name}"


def segmentation_metric(name: str, assigned: bool = False) -> str:
    """Name of a score of a segmentation, over all foreground or what was ``assigned`` a segment."""
    return f"segmentation/assigned_{name}" if assigned else f"segmentation/{name}"


SEGMENTATION_ARE: Final = segmentation_metric("are")
SEGMENTATION_VOI: Final = segmentation_metric("voi")
SEGMENTATION_VOI_SPLIT: Final = segmentation_metric("voi_split")
SEGMENTATION_VOI_MERGE: Final = segmentation_metric("voi_merge")
ASSIGNED_ARE: Final = segmentation_metric("are", assigned=True)
ASSIGNED_VOI_SPLIT: Final = segmentation_metric("voi_split", assigned=True)
ASSIGNED_VOI_MERGE: Final = segmentation_metric("voi_merge", assigned=True)
SEGMENTATION_COVERAGE: Final = segmentation_metric("coverage")
SEGMENTATION_SEGMENTS: Final = segmentation_metric("segments")


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    Attributes:
        unit: empty for a ratio or a share.
        meaning: one line.
    """

    unit: str
    meaning: str


_RATE_MEANINGS: Final = {
    "f1": ("", "2 tp / (2 tp + fp + fn) of voxels, object where probability is 0.9 or more"),
    "f1_half": ("", "F1 of canvases moved and counted at probability 0.5, on a subset"),
    "auc": ("", "area under the voxel ROC curve of canvases moved by the true labels, on a subset"),
    "precision": ("", "tp / (tp + fp) of voxels"),
    "recall": ("", "tp / (tp + fn) of voxels"),
    "accuracy": ("", "share of voxels called right"),
    "loss": ("nats per voxel", "mean logistic loss of the FOVs visited"),
}
_SCORED: Final = {
    TRAIN: "training canvases finished since the last record",
    VALIDATION: "held-out canvases, weights as they are",
    AVERAGED: "held-out canvases, moving average of the weights",
}
_SEGMENTATION_MEANINGS: Final = {
    "are": ("", "adapted Rand error"),
    "precision": ("", "Rand precision: low where segments merge objects"),
    "recall": ("", "Rand recall: low where segments split objects"),
    "voi": ("bits", "variation of information, split and merge together"),
    "voi_split": ("bits", "H(segmentation | truth): split errors"),
    "voi_merge": ("bits", "H(truth | segmentation): merge errors"),
}

METRICS: Final[dict[str, Metric]] = {
    **{
        score_metric(scored, score): Metric(unit, f"{meaning}; {what}")
        for scored, what in _SCORED.items()
        for score, (unit, meaning) in _RATE_MEANINGS.items()
        if scored != TRAIN or score in (*RATES, LOSS)
    },
    BASELINE_F1: Metric("", "F1 of calling every voxel of the held-out canvases object"),
    SCORE_FINAL: Metric("", "mean of the last evaluations of the score the run is judged by"),
    SCORE_BEST: Metric("", "best evaluation of that score"),
    SCORE_BEST_FOVS: Metric("FOVs", "how far the run was at its best evaluation"),
    LEARNING_RATE: Metric("", "rate that the last step applied"),
    GRADIENT_NORM: Metric("", "norm of the averaged gradient before clipping"),
    NOISE_SCALE: Metric("FOVs", "tr(Sigma) / |G|^2, McCandlish et al. 2018"),
    OPTIMIZER_STEP: Metric("steps", "optimizer steps done"),
    CURRENT_NODES: Metric("nodes", "nodes of the stage, in a run of several"),
    THROUGHPUT: Metric("FOVs/s", "FOVs of all ranks over the wall time of their steps"),
    PARALLEL_EFFICIENCY: Metric("", "throughput over that of perfect scaling from the baseline"),
    SPEEDUP: Metric("", "throughput over that of the baseline"),
    REAL_THROUGHPUT: Metric(
        "FOVs/s", "throughput of a whole run on real nodes, first steps left out"
    ),
    BASELINE_NODES: Metric("nodes", "node count that speed-up and efficiency are relative to"),
    COUPLING_EFFICIENCY: Metric("", "throughput over that of the same processes uncoupled"),
    UNCOUPLED_THROUGHPUT: Metric("FOVs/s", "the same processes without collectives, in sum"),
    BEST_SPEEDUP: Metric("", "largest speed-up among the points of a sweep"),
    BEST_SPEEDUP_NODES: Metric("nodes", "where that was"),
    BEST_PARALLEL_EFFICIENCY: Metric("", "highest efficiency beyond the baselines of a sweep"),
    BEST_PARALLEL_EFFICIENCY_NODES: Metric("nodes", "where that was"),
    SWEEP_BEST: Metric("", "best final score among the points of a sweep"),
    SWEEP_POINTS: Metric("points", "points of a sweep"),
    SWEEP_DONE: Metric("points", "those that came to their end, diverged ones included"),
    SWEEP_FAILED: Metric("points", "those that failed"),
    SWEEP_FOVS: Metric("FOVs", "FOVs that its points have processed, in sum"),
    FRACTION_OF_PEAK: Metric("", "analytic FLOPs per second over the matrix-product rate"),
    FRACTION_OF_BARE_STEP: Metric("", "throughput over that of the step without the trainer"),
    GEMM_FLOPS: Metric("FLOP/s", "matrix-product rate of all ranks, measured beside the run"),
    BARE_STEP_THROUGHPUT: Metric("FOVs/s", "the step without the trainer, all ranks in sum"),
    BARE_STEP_FRACTION_OF_PEAK: Metric("", "its analytic FLOPs over the matrix-product rate"),
    STEP_S: Metric("s", "time of a step"),
    time_metric(INPUT): Metric("s", "drawing, gathering and writing back FOVs; mean over ranks"),
    time_metric(COMPUTE): Metric("s", "forward and backward passes; mean over ranks"),
    STRAGGLER_WAIT_S: Metric("s", "waiting in the allreduce for the last rank; mean over ranks"),
    time_metric(ALLREDUCE): Metric("s", "the allreduce once all ranks are there"),
    time_metric(UPDATE): Metric("s", "applying the gradient; mean over ranks"),
    ELAPSED_S: Metric("s", "training wall time, without evaluation and checkpoints"),
    SLOWEST_RANK: Metric("rank", "rank that the others waited for most often"),
    VALIDATION_SHARE: Metric("", "share of validation in it and training together"),
    f"{SYSTEM}rank*_rss_gib": Metric("GiB", "memory of a rank"),
    f"{SYSTEM}rank*_peak_rss_gib": Metric("GiB", "most memory a rank has had"),
    f"{SYSTEM}host_of_rank*_cpu_percent": Metric("%", "load of all cores of a host"),
    f"{SYSTEM}host_of_rank*_memory_used_gib": Metric("GiB", "memory in use on a host"),
    f"{SYSTEM}rank*_gpu_gib": Metric("GiB", "memory of its GPU that a rank holds"),
    f"{SYSTEM}rank*_peak_gpu_gib": Metric("GiB", "most memory of its GPU a rank has held"),
    **{
        segmentation_metric(name, assigned): Metric(
            unit, f"{meaning}; over {'assigned voxels' if assigned else 'all foreground voxels'}"
        )
        for assigned in (False, True)
        for name, (unit, meaning) in _SEGMENTATION_MEANINGS.items()
    },
    SEGMENTATION_COVERAGE: Metric("", "share of foreground voxels that are in a segment"),
    SEGMENTATION_SEGMENTS: Metric("segments", "how many segments there are"),
}
"""Every metric that is recorded; ``*`` stands for a rank or the name of a host."""


def metric_of(name: str) -> Metric | None:
    """What a recorded metric is; None for a name that is not of `METRICS`."""
    found = (metric for pattern, metric in METRICS.items() if fnmatchcase(name, pattern))
    return METRICS.get(name) or next(found, None)


# Parameters: options by dotted name, but for ramps and the budget, which are one text each.

NODES: Final = "cluster.nodes"
RANKS: Final = "cluster.ranks"
LOCAL_BATCH_SIZE: Final = "cluster.local_batch_size"
OPTIMIZER: Final = "optimizer.name"
RATE_BASE: Final = "learning_rate.base"
RATE_RULE: Final = "learning_rate.rule"
RATE_PEAK: Final = "learning_rate.peak"
WARMUP: Final = "learning_rate.warmup"
COOLDOWN: Final = "learning_rate.cooldown"
PRECISION: Final = "model.precision"
CHECKPOINT_WEIGHTS: Final = "model.checkpoint_weights"
CONTINUE_FROM: Final = "continue_from"
STAGES: Final = "stages"
DEVICE: Final = "device"
SEED: Final = "seed"
BUDGET: Final = "budget"

# Tags.

KIND: Final = "ffn_scaling.kind"
POINT: Final = "point"
SWEEP: Final = "sweep"
IDENTITY: Final = "ffn_scaling.identity"
RUN_DIR: Final = "ffn_scaling.run_dir"
OUTCOME: Final = "ffn_scaling.outcome"
REASON: Final = "ffn_scaling.reason"
COURSE: Final = "ffn_scaling.course"
"""How the training went, in a word or two of `ffn_core.scores.course`."""
CONTINUED_FROM: Final = "ffn_scaling.continued_from"
"""MLflow run whose weights and counts this one began with."""
EXTENDS: Final = "ffn_scaling.extends"
"""MLflow run with a smaller budget that this one is a continuation of."""
EMULATED: Final = "cluster.emulated"
RANKS_GIVEN: Final = "cluster.ranks_given"
"""Whether the user gave the number of ranks."""
PARALLEL_POINTS: Final = "sweep.parallel"
"""How many points shared the machine: their throughput is not that of one."""
SLURM_JOB: Final = "slurm.job_id"
PARENT: Final = "mlflow.parentRunId"
NOTE: Final = "mlflow.note.content"
NOTE_DIGEST: Final = "mlflow.note.ffn_scaling_digest"
"""Of the description as it was written: one that was edited since is left alone.

MLflow's pages do not list tags of this prefix.
"""
SOURCE: Final = "mlflow.source.name"
COMMIT: Final = "mlflow.source.git.commit"

# Tags of a point for MLflow's table, which rounds nothing and heads a column with the whole name.

SHOWN_NODES: Final = "nodes"
SHOWN_RULE: Final = "rule"
SHOWN_WARMUP: Final = "warm-up"
SHOWN_OPTIMIZER: Final = "optimizer"
SHOWN_SEED: Final = "seed"
SHOWN_MACHINE: Final = "machine"
SHOWN_FINAL: Final = "final"
SHOWN_BEST: Final = "best"
SHOWN_THROUGHPUT: Final = "FOVs/s"
SHOWN_EFFICIENCY: Final = "efficiency"
SHOWN_OUTCOME: Final = "outcome"

# Artifacts of a run whose checkpoints were segmented.

SEGMENTATION_FOLDER: Final = "segmentation"
SAMPLE_FILE: Final = "sample.h5"

# Options that do not make two runs different.

RUN_LOCAL: Final = (
    "tracking",
    "launcher",
    "batch",
    "score",
    "checkpoint",
    "sweep",
    "report.canvases",
    "cluster.stall_timeout_s",
    "cluster.elastic",
    "cluster.min_ranks",
    "cluster.readmit_after_s",
    "runs_dir",
    "data.cache_dir",
    "data.cache_bytes",
    "data.voxel_size_nm",
)
"""Options and sections that say where and how a run is carried out, not what it computes."""

SAME_RECIPE: Final = (*RUN_LOCAL, "cluster", "report", "model.micro_batch_size", DEVICE)
"""Those, and what tells runs apart without making their training another but for rounding.

The latter count in the identity of a run. The numbers of nodes and of FOVs a node takes in a step
are of the section ``cluster`` too, but do make another point of a study.
"""

LATER: Final[dict[str, Any]] = {
    "data.mask": None,
    "data.labels_box": None,
    "data.labels_mask": None,
    "data.augmentation.contrast": 0.0,
    "data.augmentation.brightness": 0.0,
    "data.augmentation.noise": 0.0,
    "data.augmentation.blur": 0.0,
    "data.augmentation.missing_sections": 0.0,
    "data.augmentation.shifted_sections": 0.0,
    "data.augmentation.shift_voxels": 2,
    "data.volumes": [],
    "learning_rate.cooldown.steps": None,
    "learning_rate.cooldown.fovs": None,
    "learning_rate.cooldown.fraction": None,
    "averaging.half_life_fovs": 1000,
    "validation.subset": 0.0625,
    "validation.box": None,
    "validation.volumes": [],
    "validation.synthetic_seeds": [],
    PRECISION: "float32",
    CHECKPOINT_WEIGHTS: "averaged",
    CONTINUE_FROM: None,
    STAGES: [],
    "stage": None,
    DEVICE: "auto",
}
"""Options that did not always exist, each with the value at which it does not count.

So runs that are older than an option keep their identity. Averages and more scores change nothing
of a run's training; an older run that is resumed has them from there on.
"""

LATER_OF_VOLUMES: Final[dict[str, Any]] = {"labels_box": None, "labels_mask": None}
"""The same of each volume in a list of volumes."""
