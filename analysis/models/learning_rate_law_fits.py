"""Fits laws of the best learning rate, with intervals, AICc and held-out errors. Pure.

Every fit is one of maximum likelihood with a common normal error, of log(rate) or of the score, so
that it is least squares where no best rate is censored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.models.learning_rate_laws import LAWS, Law, Observations
from analysis.models.model_average import akaike_weights

COLUMNS = (
    "law",
    "parameters",
    "base",
    "shape",
    "aicc",
    "delta_aicc",
    "weight",
    "left_out_error",
    "left_out",
)

# Rates of one node looked through: over everything, and then ever closer around the best.
_ROUNDS = (41, 21, 21, 21, 21, 21)
# The best rate of one node is looked for up to this far outside what was tried, in log(rate).
_MARGIN = np.log(30.0)
_BETWEEN = 41


@dataclass(frozen=True)
class LawFit:
    """A law fitted to observations.

    Attributes:
        law: what was fitted.
        base: b, the fitted best rate of one node.
        shape: the fitted shape; 1 where the law has none.
        misfit: -2 log likelihood, less a constant common to all laws.
        aicc: Akaike's criterion corrected for few observations (Hurvich and Tsai 1989); inf where
            there are too few.
        freedom: observations less all parameters.
        observations: what it was fitted to.
        profile: (s,) misfit at `law.shapes()`, each with the likeliest rate of one node.
    """

    law: Law
    base: float
    shape: float
    misfit: float
    aicc: float
    freedom: int
    observations: Observations
    profile: np.ndarray

    def rate(self, nodes: np.ndarray | float) -> np.ndarray:
        """Best learning rate at (n,) node counts."""
        return self.base * self.law.gain(np.asarray(nodes, dtype=float), self.shape)

    def shape_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Profile-likelihood bounds of the shape; (nan, nan) without a shape or freedom.

        Where a law is linear in its parameters and nothing is censored that is the t interval. A
        bound is -inf, 0 or inf where every value on that side of those looked through agrees.
        """
        if not self.law.shape or self.freedom <= 0:
            return np.nan, np.nan
        quantile = stats.t.ppf((1 + level) / 2, self.freedom)
        allowed = self.observations.count * np.log1p(quantile**2 / self.freedom)
        grid = self.law.shapes()
        outside = np.flatnonzero(self.profile - self.misfit > allowed)
        below, above = outside[grid[outside] < self.shape], outside[grid[outside] > self.shape]
        nothing = 0.0 if self.law.logarithmic else -np.inf
        low = self._crossing(grid[below[-1]], allowed) if below.size else nothing
        high = self._crossing(grid[above[0]], allowed) if above.size else np.inf
        return low, high

    def _crossing(self, beyond: float, allowed: float) -> float:
        """Shape between the fitted one and `beyond` whose misfit is `allowed` above the least."""
        inside, outside = self.shape, beyond
        for _ in range(3):
            tried = np.linspace(inside, outside, _BETWEEN)
            excess = _profile(self.law, tried, self.observations)[1] - self.misfit - allowed
            # The last is over, but for rounding.
            over = int(np.argmax(np.append(excess[1:-1], np.inf) > 0)) + 1
            inside, outside = tried[over - 1], tried[over]
        return float((inside + outside) / 2)

    def words(self, level: float = 0.95) -> str:
        """The parameters with the interval of the shape, as text."""
        base = f"{self.base:.2g} at 1 node"
        if not self.law.shape:
            return base
        value = f"{self.law.shape} {self.shape:.3g}"
        if self.law.logarithmic:
            lowest, highest = self.law.bounds
            value += " nodes"
            if self.shape > highest / 1.1:
                value = f"{self.law.shape} far above all node counts"
            elif self.shape < 1.1 * lowest:
                value = f"{self.law.shape} far below 1 node"
        return f"{value} ({_interval_words(*self.shape_interval(level), level)}), {base}"


def _interval_words(low: float, high: float, level: float) -> str:
    if np.isnan(low):
        return "too few observations for an interval"
    at_least, at_most = np.isfinite(low) and low != 0, np.isfinite(high)
    if at_least and at_most:
        return f"{100 * level:g} % interval {low:.3g} to {high:.3g}"
    if at_least or at_most:
        bound = f"at least {low:.3g}" if at_least else f"at most {high:.3g}"
        return f"{100 * level:g} % interval: {bound}"
    return "no bound on either side"


def fit_law(law: Law, observations: Observations) -> LawFit:
    """Fit one law by maximum likelihood.

    Raises:
        ValueError: fewer node counts with a known best rate than the law has parameters.
    """
    known = np.isfinite(observations.log_best())
    counts = np.unique(observations.nodes[known]).size
    if counts < law.parameters:
        raise ValueError(
            f"{law.name} takes {law.parameters} node count{'s' if law.parameters > 1 else ''} "
            f"with a best rate inside the grid, not {counts}"
        )
    grid = law.shapes()
    log_bases, misfits = _profile(law, grid, observations)
    profile = misfits
    for _ in range(3):
        at = int(np.argmin(misfits))
        grid = np.linspace(grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)], grid.size)
        log_bases, misfits = _profile(law, grid, observations)
    at = int(np.argmin(misfits))
    shape, log_base, misfit = float(grid[at]), float(log_bases[at]), float(misfits[at])
    parameters = law.parameters + observations.nuisance
    return LawFit(
        law=law,
        base=float(np.exp(log_base)),
        shape=shape,
        misfit=misfit,
        aicc=_aicc(misfit, observations.count, parameters + 1),
        freedom=observations.count - parameters,
        observations=observations,
        profile=profile,
    )


def _profile(
    law: Law, shapes: np.ndarray, observations: Observations
) -> tuple[np.ndarray, np.ndarray]:
    """Likeliest log(b) at each of (s,) shapes, and the misfit there."""
    gains = np.log(np.stack([law.gain(observations.nodes, float(shape)) for shape in shapes]))
    low, high = observations.span()
    start, end = (low - gains).min(axis=1) - _MARGIN, (high - gains).max(axis=1) + _MARGIN
    rows = np.arange(len(shapes))
    # Rounds, because the likelihood may have several maxima, and steps.
    for count in _ROUNDS:
        grid = np.linspace(start, end, count, axis=1)
        misfit = observations.misfit(grid[..., None] + gains[:, None, :])
        at = misfit.argmin(axis=1)
        start, end = grid[rows, np.maximum(at - 2, 0)], grid[rows, np.minimum(at + 2, count - 1)]
    return grid[rows, at], misfit[rows, at]


def _aicc(misfit: float, count: int, parameters: int) -> float:
    """AICc; `parameters` counts the noise as one."""
    if count - parameters - 1 <= 0:
        return np.inf
    return misfit + 2 * parameters + 2 * parameters * (parameters + 1) / (count - parameters - 1)


def compare_laws(observations: Observations, laws: Sequence[Law] = LAWS) -> pd.DataFrame:
    """Fit every law and rank them by AICc, with their errors at node counts left out.

    Returns:
        Ordered by aicc: law, parameters (text, with the interval of the shape), base, shape (NaN
        where the law has none), aicc, delta_aicc, weight (Akaike), left_out_error (relative error
        of the best rate at the largest node count, predicted from all smaller ones; > 0 is too
        high), left_out (the same in words). A law that cannot be fitted is last, with the reason in
        place of its parameters.
    """
    rows: list[dict[str, object]] = []
    for law in laws:
        try:
            fit = fit_law(law, observations)
        except ValueError as reason:
            rows.append({"law": law.name, "parameters": f"not fitted: {reason}"})
            continue
        error, words = leave_largest_out(law, observations)
        rows.append(
            {
                "law": law.name,
                "parameters": fit.words(),
                "base": fit.base,
                "shape": fit.shape if law.shape else np.nan,
                "aicc": fit.aicc,
                "left_out_error": error,
                "left_out": words,
            }
        )
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    # Without observations enough for AICc (inf) no law is better than another.
    finite = np.isfinite(table["aicc"].to_numpy(float))
    if finite.any():
        known = table.loc[finite, "aicc"].to_numpy(float)
        table.loc[finite, "delta_aicc"] = known - known.min()
        table.loc[finite, "weight"] = akaike_weights(known)
    return table.sort_values("aicc", ignore_index=True, kind="stable", na_position="last")


def leave_largest_out(law: Law, observations: Observations) -> tuple[float, str]:
    """Relative error of the best rate at the largest node count, predicted from all smaller ones.

    Returns:
        The error, > 0 where the law says too much, and the same in words; NaN with the reason where
        the smaller ones do not fix the law or the best rate of the largest is not known.
    """
    largest = observations.nodes.max()
    rest = observations.nodes < largest
    try:
        fit = fit_law(law, observations.keep(rest))
    except ValueError as reason:
        return np.nan, f"not known: {reason}"
    predicted = float(fit.rate(largest))
    known = observations.log_best()[~rest]
    known = known[np.isfinite(known)]
    if not known.size:
        why = "the best there is at the edge of its grid or not seen"
        return np.nan, f"{predicted:.2g} predicted at {largest:g} nodes; {why}"
    best = float(np.exp(known.mean()))
    error = predicted / best - 1
    return error, f"{100 * error:+.0f} % at {largest:g} nodes"
