"""Points of one or several studies with the score that claims are judged by. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.runs.recipes import latest_of_each_point
from analysis.runs.runs import Runs
from analysis.verdicts.plan import CO_PRIMARY, DEAD_BELOW, LAST, PRIMARY
from ffn_core.metric_names import BASELINE_F1

SCORE = f"{PRIMARY}, mean of the last {LAST} evaluations"

Studies = Mapping[str, Runs]

_COLUMNS = (
    "run_id",
    "experiment",
    "nodes",
    "seed",
    "emulated",
    "local_batch_size",
    "global_batch_size",
    "optimizer",
    "lr_rule",
    "lr_base",
    "lr_peak",
    "warmup",
    "budget",
)


def ended(runs: Runs) -> Runs:
    """Points that came to their end, one run each: finished ones, and those that diverged.

    A diverged run is a result, not a mishap: it has died. It is known by its `outcome`; where that
    is not recorded, failed runs are left out.
    """
    if runs.table.empty:
        return runs
    keep = runs.table["status"] == "FINISHED"
    if "outcome" in runs.table:
        keep |= runs.table["outcome"] == "diverged"
    kept = runs.select(keep)
    return kept if kept.table.empty else latest_of_each_point(kept)


def scored_points(
    studies: Studies, *names: str, metric: str = PRIMARY, last: int = LAST
) -> pd.DataFrame:
    """Points of the named studies with what came out; runs without the score are left out.

    Args:
        studies: recorded studies by name.
        names: of those to pool; points that several share count once.
        metric: the score.
        last: evaluations that its mean is over.

    Returns:
        Identity and recipe; score; auc (the co-primary) and baseline (F1 of calling every voxel
        object), NaN where not recorded; dead: whether the run diverged or its last score lies below
        `DEAD_BELOW`.
    """
    tables = []
    for name in names:
        if name not in studies:
            continue
        runs = ended(studies[name])
        table = runs.table.reindex(columns=[*_COLUMNS])
        ids = table["run_id"]
        diverged = pd.Series(False, index=table.index)
        if "outcome" in runs.table:
            diverged = runs.table["outcome"] == "diverged"
        scored = table.assign(
            score=ids.map(runs.last(metric, last)).mask(diverged, 0.0),
            auc=ids.map(runs.last(CO_PRIMARY, last)),
            baseline=ids.map(runs.last(BASELINE_F1)),
            dead=(ids.map(runs.last(metric)) < DEAD_BELOW) | diverged,
        )
        tables.append(scored.dropna(subset=["score"]))
    filled = [table for table in tables if not table.empty]
    if not filled:
        return pd.DataFrame(columns=[*_COLUMNS, "score", "auc", "baseline", "dead"]).astype(
            {"dead": bool}
        )
    pooled = pd.concat(filled, ignore_index=True)
    if len(filled) > 1:
        point = [c for c in _COLUMNS if c not in ("run_id", "experiment", "emulated")]
        pooled = pooled.drop_duplicates(point, ignore_index=True)
    return pooled.astype({"nodes": int, "seed": int})


def alive(points: pd.DataFrame) -> pd.DataFrame:
    """Points that did not die."""
    return points[~points["dead"]]


def at(points: pd.DataFrame, nodes: Sequence[int]) -> pd.DataFrame:
    """Points at some node counts."""
    return points[points["nodes"].isin(nodes)]


def with_warmup(points: pd.DataFrame, warm: bool = True) -> pd.DataFrame:
    """Points with, or without, warm-up."""
    return points[(points["warmup"] != "none") == warm]


def ruled(points: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Points whose learning rate follows a rule: none, linear or sqrt."""
    return points[points["lr_rule"] == rule]


def score_table(points: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean, lowest and highest score over seeds for each combination of the columns `by`."""
    grouped = points.groupby(list(by))["score"]
    return grouped.agg(score="mean", lowest="min", highest="max", seeds="count").reset_index()


def describe(points: pd.DataFrame) -> str:
    """How many points, of which studies, with which seeds and node counts."""
    if points.empty:
        return "no finished point"
    studies = ", ".join(sorted(points["experiment"].unique()))
    seeds = ", ".join(str(s) for s in sorted(points["seed"].unique()))
    nodes = ", ".join(str(n) for n in sorted(points["nodes"].unique()))
    plural = "s" if len(points) != 1 else ""
    emulated = int(points["emulated"].sum())
    where = f"{emulated} on emulated nodes" if emulated else "on real nodes"
    return f"{len(points)} point{plural} of {studies} ({where}); nodes {nodes}; seeds {seeds}"
