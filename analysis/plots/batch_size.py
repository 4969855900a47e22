"""Cost to a target score against nodes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.plots.axes import marker_fill


def draw_cost(
    ax: Axes,
    table: pd.DataFrame,
    runs: pd.DataFrame,
    cost: str,
    colour: str,
    label: str,
    style: str = "-",
) -> None:
    """Median cost to one target over repeats, with every repeat as a faint point.

    Args:
        ax: to draw on.
        table: rows of one target from `analysis.stats.targets.tradeoff_table`, plus `emulated`.
        runs: rows of the same target, one per run: nodes, emulated, the cost, and `at_least`, the
            cost by which a run that missed the target had ended (NaN: not drawn).
        cost: fovs, optimizer_step or hours.
        colour: of the target.
        label: legend entry.
        style: of the line; dashed where the cost is modelled.
    """
    known = table.dropna(subset=[cost])
    ax.plot(known["nodes"], known[cost], style, color=colour, label=label, zorder=2)
    for emulated, group in known.groupby("emulated"):
        fill = marker_fill(bool(emulated), colour)
        ax.plot(group["nodes"], group[cost], "o", color=colour, mfc=fill, zorder=3)
    ax.plot(runs["nodes"], runs[cost], "o", color=colour, alpha=0.4, markersize=2, mew=0)
    missed = runs[runs[cost].isna()]
    (bounds,) = ax.plot(missed["nodes"], missed["at_least"], "^", color=colour, alpha=0.6)
    bounds.set(markerfacecolor="none", markersize=3, markeredgewidth=0.6)


def draw_fit(ax: Axes, nodes: np.ndarray, cost: np.ndarray, colour: str) -> None:
    """Fitted cost, dotted."""
    ax.plot(nodes, cost, ":", color=colour, linewidth=1)
