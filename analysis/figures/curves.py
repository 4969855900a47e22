"""Curves along training: one color per node count, and its legend."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import GRAY, line_style, node_colors, node_handles, style_handles
from analysis.runs.grouping import groups, varies
from analysis.runs.study import NothingToDraw
from ffn_core.metric_names import VALIDATION_ACCURACY, VALIDATION_F1

_GRID_POINTS = 200


def draw_curve(
    ax: Axes, curves: pd.DataFrame, x: str, color: str, label: str, emulated: bool
) -> None:
    """Mean over repeats as a line, their lowest and highest value as a band.

    Args:
        ax: to draw on.
        curves: columns run_id, x and value; one curve per run_id. Undefined values are skipped;
            nothing is drawn where no run has any.
        x: column of the horizontal axis, such as fovs or elapsed_s.
        color: of line and band.
        label: legend entry.
        emulated: draws a dashed line.
    """
    curves = curves.dropna(subset=[x, "value"])
    if curves.empty:
        return
    grid, values = _aligned(curves, x)
    style = line_style(emulated)
    ax.plot(grid, values.mean(axis=0), linestyle=style, color=color, label=label)
    if len(values) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(grid, low, high, color=color, alpha=0.15, linewidth=0)


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


# Metric -> axis label and lowest limit (accuracy starts at the share of background voxels).
SCORES = {
    VALIDATION_F1: ("Validation F1", 0.0),
    VALIDATION_ACCURACY: ("Validation accuracy", 0.5),
}


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that have a validation F1.

    Raises:
        NothingToDraw: none has.
    """
    kept = table.dropna(subset=["final_f1"])
    if kept.empty:
        raise NothingToDraw(f"no finished run recorded {VALIDATION_F1}")
    return kept


def draw_per_nodes(
    ax: Axes, rows: pd.DataFrame, x: str, ylim: tuple[float, float] | None = None
) -> None:
    """One curve per node count, with the range over its seeds."""
    colors = node_colors(rows["nodes"])
    for nodes, group in groups(rows, "nodes"):
        emulated = bool(group["emulated"].iloc[0])
        draw_curve(ax, group, x, colors[nodes], str(nodes), emulated)
    ax.set_xlim(0, None)
    if ylim is not None:
        ax.set_ylim(*ylim)


def score_limits(rows: pd.DataFrame, lowest: float) -> tuple[float, float]:
    """From `lowest`, or the tenth below the smallest value, to 1.

    The margin keeps a run that never left the bottom visible.
    """
    tenth = np.floor(10 * rows["value"].min()) / 10
    return float(np.fmin(lowest, tenth)) - 0.02, 1.0


def legends(
    figure: Figure, shown: pd.DataFrame, published_colors: dict[int, str] | None = None
) -> None:
    """Legends at the right of the panels: this study above, the published curves below."""
    handles = node_handles(node_colors(shown["nodes"]))
    handles += style_handles(shown["emulated"].tolist())
    title = "this study" if published_colors else None
    figure.legend(handles=handles, loc="outside right upper", title=title, alignment="left")
    if published_colors:
        figure.legend(
            handles=node_handles(published_colors),
            loc="outside right lower",
            title="published",
            alignment="left",
        )


def describe_band(shown: pd.DataFrame) -> str:
    """What lines and bands are, for the caption; nothing to say of single runs."""
    if not varies(shown["seed"]):
        return "One seed."
    return "Lines are means over seeds, bands the range from the lowest to the highest seed."


def describe_emulated(shown: pd.DataFrame, timed: bool = False) -> str:
    """What dashed lines are, for the caption."""
    if not shown["emulated"].any():
        return ""
    if timed:
        return (
            "Dashed: emulated nodes, whose time is that of the ranks that carried them and says"
            " nothing about a cluster."
        )
    return "Dashed: emulated nodes."


def time_unit(longest_s: float) -> tuple[float, str]:
    """Seconds in a unit, and its name: hours or minutes where there are at least two of them."""
    units: Iterable[tuple[float, str]] = ((3600.0, "h"), (60.0, "min"))
    return next(((s, name) for s, name in units if longest_s >= 2 * s), (1.0, "s"))
