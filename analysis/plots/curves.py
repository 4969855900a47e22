"""Scores along training, with the range over repeats."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.plots.axes import GREY, line_style

_GRID_POINTS = 200


def draw_curve(
    ax: Axes, curves: pd.DataFrame, x: str, colour: str, label: str, emulated: bool
) -> None:
    """Mean over repeats as a line, their lowest and highest value as a band.

    Args:
        ax: to draw on.
        curves: columns run_id, x and value; one curve per run_id. Undefined values are skipped;
            nothing is drawn where no run has any.
        x: column of the horizontal axis, such as fovs or elapsed_s.
        colour: of line and band.
        label: legend entry.
        emulated: draws a dashed line.
    """
    curves = curves.dropna(subset=[x, "value"])
    if curves.empty:
        return
    grid, values = _aligned(curves, x)
    style = line_style(emulated)
    ax.plot(grid, values.mean(axis=0), linestyle=style, color=colour, label=label)
    if len(values) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(grid, low, high, color=colour, alpha=0.15, linewidth=0)


def draw_published_band(ax: Axes, published: pd.DataFrame) -> None:
    """Published mean line and band: columns hours, mean, low, high."""
    ax.fill_between(
        published["hours"],
        published["low"],
        published["high"],
        color=GREY,
        alpha=0.3,
        linewidth=0,
    )
    ax.plot(published["hours"], published["mean"], color=GREY)


def _aligned(curves: pd.DataFrame, x: str) -> tuple[np.ndarray, np.ndarray]:
    """(g,) grid and (runs, g) values over the range that every run covers.

    The evaluations themselves are the grid where all runs share them.
    """
    runs = [
        (g[x].to_numpy(float), g["value"].to_numpy(float))
        for _, g in curves.sort_values(x).groupby("run_id")
    ]
    first = runs[0][0]
    if all(len(xs) == len(first) and np.array_equal(xs, first) for xs, _ in runs):
        return first, np.stack([values for _, values in runs])
    low, high = max(xs[0] for xs, _ in runs), min(xs[-1] for xs, _ in runs)
    grid = np.linspace(low, high, _GRID_POINTS)
    return grid, np.stack([np.interp(grid, xs, values) for xs, values in runs])
