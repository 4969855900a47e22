"""Claims about how well trained networks segment, from scored checkpoints. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.scored_runs import Studies, ended
from analysis.claims.seed_intervals import seed_interval
from analysis.claims.verdict import MEASURED, UNDECIDED, UNKNOWN, Verdict, decide
from analysis.stats.intervals import Interval

METRIC: Final = "segmentation/are"
MARGIN: Final = 0.05
"""An adapted Rand error this much higher still counts as segmenting as well."""

_HINT = f"`{METRIC}` is recorded by experiments.segment_checkpoints"


def segmentation_verdicts(studies: Studies) -> list[Verdict]:
    """Errors fall along training; networks trained on many nodes segment as well."""
    scores = error_table(studies)
    return [_falls(scores), _as_well(scores)]


def error_table(studies: Studies) -> pd.DataFrame:
    """Adapted Rand error of every run whose checkpoints were segmented.

    Returns:
        experiment, nodes, seed, checkpoints, first and last (mean over the first and last third of
        its checkpoints, of those that all runs at its node count have).
    """
    rows = []
    for name, runs in studies.items():
        kept = ended(runs)
        if kept.table.empty:
            continue
        errors = in_common(kept.metric(METRIC))
        for _, curve in errors.groupby("run_id"):
            values = curve["value"].to_numpy(dtype=float)
            third = max(len(values) // 3, 1)
            rows.append(
                {
                    "experiment": name,
                    "nodes": int(curve["nodes"].iloc[0]),
                    "seed": int(curve["seed"].iloc[0]),
                    "checkpoints": len(values),
                    "first": float(values[:third].mean()),
                    "last": float(values[-third:].mean()),
                }
            )
    columns = ["experiment", "nodes", "seed", "checkpoints", "first", "last"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], ignore_index=True)


def in_common(errors: pd.DataFrame) -> pd.DataFrame:
    """Those of checkpoints that all runs at a node count have; an interrupted run has one more."""
    if errors.empty:
        return errors
    runs = errors.groupby("nodes")["run_id"].transform("nunique")
    have = errors.groupby(["nodes", "fovs"])["run_id"].transform("nunique")
    return errors[have == runs]


def _falls(scores: pd.DataFrame) -> Verdict:
    key, claim = "segmentation_improves", "Segmentation improves along training"
    measure = "adapted Rand error over the first third of the checkpoints minus over the last"
    rule = f"supported: interval above 0; not supported: interval below {MARGIN}"
    several = scores[scores["checkpoints"] >= 3]
    if several.empty:
        reason = f"no run has three segmented checkpoints: {_HINT}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, scores)
    effect = seed_interval((several["first"] - several["last"]).to_numpy())
    verdict = decide(effect, supported_above=0.0, refuted_below=MARGIN)
    return Verdict(key, claim, verdict, effect, measure, rule, MEASURED, _basis(several), scores)


def _as_well(scores: pd.DataFrame) -> Verdict:
    key = "segmentation_at_scale"
    claim = "Networks trained on many nodes segment as well as those trained on few"
    rule = f"supported: interval above -{MARGIN}; not supported: interval below -{MARGIN}"
    measure = "adapted Rand error at the fewest nodes minus at the most"
    if scores["nodes"].nunique() < 2:
        reason = f"it takes segmented checkpoints at two node counts: {_HINT}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, scores)
    few, many = scores["nodes"].min(), scores["nodes"].max()
    by_seed = scores.pivot_table(index="seed", columns="nodes", values="last")
    gap = (by_seed[few] - by_seed[many]).dropna().to_numpy()
    effect = seed_interval(gap) if gap.size else Interval(np.nan, np.nan, np.nan, 0)
    verdict = decide(effect, supported_above=-MARGIN, refuted_below=-MARGIN)
    full = f"{measure} ({few} and {many}), last third of the checkpoints"
    return Verdict(key, claim, verdict, effect, full, rule, MEASURED, _basis(scores), scores)


def _basis(scores: pd.DataFrame) -> str:
    nodes = ", ".join(str(n) for n in sorted(scores["nodes"].unique()))
    plural = "s" if len(scores) > 1 else ""
    checkpoints = int(scores["checkpoints"].sum())
    return f"{len(scores)} run{plural}, {checkpoints} checkpoints; nodes {nodes}"
