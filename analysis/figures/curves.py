"""Curves along training: seeds thin, their mean thick, one color per node count."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.style import (
    DARK,
    GRAY,
    baseline_handle,
    draw_baseline,
    line_style,
    node_color,
    style_handles,
)
from analysis.runs.grouping import groups, varies
from analysis.runs.study import NothingToDraw, Study

_GRID_POINTS = 200
SEED_WIDTH, MEAN_WIDTH, RAW_WIDTH = 0.5, 1.5, 0.5
_SEED_ALPHA, _RAW_ALPHA = 0.55, 0.5
MOST_THIN = 40
"""Thin lines of one kind and color in a panel: of more, none can be followed."""


def draw_curve(
    ax: Axes,
    curves: pd.DataFrame,
    x: str,
    color: str,
    label: str,
    emulated: bool,
    seeds: bool = False,
) -> None:
    """Mean over repeats as a thick line, over the range that all of them cover.

    Args:
        ax: to draw on.
        curves: columns run_id, x and value; one curve per run_id. Undefined values are skipped;
            nothing is drawn where no run has any.
        x: column of the horizontal axis, such as fovs or elapsed_s.
        color: of the lines.
        label: legend entry.
        emulated: draws the mean dashed.
        seeds: draws repeats as thin lines, where there are several; at most `MOST_THIN`.
    """
    curves = curves.dropna(subset=[x, "value"]).sort_values(x)
    if curves.empty:
        return
    runs = _per_run(curves, x)
    if seeds and len(runs) > 1:
        for xs, values in runs[:MOST_THIN]:
            ax.plot(xs, values, color=color, lw=SEED_WIDTH, alpha=_SEED_ALPHA, zorder=2)
    grid, values = _aligned(runs)
    style = line_style(emulated)
    ax.plot(grid, values.mean(axis=0), style, color=color, lw=MEAN_WIDTH, label=label, zorder=3)


def draw_raw(ax: Axes, curves: pd.DataFrame, x: str) -> None:
    """The same runs by their raw weights, as thin gray lines behind the others."""
    for xs, values in _per_run(curves.dropna(subset=[x, "value"]), x)[:MOST_THIN]:
        ax.plot(xs, values, color=GRAY, lw=RAW_WIDTH, alpha=_RAW_ALPHA, zorder=1.5)


def draw_published_band(ax: Axes, published: pd.DataFrame) -> None:
    """Published mean line and band: columns hours, mean, low, high."""
    ax.fill_between(
        published["hours"],
        published["low"],
        published["high"],
        color=GRAY,
        alpha=0.3,
        linewidth=0,
    )
    ax.plot(published["hours"], published["mean"], color=GRAY)


_Curve = tuple[np.ndarray, np.ndarray]


def _per_run(curves: pd.DataFrame, x: str) -> list[_Curve]:
    """Ascending x and the values of each run, (n,) float64 each, in the order of run ids."""
    run, _ = pd.factorize(curves["run_id"], sort=True)
    xs, values = curves[x].to_numpy(float), curves["value"].to_numpy(float)
    order = np.lexsort((xs, run))
    starts = np.flatnonzero(np.diff(run[order])) + 1
    return list(zip(np.split(xs[order], starts), np.split(values[order], starts), strict=True))


def _aligned(runs: list[_Curve]) -> _Curve:
    """(g,) grid and (runs, g) values over the range that every run covers.

    The evaluations themselves are the grid where all runs share them.
    """
    first = runs[0][0]
    if all(len(xs) == len(first) and np.array_equal(xs, first) for xs, _ in runs):
        return first, np.stack([values for _, values in runs])
    low, high = max(xs[0] for xs, _ in runs), min(xs[-1] for xs, _ in runs)
    grid = np.linspace(low, high, _GRID_POINTS)
    return grid, np.stack([np.interp(grid, xs, values) for xs, values in runs])


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that have an F1 of held-out canvases.

    Raises:
        NothingToDraw: none has.
    """
    kept = table.dropna(subset=["final_f1"])
    if kept.empty:
        raise NothingToDraw("no finished run recorded an F1 of held-out canvases")
    return kept


def draw_per_nodes(ax: Axes, rows: pd.DataFrame, x: str, seeds: bool = False) -> None:
    """The mean of every node count, with its seeds if asked."""
    for nodes, group in groups(rows, "nodes"):
        emulated = bool(group["emulated"].iloc[0])
        draw_curve(ax, group, x, node_color(nodes), str(nodes), emulated, seeds)
    ax.set_xlim(0, None)


def score_limits(rows: pd.DataFrame, lowest: float) -> tuple[float, float]:
    """From `lowest`, or the tenth below the smallest value, to 1.

    The margin keeps a run that never left the bottom visible.
    """
    tenth = np.floor(10 * rows["value"].min()) / 10
    return float(np.fmin(lowest, tenth)) - 0.02, 1.0


def f1_panel(ax: Axes, study: Study, shown: pd.DataFrame, x: str = "fovs") -> None:
    """What every panel of F1 has: the trivial baseline, and the raw weights behind the score.

    Args:
        ax: to draw on, with limits 0 and 1 and a margin below.
        study: whose runs.
        shown: of these runs.
        x: column of the horizontal axis; others than fovs have no raw weights.
    """
    draw_baseline(ax, study.baseline(shown))
    if study.score.raw and x == "fovs":
        draw_raw(ax, study.curves(study.score.raw, shown), x)
    f1_axis(ax)


def f1_axis(ax: Axes) -> None:
    """Limits and ticks of an F1; the margin keeps a run that stays at 0 visible."""
    ax.set(ylim=(-0.02, 1), yticks=(0, 0.5, 1))
    ax.set_yticks((0.25, 0.75), minor=True)


def line_handles(
    study: Study,
    shown: pd.DataFrame,
    *,
    seeds: bool = True,
    raw: bool = True,
    f1: bool = True,
    color: str = DARK,
) -> list[Line2D]:
    """Legend entries of the lines that panels of these runs have.

    Args:
        study: whose runs.
        shown: the runs.
        seeds: whether repeats are drawn, as far as there are any.
        raw: whether raw weights are drawn, as far as the score is of others.
        f1: whether there is a panel of F1.
        color: of the entries.
    """
    several = seeds and varies(shown["seed"])
    handles = []
    if several:
        handles.append(Line2D([], [], color=color, lw=MEAN_WIDTH, label="mean over seeds"))
        handles.append(Line2D([], [], color=color, lw=SEED_WIDTH, label="seed"))
    if f1 and raw and study.score.raw:
        handles.append(Line2D([], [], color=GRAY, lw=RAW_WIDTH + 0.2, label="raw weights"))
    if f1 and study.baseline(shown) is not None:
        handles.append(baseline_handle())
    return handles + style_handles(shown["emulated"].tolist())


def describe_lines(shown: pd.DataFrame) -> str:
    """What the lines are, for the details."""
    if not varies(shown["seed"]):
        return "One seed."
    said = "Means are over the range that every seed covers."
    if shown.groupby(["nodes", "recipe"])["run_id"].size().max() > MOST_THIN:
        said += f" Thin lines are the first {MOST_THIN} runs of each; means are of all."
    return said


def describe_emulated(shown: pd.DataFrame, timed: bool = False) -> str:
    """What dashed lines are, for the details."""
    if not shown["emulated"].any():
        return ""
    if timed:
        return "The time of emulated nodes is that of the ranks that carried them, not a cluster's."
    return "Emulated nodes take the steps of as many real ones."


def time_unit(longest_s: float) -> tuple[float, str]:
    """Seconds in a unit, and its name: hours or minutes where there are at least two of them."""
    units: Iterable[tuple[float, str]] = ((3600.0, "h"), (60.0, "min"))
    return next(((s, name) for s, name in units if longest_s >= 2 * s), (1.0, "s"))
