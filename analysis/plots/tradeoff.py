"""Time to a target against what it costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from analysis.plots.axes import DARK, line_style, marker_fill

_LABEL_SIZE = 6.5


def draw_tradeoff(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    colour: str,
    label: str,
    modelled: bool,
    marker: str = "o",
    named: bool = False,
    front: bool = True,
) -> None:
    """Node counts of one target joined by a line; the Pareto front underlaid.

    Args:
        ax: to draw on.
        table: nodes (increasing), x, y and pareto.
        x: column of the cost.
        y: column of the time or speed-up.
        colour: of the target.
        label: legend entry.
        modelled: dashed with open markers.
        marker: of matplotlib.
        named: writes the node count at every point.
        front: underlays the Pareto front.
    """
    best = table[table["pareto"]]
    if front and len(best) > 1:
        ax.plot(best[x], best[y], color=colour, alpha=0.2, linewidth=5, solid_capstyle="round")
    ax.plot(
        table[x],
        table[y],
        color=colour,
        linestyle=line_style(modelled),
        marker=marker,
        markersize=3.5,
        mfc=marker_fill(modelled, colour),
        label=label,
    )
    if named:
        for row in table.to_dict("records"):
            ax.annotate(
                f"{row['nodes']:g}",
                (row[x], row[y]),
                (5, 3),
                textcoords="offset points",
                fontsize=_LABEL_SIZE,
                color=DARK,
                path_effects=[withStroke(linewidth=2, foreground="white")],
                zorder=5,
            )


def draw_critical(ax: Axes, x: float, y: float, colour: str) -> None:
    """Where the batch size is critical."""
    ax.plot([x], [y], "D", color=colour, mfc="white", markersize=5.5, mew=1.3, zorder=4)
