"""Claims about how well trained networks segment, from scored checkpoints. Pure.

Scores are over assigned voxels, so that what was left unsegmented does not hide what was merged,
and coverage is judged beside them, so that leaving more out does not look better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from analysis.stats.intervals import mean_estimate, paired_estimate
from analysis.verdicts.scored_runs import Studies, ended
from analysis.verdicts.verdict import Finding, no_runs
from ffn_core.metric_names import ASSIGNED_ARE, SEGMENTATION_COVERAGE

STUDY: Final = "segments"
ERROR: Final = ASSIGNED_ARE
COVERAGE: Final = SEGMENTATION_COVERAGE
FEW: Final = 4
MANY: Final = 64

_LACKING: Final = "no segmented checkpoints (experiments.segment_checkpoints)"


def segmentation_improves(studies: Studies) -> Finding:
    """Error over the first third of the checkpoints minus over the last, mean of a seed's runs."""
    scores = checkpoint_table(studies, ERROR)
    several = scores[scores["checkpoints"] >= 3]
    if several.empty:
        return no_runs(STUDY, why=_LACKING)
    # The runs of a seed are not independent: one value of each seed.
    gain = (several["first"] - several["last"]).groupby(several["seed"]).mean()
    return Finding(mean_estimate(gain.to_numpy()), _basis(several), _both(studies))


def segmentation_at_scale(studies: Studies) -> Finding:
    """Error at few nodes minus at many."""
    return _few_and_many(studies, ERROR, FEW, MANY)


def coverage_at_scale(studies: Studies) -> Finding:
    """Coverage at many nodes minus at few."""
    return _few_and_many(studies, COVERAGE, MANY, FEW)


FINDERS: Final[Mapping[str, Callable[[Studies], Finding]]] = {
    one.__name__: one for one in (segmentation_improves, segmentation_at_scale, coverage_at_scale)
}


def checkpoint_table(studies: Studies, metric: str) -> pd.DataFrame:
    """A score of every run of the study whose checkpoints were segmented.

    Returns:
        nodes, seed, checkpoints, first and last (mean over the first and last third of its
        checkpoints, of those that all runs at its node count have).
    """
    rows = []
    if STUDY in studies:
        kept = ended(studies[STUDY])
        for _, curve in in_common(kept.metric(metric)).groupby("run_id"):
            values = curve["value"].to_numpy(dtype=float)
            third = max(len(values) // 3, 1)
            rows.append(
                {
                    "nodes": int(curve["nodes"].iloc[0]),
                    "seed": int(curve["seed"].iloc[0]),
                    "checkpoints": len(values),
                    "first": float(values[:third].mean()),
                    "last": float(values[-third:].mean()),
                }
            )
    columns = ["nodes", "seed", "checkpoints", "first", "last"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:2], ignore_index=True)


def in_common(errors: pd.DataFrame) -> pd.DataFrame:
    """Those of checkpoints that all runs at a node count have; an interrupted run has one more."""
    if errors.empty:
        return errors
    runs = errors.groupby("nodes")["run_id"].transform("nunique")
    have = errors.groupby(["nodes", "fovs"])["run_id"].transform("nunique")
    return errors[have == runs]


def _few_and_many(studies: Studies, metric: str, first: int, second: int) -> Finding:
    scores = checkpoint_table(studies, metric)
    by_seed = scores.pivot_table(index="seed", columns="nodes", values="last")
    if not {first, second} <= set(by_seed.columns):
        return no_runs(STUDY, why=_LACKING)
    pairs = by_seed[[first, second]].dropna()
    effect = paired_estimate(pairs[first].to_numpy(), pairs[second].to_numpy())
    return Finding(effect, _basis(scores), _both(studies))


def _both(studies: Studies) -> pd.DataFrame:
    """Error and coverage of every run, side by side."""
    error, coverage = (checkpoint_table(studies, metric) for metric in (ERROR, COVERAGE))
    known = ["nodes", "seed", "checkpoints"]
    names = {"first": "first_coverage", "last": "last_coverage"}
    return error.merge(coverage.rename(columns=names), on=known, how="left")


def _basis(scores: pd.DataFrame) -> str:
    nodes = ", ".join(str(n) for n in sorted(scores["nodes"].unique()))
    plural = "s" if len(scores) > 1 else ""
    checkpoints = int(scores["checkpoints"].sum())
    return f"{len(scores)} run{plural}, {checkpoints} checkpoints; nodes {nodes}"
