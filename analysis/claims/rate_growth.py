"""The claim about how the best learning rate grows with the nodes, from the pilot. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.pilot import best_rates
from analysis.stats.intervals import Estimate, mean_estimate
from analysis.verdicts.scored_runs import Studies, describe, scored_points
from analysis.verdicts.verdict import Finding, no_runs

STUDY: Final = "tune_rates"
LEAST_COUNTS: Final = 3


def rate_growth(studies: Studies) -> Finding:
    """Slope of log(best rate) against log(nodes), a slope for each tuning seed."""
    points = scored_points(studies, STUDY)
    if points.empty:
        return no_runs(STUDY)
    if points["nodes"].nunique() < LEAST_COUNTS:
        counts = points["nodes"].nunique()
        reason = f"{counts} node count{'s' if counts > 1 else ''}: a slope takes {LEAST_COUNTS}"
        return Finding(Estimate(None, None, 0, 0, reason), describe(points))
    slopes = seed_slopes(points)
    effect = mean_estimate(slopes["slope"].to_numpy(dtype=float))
    best = best_rates(points)
    edges = ", ".join(str(n) for n in best.loc[best["lr_peak"].isna(), "nodes"])
    basis = describe(points)
    if edges:
        basis += f"; no best rate within those tried at nodes {edges}"
    return Finding(effect, basis, slopes)


FINDERS: Final = {"rate_growth": rate_growth}


def seed_slopes(points: pd.DataFrame) -> pd.DataFrame:
    """Per seed: slope over the node counts that have a best rate, NaN with fewer than three."""
    rows = []
    for seed, group in points.groupby("seed"):
        best = best_rates(group).dropna(subset=["lr_peak"])
        slope = np.nan
        if len(best) >= LEAST_COUNTS:
            slope = float(np.polyfit(np.log(best["nodes"]), np.log(best["lr_peak"]), 1)[0])
        rates = {
            f"best_at_{int(n)}": rate
            for n, rate in zip(best["nodes"], best["lr_peak"], strict=True)
        }
        rows.append({"seed": seed, "slope": slope, **rates})
    return pd.DataFrame(rows)
