"""What a prediction takes from recorded runs: FOVs to the target, and throughput."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.models.critical_batch import CriticalBatch, fit_every_run
from analysis.models.model_average import (
    ThroughputModel,
    fit_throughput,
    modeled_throughput,
    same_work,
)
from analysis.runs.grouping import groups, varies
from analysis.runs.runs import Runs
from analysis.runs.score import OF_AVERAGED, OF_RAW, Score
from analysis.runs.study import Study
from analysis.runs.summary import summarize
from analysis.stats.scaling import scaling_series
from analysis.stats.targets import highest, targets_table
from ffn_core.errors import InputError

_LEAST_COUNTS: Final = 2


@dataclass(frozen=True)
class TrainingCost:
    """FOVs to a target over node counts.

    Attributes:
        experiment: whose runs.
        target: F1.
        score: which F1 that is.
        baseline: F1 of calling every voxel object; None if not recorded.
        fit: FOVs against batch size.
        local_batch_size: FOVs per node and step.
        runs: one row per run of the recipes chosen: nodes, emulated, fovs, elapsed_s and
            optimizer_step to the target (NaN where it was not reached), and the summary columns.
        missed: node counts of which not every run reached the target; in the fit such a run needs
            more steps than it had.
    """

    experiment: str
    target: float
    score: Score
    baseline: float | None
    fit: CriticalBatch
    local_batch_size: float
    runs: pd.DataFrame
    missed: tuple[int, ...]


def training_cost(runs: Runs, experiment: str | None, target: float) -> TrainingCost:
    """Fit FOVs-to-target over the batch sizes of one experiment, its best recipe at each count.

    Args:
        runs: of the store.
        experiment: its name; None where only one experiment tried several node counts.
        target: F1, of the averaged weights where the runs recorded it.

    Raises:
        InputError: no such runs, the target was never reached, or too few batch sizes reached it.
    """
    study = _study(runs, experiment)
    name = study.experiment
    shown = study.best.dropna(subset=["final_f1"])
    if shown.empty:
        raise InputError(f"experiment {name!r} has no finished run with {study.score.f1}")
    if varies(shown["local_batch_size"]):
        sizes = ", ".join(f"{b:g}" for b in sorted(shown["local_batch_size"].unique()))
        raise InputError(
            f"the best runs of {name!r} have local batch sizes {sizes}: keep one per experiment"
        )
    history = runs.select(runs.table["run_id"].isin(shown["run_id"]))
    reached = targets_table(history, study.score.f1, (target,), rising=True)
    reached = reached.merge(shown.drop(columns=["fovs"]), on="run_id")
    if reached["fovs"].isna().all():
        raise InputError(
            f"no run of {name!r} reached F1 {target} ({study.score.f1}); the highest is"
            f" {_highest(history, study.score.f1).max():.3f}: lower --f1 or train longer"
        )
    missing = reached["optimizer_step"].isna()
    missed = tuple(sorted(set(reached.loc[missing, "nodes"])))
    if not varies(reached.loc[~missing, "nodes"]):
        counts = ", ".join(str(n) for n in sorted(set(reached.loc[~missing, "nodes"]))) or "none"
        raise InputError(
            f"at least two node counts of {name!r} must reach F1 {target}; there are: {counts}"
            f" (missed at: {', '.join(map(str, missed)) or 'none'}): lower --f1"
        )
    fit = fit_every_run(reached)
    local_batch_size = float(shown["local_batch_size"].iloc[0])
    baseline = study.baseline(shown)
    return TrainingCost(name, target, study.score, baseline, fit, local_batch_size, reached, missed)


def measured_throughput(runs: Runs, like: pd.DataFrame) -> ThroughputModel:
    """Scaling models of the store's own runs on real nodes.

    Args:
        runs: of the store, any experiment.
        like: summary rows of the training runs; only runs of the same network and local batch
            size say how fast those are.

    Raises:
        InputError: fewer than three real node counts or five runs of that kind.
    """
    points = summarize(runs.finished())
    real = points[~points["emulated"]].dropna(subset=["fovs_per_second"])
    mine = real[same_work(real, like)]
    weak = [one for one in scaling_series(mine) if one.kind == "weak"]
    best = max(weak, key=lambda one: len(one.table), default=None)
    instead = (
        "measure more (experiment=weak_scaling), or give --throughput published with"
        " --node-fovs-per-second of your node"
    )
    try:
        if best is None:
            raise ValueError("a scaling model takes three node counts and five points or more")
        source = f"measured, {best.label}, experiments " + ", ".join(
            sorted(best.points["experiment"].unique())
        )
        return fit_throughput(
            source, best.points["nodes"].to_numpy(), best.points["fovs_per_second"].to_numpy()
        )
    except ValueError as error:
        counts = ", ".join(str(int(n)) for n in sorted(mine["nodes"].unique())) or "none"
        raise InputError(
            f"{error}; real node counts with the training runs' network and batch: {counts}"
            f" ({len(mine)} runs): {instead}"
        ) from error


def throughput_of(runs: Runs, like: pd.DataFrame) -> tuple[ThroughputModel, str | None]:
    """`measured_throughput`, or its stand-in and what was lacking: published efficiency.

    The stand-in has nodes as fast as one rank of the training runs.

    Raises:
        InputError: nothing measured how fast a rank is.
    """
    try:
        return measured_throughput(runs, like), None
    except InputError as reason:
        known = like.dropna(subset=["fovs_per_second"])
        if known.empty:
            raise
        speed = "That speed is the one of a rank of these runs"
        return modeled_throughput(known), f"{speed}. Scaling is not measured here: {reason}."


def default_target(runs: Runs, experiment: str | None) -> float:
    """The highest multiple of 0.01 that half of the node counts reached in half of their runs.

    Raises:
        InputError: no such runs, or fewer than two node counts.
    """
    study = _study(runs, experiment)
    shown = study.best.dropna(subset=["final_f1"])
    scores = _highest(runs.select(runs.table["run_id"].isin(shown["run_id"])), study.score.f1)
    reached = scores.groupby(shown.set_index("run_id")["nodes"]).median()
    if len(reached) < _LEAST_COUNTS:
        raise InputError(
            f"{study.experiment!r} has finished runs with an F1 at fewer than two node counts:"
            " train more, for instance experiment=demo_sweep"
        )
    half = max(_LEAST_COUNTS, (len(reached) + 1) // 2)
    return math.floor(reached.nlargest(half).iloc[-1] * 100) / 100


def _study(runs: Runs, experiment: str | None) -> Study:
    names = runs.experiments()
    if experiment is not None and experiment not in names:
        raise InputError(f"no experiment {experiment!r}; there are: {', '.join(names)}")
    if experiment is None:
        metrics = [OF_AVERAGED.f1, OF_RAW.f1]
        scored = set(runs.history.loc[runs.history["metric"].isin(metrics), "run_id"])
        useful = runs.table[runs.table["run_id"].isin(scored)]
        several = [name for name, rows in groups(useful, "experiment") if varies(rows["nodes"])]
        if not several:
            raise InputError("no experiment recorded an F1 at several node counts")
        if len(several) > 1:
            raise InputError(
                f"several experiments can answer: name one with --experiment: {', '.join(several)}"
            )
        experiment = several[0]
    return Study(experiment, runs.select(runs.table["experiment"] == experiment))


def _highest(runs: Runs, metric: str) -> pd.Series:
    """Highest score of each run, by run_id."""
    scores = runs.history[runs.history["metric"] == metric].sort_values("fovs")
    return scores.groupby("run_id")["value"].agg(lambda values: highest(values.to_numpy()))
