"""How the pilot sets base rates and the target score. Pure.

The pilot may set these numbers and nothing else; conf/tuned/study.yaml holds them.
"""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from analysis.models.rate_scans import (
    BEFORE_FAILURE,
    FLAT,
    INSIDE,
    best_rates_of,
    rate_scans,
)

TOO_FEW: Final = "fewer than three neighboring rates learn"
_STEP: Final = 0.01


def grid_best(points: pd.DataFrame) -> float | None:
    """The rate of the grid with the highest mean score of runs that survived; None if none did."""
    living = points[~points["dead"]]
    if living.empty:
        return None
    means = living.groupby("lr_peak")["score"].mean()
    return float(means.index[int(means.to_numpy().argmax())])


def best_rates(points: pd.DataFrame) -> pd.DataFrame:
    """Best rate at each node count, as `analysis.models.rate_scans` estimates it.

    Args:
        points: of one optimizer; columns nodes, lr_peak, score and dead.

    Returns:
        nodes; lr_peak, the vertex, or the middle between the last rate that learns and the next
        (NaN where the best rate lies at an end of the grid, or fewer than three rates learn);
        status, in words; rates and runs tried.
    """
    scans = rate_scans(points.assign(score=points["score"].mask(points["dead"], 0.0)))
    known = best_rates_of(scans)
    rate = known["rate"].where(known["status"].isin([INSIDE, BEFORE_FAILURE]))
    # Noise may hide a maximum, yet its likeliest place is the best there is to say.
    vertices = [math.exp(scan.vertex()) if scan.inside() else math.nan for scan in scans.scans]
    rate = rate.mask(known["status"] == FLAT, pd.Series(vertices, dtype=float))
    found = known[["nodes", "status"]].assign(lr_peak=rate)
    tried = points.groupby("nodes")["lr_peak"].agg(rates="nunique", runs="size").reset_index()
    table = tried.merge(found, on="nodes", how="left").fillna({"status": TOO_FEW})
    return table[["nodes", "lr_peak", "status", "rates", "runs"]]


def target(half_way: pd.Series, at_all: pd.Series, baseline: float) -> float | None:
    """A score above the baseline that runs of every node count can be expected to reach.

    The highest multiple of 0.01 that every run has half way through. Where that is not above the
    baseline, the lowest multiple of 0.01 above it, provided every run has it at some time. (The
    second rule was added when the pilot had ended and before any run that needs the target.)

    Args:
        half_way: highest scores up to half the budget, of pilot runs at the best grid rate of each
            node count.
        at_all: their highest scores.
        baseline: F1 of calling every voxel object.

    Returns:
        None without runs, or where not every run passes the baseline by so much.
    """
    if half_way.empty:
        return None
    reached = round(math.floor(round(float(half_way.min()) / _STEP, 6)) * _STEP, 2)
    if reached > baseline:
        return reached
    lowest = round((math.floor(round(baseline / _STEP, 6)) + 1) * _STEP, 2)
    return lowest if float(at_all.min()) >= lowest else None
