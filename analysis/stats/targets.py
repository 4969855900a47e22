"""When a run first reaches a target score, in FOVs, seconds and optimizer steps. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize

from analysis.runs.runs import Runs
from analysis.stats.intervals import mean_interval

_UNKNOWN = (math.nan, math.nan)


def first_reached(x: np.ndarray, score: np.ndarray, target: float, window: int = 1) -> float:
    """Where a score first reaches a target, or NaN where it never does.

    The score is smoothed by the mean of each evaluation and the `window` - 1 before it, so that
    one lucky evaluation does not count; the crossing is interpolated linearly between the two
    smoothed values around it. A score at the target from its first value on is reached there.

    Args:
        x: (n,) increasing: FOVs, seconds or steps of the evaluations.
        score: (n,) at x; undefined scores (NaN) are skipped.
        target: reached when the smoothed score is at least this.
        window: evaluations averaged, >= 1; the first window - 1 values have no smoothed score.
    """
    defined = np.isfinite(score)
    x, score = np.asarray(x, dtype=float)[defined], np.asarray(score, dtype=float)[defined]
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
    if len(score) < window:
        return math.nan
    smoothed = np.convolve(score, np.full(window, 1 / window), mode="valid")
    x = x[window - 1 :]
    # A smoothed score equal to the target up to rounding has reached it.
    reached = np.flatnonzero(smoothed >= target - 1e-12)
    if reached.size == 0:
        return math.nan
    index = int(reached[0])
    if index == 0:
        return float(x[0])
    share = (target - smoothed[index - 1]) / (smoothed[index] - smoothed[index - 1])
    return float(x[index - 1] + share * (x[index] - x[index - 1]))


def monotone(score: np.ndarray) -> np.ndarray:
    """The nondecreasing curve nearest to single evaluations (isotonic least squares, Barlow 1972).

    The first noisy evaluation above a target comes too early, and the earlier the more evaluations
    there are, which flatters large batches; a mean over a window comes too late. This curve errs to
    neither side (`analysis.models.simulated_targets`). A run that dies after the target pulls it
    down again, and counts as not having reached it. Undefined scores (NaN) stay.
    """
    result = np.asarray(score, dtype=float).copy()
    defined = np.isfinite(result)
    if defined.any():
        result[defined] = optimize.isotonic_regression(result[defined]).x
    return result


def bracket(x: np.ndarray, score: np.ndarray, target: float) -> tuple[float, float]:
    """The two evaluations between which a score first reaches a target.

    Args:
        x: (n,) increasing and above 0: FOVs or steps of the evaluations.
        score: (n,) at x, single evaluations; undefined scores (NaN) are skipped.
        target: reached when a score is at least this.

    Returns:
        After which and by which: (0, first) where the first evaluation is there already, (last,
        inf) where none is, (0, inf) without a defined score.
    """
    defined = np.isfinite(score)
    x, score = np.asarray(x, dtype=float)[defined], np.asarray(score, dtype=float)[defined]
    reached = np.flatnonzero(score >= target - 1e-12)
    known = np.concatenate([[0.0], x, [math.inf]])
    index = int(reached[0]) if reached.size else len(x)
    return float(known[index]), float(known[index + 1])


def highest(score: np.ndarray) -> float:
    """The highest value of the `monotone` curve: the highest target it reaches; NaN for none."""
    defined = np.asarray(score, dtype=float)[np.isfinite(score)]
    return float(monotone(defined).max()) if defined.size else math.nan


def targets_table(
    runs: Runs,
    metric: str,
    targets: Sequence[float],
    window: int = 1,
    *,
    rising: bool = False,
) -> pd.DataFrame:
    """FOVs, wall time and optimizer steps to each target, for every run with the metric.

    Args:
        runs: with their histories.
        metric: the score.
        targets: values of it.
        window: evaluations averaged, see `first_reached`.
        rising: whether the score is first replaced by its `monotone` curve.

    Returns:
        One row per run and target: run_id, target, fovs, elapsed_s, optimizer_step, NaN where the
        target was not reached (or the time not recorded); after_steps and by_steps, steps of the
        two evaluations around the first that reaches it (see `bracket`; NaN with a window above
        1); and fovs_done and steps_done, FOVs and optimizer steps by the last evaluation. Steps not
        recorded follow from FOVs / (nodes * local batch size).
    """
    rows = []
    batch = runs.table.set_index("run_id")["global_batch_size"]
    scores = runs.history_of(metric)
    run, run_ids = pd.factorize(scores["run_id"], sort=True)
    order = np.lexsort((scores["fovs"], run))
    starts = np.flatnonzero(np.diff(run[order])) + 1
    columns = ("fovs", "elapsed_s", "optimizer_step", "value")
    parts = (np.split(scores[c].to_numpy(float)[order], starts) for c in columns)
    curves = zip(*parts, strict=True) if len(scores) else ()
    for run_id, (fovs, elapsed_s, steps, score) in zip(run_ids, curves, strict=True):
        steps = np.where(np.isnan(steps), fovs / batch[run_id], steps)
        score = monotone(score) if rising else score
        for target in targets:
            at = first_reached(fovs, score, target, window)
            # Smoothed scores have no bracket: they lag.
            after, by = bracket(steps, score, target) if window == 1 else _UNKNOWN
            rows.append(
                {
                    "run_id": run_id,
                    "target": target,
                    "fovs": at,
                    "elapsed_s": _at(at, fovs, elapsed_s),
                    "optimizer_step": _at(at, fovs, steps),
                    "after_steps": after,
                    "by_steps": by,
                    "fovs_done": fovs[-1],
                    "steps_done": float(steps[-1]),
                }
            )
    reached = ["run_id", "target", "fovs", "elapsed_s", "optimizer_step"]
    bounds = ["after_steps", "by_steps", "fovs_done", "steps_done"]
    return pd.DataFrame(rows, columns=[*reached, *bounds])


def _at(fovs: float, known_fovs: np.ndarray, values: np.ndarray) -> float:
    """Value at a number of FOVs between evaluations; NaN where none is known there."""
    return float(np.interp(fovs, known_fovs, values)) if math.isfinite(fovs) else math.nan


_COSTS = ("fovs", "elapsed_s", "optimizer_step")


def tradeoff_table(reached: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Cost to each target per node count: the geometric mean over repeats, which differ by factors.

    Args:
        reached: columns nodes, target, fovs, elapsed_s, optimizer_step; one row per run and
            target, NaN where not reached.
        level: coverage of the intervals: Student t of the logarithms.

    Returns:
        One row per target and nodes: repeats, reached (how many), and for each cost its mean and
        `_low`, `_high`. All NaN where a repeat did not reach the target, as its cost is not known;
        the bounds also where there is one repeat.
    """
    rows = []
    for (target, nodes), group in reached.groupby(["target", "nodes"]):
        row: dict[str, object] = {
            "target": target,
            "nodes": nodes,
            "repeats": len(group),
            "reached": int(group["fovs"].notna().sum()),
        }
        for cost in _COSTS:
            values = group[cost].to_numpy(dtype=float)
            known = values if np.isfinite(values).all() else values[:0]
            mean = mean_interval(np.log(known), level)
            bounds = np.exp([mean.estimate, mean.low, mean.high]).tolist()
            row[cost], row[f"{cost}_low"], row[f"{cost}_high"] = bounds
        rows.append(row)
    return pd.DataFrame(rows)
