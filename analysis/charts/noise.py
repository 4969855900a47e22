"""Figure of the gradient noise scale along training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.charts.drawing import Drawing, panels, sentences
from analysis.charts.per_nodes import describe_band, describe_emulated, draw_per_nodes
from analysis.plots.axes import (
    DARK,
    count_axis,
    log_axis,
    node_colours,
    node_handles,
    style_handles,
)
from analysis.runs.grouping import groups
from analysis.runs.study import Material, NothingToDraw, describe_best, describe_runs


def noise_scale(material: Material) -> Drawing:
    """Simple gradient noise scale along training."""
    rows = material.curves("noise_scale/simple", material.best)
    rows = rows[np.isfinite(rows["value"]) & (rows["value"] > 0)]
    if rows.empty:
        raise NothingToDraw("no finished run recorded a positive noise_scale/simple")
    shown = material.best[material.best["run_id"].isin(rows["run_id"])]
    figure, (ax,) = panels(1, width_in=4.6, height_in=2.6)
    draw_per_nodes(ax, rows, "fovs")
    _mark_batches(ax, shown)
    log_axis(ax, "y")
    count_axis(ax, "x")
    ax.set(xlabel="FOVs processed, all nodes", ylabel="Simple noise scale (FOVs)")
    handles = node_handles(node_colours(shown["nodes"])) + style_handles(shown["emulated"].tolist())
    handles.append(Line2D([], [], color=DARK, marker="<", linestyle="none", label="batch size"))
    figure.legend(handles=handles, loc="outside right upper")
    caption = sentences(
        "Simple noise scale tr(Sigma)/|G|^2 along training (McCandlish et al. 2018): about the",
        "batch size in FOVs beyond which a step gains little; triangles: the batch size of each",
        "node count; values that are not positive and",
        "finite (the gradient was lost in noise) are not drawn.",
        describe_band(shown),
        describe_emulated(shown),
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _mark_batches(ax: Axes, shown: pd.DataFrame) -> None:
    """The FOVs per step of every node count, at the right edge."""
    colours = node_colours(shown["nodes"])
    edge = ax.get_xlim()[1]
    for nodes, rows in groups(shown, "nodes"):
        batch = float(rows["global_batch_size"].iloc[0])
        ax.plot([edge], [batch], "<", color=colours[nodes], markersize=5, clip_on=False)
    ax.set_xlim(0, edge)
