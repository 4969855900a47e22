"""Scans of learning rates, the published and one's own, each with the laws fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from analysis.models.learning_rate_law_fits import compare_laws
from analysis.models.learning_rate_laws import Observations, rate_points
from analysis.models.rate_scans import (
    AT_HIGHEST,
    AT_LOWEST,
    INSIDE,
    best_rates_of,
    grid_exponent,
    rate_scans,
)
from analysis.reference import published
from analysis.runs.grouping import groups
from analysis.runs.recipes import recipe_columns, recipe_labels
from analysis.runs.study import NothingToDraw, Study

MOST_SCANS: Final = 2
MOVING: Final = 0.1
"""A grid whose mean rate grows faster than nodes^this, or falls so, moves with the nodes."""

# What a scan varies; everything else of the recipe is fixed within one.
_SCANNED = ("lr_rule", "lr_base", "learning_rate_power", "budget")
LEAST_RATES: Final = 3
"""Rates at a node count that show which of them is best."""
_LEAST_COUNTS = 2


@dataclass(frozen=True)
class ScannedRates:
    """One scan, its best rates and the laws they follow.

    Attributes:
        label: whose scan, and how its best rates were taken.
        tried: nodes and lr_peak of every run.
        best: as `rate_scans.best_rates_of`.
        observations: what the laws were fitted to.
        laws: as `learning_rate_law_fits.compare_laws`, with the reason where one is not fitted.
    """

    label: str
    tried: pd.DataFrame
    best: pd.DataFrame
    observations: Observations
    laws: pd.DataFrame

    def likeliest(self) -> str:
        """The law of lowest AICc with its parameters, or that none can be distinguished."""
        ranked = self._ranked()
        if ranked.empty:
            known = int(np.isfinite(self.observations.log_best()).sum())
            counts = f"{known} node count{'s' if known != 1 else ''}"
            return f"{self.label}: none, with the best rate inside the grid at {counts}"
        return f"{self.label}: {ranked['law'].iloc[0]}, {ranked['parameters'].iloc[0]}"

    def finding(self) -> str:
        """The likeliest law, how far the next one is behind, and what speaks against both."""
        ranked = self._ranked()
        parts = [self.likeliest()]
        if not ranked.empty:
            parts.append(f"{ranked['law'].iloc[1]} is {ranked['delta_aicc'].iloc[1]:.1f} behind")
        return "; ".join(parts + self._doubts())

    def _ranked(self) -> pd.DataFrame:
        """Laws that have an AICc, best first; none where there are not two to compare."""
        ranked = self.laws.dropna(subset=["delta_aicc"])
        return ranked if len(ranked) > 1 else ranked.iloc[:0]

    def _inside(self) -> pd.DataFrame:
        return self.best[self.best["status"] == INSIDE]

    def _doubts(self) -> list[str]:
        moved = grid_exponent(self.tried["nodes"].to_numpy(), self.tried["lr_peak"].to_numpy())
        doubts = []
        unknown = sorted(set(self.tried["nodes"]) - set(self._inside()["nodes"]))
        if unknown:
            listed = ", ".join(str(nodes) for nodes in unknown)
            doubts.append(f"no best rate inside the grid at nodes {listed}")
        if abs(moved) > MOVING:
            doubts.append(f"the rates tried grow as nodes^{moved:.2f} themselves")
        return doubts


def scans_of(study: Study) -> dict[str, pd.DataFrame]:
    """The largest scans among finished points: `Study.points`, by the label of their recipe.

    A scan has `LEAST_RATES` rates or more at each of two node counts, and varies nothing else.

    Raises:
        NothingToDraw: there is none.
    """
    scored = study.points.dropna(subset=["final_accuracy", "lr_peak"])
    table = study.runs.table
    fixed = [c for c in recipe_columns(table) if c not in _SCANNED]
    labels = recipe_labels(table.drop(columns=[c for c in _SCANNED if c in table]))
    scored = scored.assign(scan=scored["run_id"].map(dict(zip(table.run_id, labels, strict=True))))
    scans = {
        rows["scan"].iloc[0]: rows
        for _, rows in scored.groupby(fixed, dropna=False)
        if (rows.groupby("nodes")["lr_peak"].nunique() >= LEAST_RATES).sum() >= _LEAST_COUNTS
    }
    if not scans:
        raise NothingToDraw(
            f"a best rate takes {LEAST_RATES} learning rates at each of {_LEAST_COUNTS} node counts"
        )
    largest = sorted(scans, key=lambda name: -len(scans[name]))[:MOST_SCANS]
    return {name: scans[name] for name in largest}


def own_scans(study: Study) -> list[ScannedRates]:
    """The scans of `scans_of` with their laws, fitted to the scores of the runs themselves.

    Runs that diverged count with a score of 0: they tell how far up the rates go.
    """
    return [
        scanned(f"this study, {label}", pd.concat([_scores(rows), _failures(study, rows)]))
        for label, rows in scans_of(study).items()
    ]


def scanned(label: str, scan: pd.DataFrame) -> ScannedRates:
    """One scan with its laws.

    Args:
        label: whose it is.
        scan: columns nodes, lr_peak and score, one row per run; rates of 0 train nothing and are
            left out.
    """
    usable = scan[scan["lr_peak"] > 0]
    scans = rate_scans(usable)
    best = best_rates_of(scans)
    return ScannedRates(label, usable[["nodes", "lr_peak"]], best, scans, compare_laws(scans))


def _scores(points: pd.DataFrame) -> pd.DataFrame:
    """Points of a scan with their score: mean of the last evaluations of F1."""
    return points[["nodes", "lr_peak"]].assign(score=points["final_f1"])


def _failures(study: Study, points: pd.DataFrame) -> pd.DataFrame:
    """Runs of the scan that diverged, as of points that did not finish in another run."""
    summary = study.summary
    if "outcome" not in summary:
        return pd.DataFrame(columns=["nodes", "lr_peak", "score"])
    fixed = [c for c in recipe_columns(study.runs.table) if c not in _SCANNED]
    # A missing value equals a missing value here.
    alike = (summary[fixed].astype(str) == points[fixed].astype(str).iloc[0]).all(axis=1)
    failed = summary[alike & (summary["outcome"] == "diverged") & summary["lr_peak"].notna()]
    point = ["nodes", "lr_peak", "seed"]
    finished = pd.MultiIndex.from_frame(points[point])
    failed = failed[~pd.MultiIndex.from_frame(failed[point]).isin(finished)]
    return failed.drop_duplicates(point)[["nodes", "lr_peak"]].assign(score=0.0)


@cache
def published_scan(*, bounds: bool = False) -> ScannedRates:
    """The published scan. It has one run a rate and clipped scores: best rates are those drawn.

    Rates that tie at the top of the scale count by their geometric mean.

    Args:
        bounds: take a best rate at the end of those tried as the bound it is, and not at its face
            value.
    """
    scan = published.learning_rate_scan().rename(columns={"learning_rate": "lr_peak"})
    best = pd.DataFrame([_drawn_best(n, rows) for n, rows in groups(scan, "nodes")])
    rates = best["rate"].to_numpy()
    lowest, highest = (best["status"].to_numpy() == which for which in (AT_LOWEST, AT_HIGHEST))
    if bounds:
        rates = np.where(lowest, best["high"], np.where(highest, best["low"], rates))
    observations = rate_points(best["nodes"].to_numpy(), rates, lowest & bounds, highest & bounds)
    label = "published, ends of the grid as bounds" if bounds else "published, at face value"
    tried = scan[["nodes", "lr_peak"]]
    return ScannedRates(label, tried, best, observations, compare_laws(observations))


def _drawn_best(nodes: int, rows: pd.DataFrame) -> dict[str, object]:
    best = rows.loc[rows["best_at_node_count"] == 1, "lr_peak"]
    low, high = best.min(), best.max()
    status = INSIDE
    if low == rows["lr_peak"].min():
        status, low = AT_LOWEST, 0.0
    elif high == rows["lr_peak"].max():
        status, high = AT_HIGHEST, np.inf
    rate = float(np.exp(np.log(best).mean()))
    return {"nodes": nodes, "rate": rate, "low": low, "high": high, "status": status}


def laws_table(scans: Sequence[ScannedRates]) -> pd.DataFrame:
    """Every law of every scan: source and the columns of `compare_laws`."""
    return pd.concat([one.laws.assign(source=one.label) for one in scans], ignore_index=True)[
        ["source", *scans[0].laws.columns]
    ]


def best_table(scans: Sequence[ScannedRates]) -> pd.DataFrame:
    """Best rate of every scan and node count: source and the columns of `best_rates_of`."""
    filled = [one.best.assign(source=one.label) for one in scans if not one.best.empty]
    return pd.concat(filled, ignore_index=True)[["source", *scans[0].best.columns]]
