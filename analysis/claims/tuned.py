"""How the pilot sets base rates, by a quadratic in log(rate), and the target score. Pure.

The pilot may set these numbers and nothing else; conf/tuned/study.yaml holds them.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

LEAST_RATES: Final = 3
_STEP: Final = 0.01


def vertex(rates: np.ndarray, scores: np.ndarray) -> float | None:
    """The best rate: vertex of the least-squares quadratic of score in log(rate).

    Args:
        rates: (n,) > 0, repeats allowed.
        scores: (n,) of the runs that survived.

    Returns:
        None with fewer than three rates, without a maximum, or where it lies outside the rates.
    """
    if np.unique(rates).size < LEAST_RATES:
        return None
    logs = np.log(np.asarray(rates, dtype=float))
    curvature, slope, _ = np.polyfit(logs, np.asarray(scores, dtype=float), 2)
    if curvature >= 0:
        return None
    best = -slope / (2 * curvature)
    return float(math.exp(best)) if logs.min() <= best <= logs.max() else None


def best_rate(points: pd.DataFrame) -> float | None:
    """The best rate of one node count, from the best grid rate and up to two to either side.

    A quadratic fits near a maximum only, and dead runs have no place on it.

    Args:
        points: columns lr_peak, score and dead.
    """
    living = points[~points["dead"]]
    if living.empty:
        return None
    means = living.groupby("lr_peak")["score"].mean()
    place = int(means.to_numpy().argmax())
    near = means.index[max(place - 2, 0) : place + 3]
    rows = living[living["lr_peak"].isin(near)]
    return vertex(rows["lr_peak"].to_numpy(dtype=float), rows["score"].to_numpy(dtype=float))


def grid_best(points: pd.DataFrame) -> float | None:
    """The rate of the grid with the highest mean score of runs that survived; None if none did."""
    living = points[~points["dead"]]
    if living.empty:
        return None
    means = living.groupby("lr_peak")["score"].mean()
    return float(means.index[int(means.to_numpy().argmax())])


def best_rates(points: pd.DataFrame, by: str = "nodes") -> pd.DataFrame:
    """Best rate for each value of a column: that column, lr_peak (NaN: at an edge), rates, runs."""
    rows = [
        {
            by: value,
            "lr_peak": math.nan if (rate := best_rate(group)) is None else rate,
            "rates": group["lr_peak"].nunique(),
            "runs": len(group),
        }
        for value, group in points.groupby(by)
    ]
    return pd.DataFrame(rows, columns=[by, "lr_peak", "rates", "runs"])


def target(scores: pd.Series, baseline: float) -> float | None:
    """The highest multiple of 0.01 that every run has; None unless it is above the baseline.

    Args:
        scores: of pilot runs at the best grid rate of each node count, half way through.
        baseline: F1 of calling every voxel object.
    """
    if scores.empty:
        return None
    reached = round(math.floor(round(float(scores.min()) / _STEP, 6)) * _STEP, 2)
    return reached if reached > baseline else None
