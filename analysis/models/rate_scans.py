"""What a scan of learning rates says about the best rate at each node count. Pure.

At one node count the score of a run is taken as a parabola in the logarithm of its rate,
score = peak - curvature * (log(rate) - log(best))^2, curvature >= 0, with equal noise at every
node count. Its vertex is the best rate. The parabola is fitted near the highest mean score and not
to runs that failed to learn, so it describes the top of the curve and not its cliffs. A curve that
is steeper on one side moves every vertex alike, which leaves the growth with the nodes as it is.

The highest score alone is a poor estimate: where scores differ by no more than their noise it is a
random rate of the grid. If the grid moves with the nodes, as base * n does, the highest scores then
move with it, whatever the truth (`grid_exponent`). So a scan takes one absolute grid of rates for
all node counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.runs.grouping import groups

NOT_LEARNED: Final = 0.02
"""Scores (F1) below it are of runs that diverged or never began to learn."""

REACH: Final = 8.0
"""The parabola covers rates up to this factor below and above the one of the highest mean."""

LEAST_RATES: Final = 3
INSIDE: Final = "inside the grid"
AT_LOWEST: Final = "censored: at most the lowest rate tried"
AT_HIGHEST: Final = "censored: at least the highest rate tried"
BEFORE_FAILURE: Final = "between the last rate that learns and the next, which does not"
FLAT: Final = "not seen: scores differ by no more than their noise"

# Smallest variance of a score: exact data have none, and the likelihood no bound.
_LEAST_VARIANCE = 1e-12
# A vertex is looked for up to this far beyond the rates tried, in log(rate).
_BEYOND = np.log(1e3)
_STEPS = 2001


@dataclass(frozen=True)
class RateScan:
    """The runs at one node count that the parabola is fitted to.

    Attributes:
        nodes: the node count.
        log_rates: (r,) log(rate) of every run, at least `LEAST_RATES` different ones.
        scores: (r,) their scores.
        tried: lowest and highest log(rate) tried, runs that did not learn included.
        walls: log(rate) of the nearest rates below and above that did not learn; -inf, inf where
            there are none. The best rate lies between them.
        wall_squares: squares that a best rate outside the walls adds: of what the runs there
            scored short of the highest mean.
    """

    nodes: int
    log_rates: np.ndarray
    scores: np.ndarray
    tried: tuple[float, float]
    walls: tuple[float, float]
    wall_squares: float

    def squares(self, log_best: np.ndarray | float) -> np.ndarray:
        """Residual sum of squares of the likeliest parabola with its vertex at `log_best` (v,)."""
        # The regressor (x - v)^2 is x^2 - 2 v x but for a constant: five moments say it all.
        vertex = np.asarray(log_best, dtype=float)
        place, slope, bend, linear, cross, square, total = self._moments
        away = vertex - place
        downward = np.minimum(bend - 2 * away * slope, 0.0)
        spread = square - 4 * away * cross + 4 * away**2 * linear
        explained = np.divide(downward**2, spread, out=np.zeros_like(spread), where=spread > 0)
        outside = (vertex <= self.walls[0]) | (vertex >= self.walls[1])
        return np.maximum(total - explained, 0.0) + outside * self.wall_squares

    @cached_property
    def _moments(self) -> tuple[float, ...]:
        """Mean x, then sums of x y, x^2 y, x x, x x^2, x^2 x^2 and y y, each less its mean."""
        x = self.log_rates - self.log_rates.mean()
        bent = x**2 - np.mean(x**2)
        y = self.scores - self.scores.mean()
        sums = (x @ y, bent @ y, x @ x, x @ bent, bent @ bent, y @ y)
        return float(self.log_rates.mean()), *(float(one) for one in sums)

    def candidates(self) -> np.ndarray:
        """Values of log(best rate) to look through, evenly spaced far beyond the rates tried."""
        return np.linspace(self.tried[0] - _BEYOND, self.tried[1] + _BEYOND, _STEPS)

    def vertex(self) -> float:
        """The likeliest log(best rate); anywhere beyond the rates tried where it lies there."""
        grid = self.candidates()
        center = int(np.argmin(self.squares(grid)))
        fine = np.linspace(grid[max(center - 1, 0)], grid[min(center + 1, _STEPS - 1)], 401)
        return float(fine[np.argmin(self.squares(fine))])

    def inside(self) -> bool:
        """Whether the vertex lies between rates that the parabola is fitted to."""
        return bool(self.log_rates.min() <= self.vertex() <= self.log_rates.max())


@dataclass(frozen=True)
class RateScans:
    """Scans at several node counts, as observations that a law of the best rate is fitted to.

    Attributes:
        scans: one per node count, ordered by it.
    """

    scans: tuple[RateScan, ...]

    @property
    def nodes(self) -> np.ndarray:
        """(n,) node counts."""
        return np.array([scan.nodes for scan in self.scans], dtype=float)

    @property
    def count(self) -> int:
        """Runs."""
        return sum(scan.scores.size for scan in self.scans)

    @property
    def nuisance(self) -> int:
        """Parameters besides those of a law: peak and curvature at each node count."""
        return 2 * len(self.scans)

    def log_best(self) -> np.ndarray:
        """(n,) log(best rate); NaN where it is censored or not seen."""
        table = best_rates_of(self)
        return np.log(table["rate"].where(table["status"] == INSIDE).to_numpy(float))

    def span(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) lowest and highest log(rate) tried at each node count."""
        low, high = np.array([scan.tried for scan in self.scans]).T
        return low, high

    def keep(self, chosen: np.ndarray) -> RateScans:
        """The scans where `chosen` (n,) is true."""
        return RateScans(tuple(s for s, kept in zip(self.scans, chosen, strict=True) if kept))

    def misfit(self, log_rates: np.ndarray) -> np.ndarray:
        """-2 log likelihood, less a constant, of best rates (..., n) at the node counts: (...)."""
        parts = [scan.squares(log_rates[..., i]) for i, scan in enumerate(self.scans)]
        return self.count * np.log(np.maximum(sum(parts) / self.count, _LEAST_VARIANCE))

    def noise(self) -> tuple[float, int]:
        """Standard deviation of a score around the parabolas, and its degrees of freedom.

        NaN without freedom.
        """
        freedom = self.count - 3 * len(self.scans)
        squares = sum(float(scan.squares(scan.vertex())) for scan in self.scans)
        return (float(np.sqrt(squares / freedom)) if freedom > 0 else np.nan), freedom


def rate_scans(scan: pd.DataFrame, reach: float = REACH, failed: float = NOT_LEARNED) -> RateScans:
    """Scans at the node counts where `LEAST_RATES` neighboring rates learned.

    Args:
        scan: columns nodes, lr_peak (> 0) and score, one row per run; missing scores are dropped.
        reach: the parabola covers rates up to this factor from the one of the highest mean.
        failed: a rate with a run that scored less is left out, as are the rates beyond it.

    Raises:
        ValueError: a rate that has no logarithm.
    """
    rows = scan.dropna(subset=["score"])
    if not (rows["lr_peak"] > 0).all():
        wrong = rows.loc[~(rows["lr_peak"] > 0), "lr_peak"].iloc[0]
        raise ValueError(f"learning rates must be positive, not {wrong:g}")
    # Rates that differ by less than a millionth are one rate, written differently.
    rows = rows.assign(lr_peak=rows["lr_peak"].map(lambda rate: float(f"{rate:.5e}")))
    scans = [_scan_at(n, part, reach, failed) for n, part in groups(rows, "nodes")]
    return RateScans(tuple(one for one in scans if one is not None))


def _scan_at(nodes: int, rows: pd.DataFrame, reach: float, failed: float) -> RateScan | None:
    """The runs around the highest mean score, up to rates that fail; None with too few rates."""
    per_rate = rows.groupby("lr_peak")["score"].agg(["mean", "min"])
    logs = np.log(per_rate.index.to_numpy(float))
    learned = per_rate["min"].to_numpy() >= failed
    if not learned.any():
        return None
    means = per_rate["mean"].where(learned, -np.inf).to_numpy()
    top = int(np.argmax(means))
    below, above = _failures(learned, top)
    block = np.arange(below + 1, above)
    near = block[np.abs(logs[block] - logs[top]) <= np.log(reach) * (1 + 1e-9)]
    if near.size < LEAST_RATES:
        near = np.sort(block[np.argsort(np.abs(block - top), kind="stable")][:LEAST_RATES])
    if near.size < LEAST_RATES:
        return None
    walls = [i for i in (below, above) if 0 <= i < logs.size]
    at_walls = rows["lr_peak"].isin(per_rate.index[walls])
    chosen = rows["lr_peak"].isin(per_rate.index[near])
    return RateScan(
        nodes=int(nodes),
        log_rates=np.log(rows.loc[chosen, "lr_peak"].to_numpy(float)),
        scores=rows.loc[chosen, "score"].to_numpy(float),
        tried=(float(logs[0]), float(logs[-1])),
        walls=(
            float(logs[below]) if below >= 0 else -np.inf,
            float(logs[above]) if above < logs.size else np.inf,
        ),
        wall_squares=float(np.sum((means[top] - rows.loc[at_walls, "score"]) ** 2)),
    )


def _failures(learned: np.ndarray, top: int) -> tuple[int, int]:
    """Indices of the nearest rates below and above `top` that did not learn; -1, size if none."""
    below = np.flatnonzero(~learned[:top])
    above = np.flatnonzero(~learned[top:])
    return (int(below[-1]) if below.size else -1), (
        top + int(above[0]) if above.size else learned.size
    )


def best_rates_of(scans: RateScans, level: float = 0.95) -> pd.DataFrame:
    """Best rate per node count, and in words where it is not known.

    Returns:
        nodes, rate (the vertex; the end of the grid where censored there; NaN where not seen),
        low, high (profile likelihood bounds; NaN without degrees of freedom, 0 and inf where there
        is no bound within the rates tried), status.
    """
    noise, freedom = scans.noise() if scans.scans else (np.nan, 0)
    rows = [_best_rate(scan, noise, freedom, level) for scan in scans.scans]
    return pd.DataFrame(rows, columns=["nodes", "rate", "low", "high", "status"])


def _best_rate(
    scan: RateScan, noise: float, freedom: int, level: float
) -> tuple[int, float, float, float, str]:
    vertex = scan.vertex()
    score = scan.scores - scan.scores.mean()
    gained = float(score @ score - scan.squares(vertex))
    # F test of the parabola against a constant; without freedom only exact equality is flat.
    limit = 2 * noise**2 * stats.f.ppf(level, 2, freedom) if freedom > 0 else 0.0
    if gained <= max(limit, _LEAST_VARIANCE):
        return scan.nodes, np.nan, 0.0, np.inf, FLAT
    low, high = _bounds(scan, vertex, noise, freedom, level)
    if scan.inside():
        return scan.nodes, float(np.exp(vertex)), low, high, INSIDE
    lowest, highest = scan.log_rates.min(), scan.log_rates.max()
    end, wall = (lowest, scan.walls[0]) if vertex < lowest else (highest, scan.walls[1])
    if np.isfinite(wall):
        return scan.nodes, float(np.exp((end + wall) / 2)), low, high, BEFORE_FAILURE
    status = AT_LOWEST if vertex < lowest else AT_HIGHEST
    return scan.nodes, float(np.exp(end)), low, high, status


def _bounds(
    scan: RateScan, vertex: float, noise: float, freedom: int, level: float
) -> tuple[float, float]:
    """Vertices whose squares exceed the least by no more than t^2 of the noise variance."""
    if freedom <= 0:
        return np.nan, np.nan
    fine = np.linspace(scan.tried[0] - 0.01, scan.tried[1] + 0.01, _STEPS)
    allowed = noise**2 * stats.t.ppf((1 + level) / 2, freedom) ** 2
    kept = fine[scan.squares(fine) - scan.squares(vertex) <= max(allowed, _LEAST_VARIANCE)]
    if not kept.size:
        beyond = vertex < scan.tried[0]
        return (0.0, float(np.exp(fine[0]))) if beyond else (float(np.exp(fine[-1])), np.inf)
    low, high = kept.min(), kept.max()
    return (
        0.0 if low == fine[0] else float(np.exp(low)),
        np.inf if high == fine[-1] else float(np.exp(high)),
    )


def grid_exponent(nodes: Sequence[int] | np.ndarray, rates: Sequence[float] | np.ndarray) -> float:
    """How the rates tried grow with the nodes: slope of log(geometric mean rate).

    0 is one absolute grid, 1 a grid of base * n. Best rates picked from noise grow the same way.

    Args:
        nodes: (n,) of every run; one node count alone has slope 0.
        rates: (n,) learning rates, > 0.
    """
    table = pd.DataFrame({"nodes": nodes, "log_rate": np.log(np.asarray(rates, dtype=float))})
    centers = table.drop_duplicates().groupby("nodes")["log_rate"].mean()
    if len(centers) < 2:
        return 0.0
    return float(np.polyfit(np.log(centers.index.to_numpy(float)), centers.to_numpy(), 1)[0])
