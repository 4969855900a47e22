"""Learning rate against nodes, coloured by normalized accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from analysis.plots.axes import DARK, VERMILION, log_axis, node_axis
from analysis.runs.grouping import groups

# Colour range of the published figure, so that the panels compare.
ACCURACY_RANGE = (0.94, 1.0)
REAL, EMULATED, PUBLISHED_MARK = "o", "D", "s"


def draw_scan(ax: Axes, scan: pd.DataFrame, base: tuple[int, float]) -> PathCollection:
    """Every rate tried, the best per node count ringed, with linear and square-root lines.

    Args:
        ax: both axes become logarithmic.
        scan: columns nodes, lr_peak, normalized_accuracy, best (bool), marker (of matplotlib).
        base: nodes and rate through which the lines go.

    Returns:
        One of the scatters, for a colour bar; all share its colours.
    """
    nodes = np.array([scan["nodes"].min(), scan["nodes"].max()], dtype=float)
    for exponent, style, label in ((1.0, "-", "linear"), (0.5, "--", "square root")):
        rates = base[1] * (nodes / base[0]) ** exponent
        ax.plot(nodes, rates, style, color=DARK, linewidth=1, label=label)
    for marker, rows in groups(scan.sort_values("normalized_accuracy"), "marker"):
        scatter = ax.scatter(
            rows["nodes"],
            rows["lr_peak"],
            c=rows["normalized_accuracy"],
            vmin=ACCURACY_RANGE[0],
            vmax=ACCURACY_RANGE[1],
            s=20,
            zorder=3,
            edgecolor="white",
            linewidth=0.4,
            marker=marker,
        )
    best = scan[scan["best"]]
    ax.scatter(
        best["nodes"],
        best["lr_peak"],
        s=52,
        facecolor="none",
        edgecolor=VERMILION,
        linewidth=1,
        zorder=4,
        label="best",
    )
    node_axis(ax, scan["nodes"].astype(int))
    log_axis(ax, "y")
    ax.set_ylabel("Learning rate")
    return scatter
