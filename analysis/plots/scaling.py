"""Throughput and parallel efficiency against nodes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.plots.axes import GREY, PUBLISHED, log_axis, node_axis


def draw_throughput(ax: Axes, table: pd.DataFrame, colour: str, label: str) -> None:
    """Throughput of one weak-scaling series with its interval and its ideal line.

    Args:
        ax: both axes become logarithmic.
        table: from `analysis.stats.scaling.weak_scaling_table`.
        colour: of the series.
        label: legend entry.
    """
    ax.plot(table["nodes"], table["ideal_fovs_per_second"], ":", color=colour, label="ideal")
    _points(ax, table, "fovs_per_second", colour, label)
    node_axis(ax, table["nodes"])
    log_axis(ax, "y")
    ax.set_ylabel("Throughput (FOVs/s)")


def draw_published_throughput(ax: Axes, published: pd.DataFrame) -> None:
    """The published throughput with its ideal line, in grey."""
    nodes = published["nodes"]
    ax.plot(nodes, published["ideal_fovs_per_second"], ":", color=GREY, label="ideal")
    ax.plot(nodes, published["fovs_per_second"], "s", color=GREY, label=PUBLISHED)
    node_axis(ax, nodes)
    log_axis(ax, "y")
    ax.set_ylabel("Throughput (FOVs/s)")


def draw_efficiency(ax: Axes, table: pd.DataFrame, colour: str, label: str) -> None:
    """Parallel efficiency of one weak- or strong-scaling series with its intervals.

    The band joins the intervals; at the baseline, 1 by definition, it has no width.
    """
    known = table["parallel_efficiency_low"].notna() | (table["nodes"] == table["baseline_nodes"])
    band = table[known].fillna({"parallel_efficiency_low": 1.0, "parallel_efficiency_high": 1.0})
    low, high = band["parallel_efficiency_low"], band["parallel_efficiency_high"]
    if len(band) > 1:
        ax.fill_between(band["nodes"], low, high, color=colour, alpha=0.15, linewidth=0)
    _points(ax, table, "parallel_efficiency", colour, label, line="-")


def draw_published_efficiency(ax: Axes, published: pd.DataFrame, at_2048: float) -> None:
    """Published efficiencies in grey, the one stated in the abstract (2048 nodes) open."""
    nodes = published["nodes"]
    # Below the measured points, which are what the figure is about.
    value = published["parallel_efficiency"]
    ax.plot(nodes, value, "s", color=GREY, label=PUBLISHED, zorder=1.5)
    ax.plot([2048], [at_2048], "s", color=GREY, mfc="white", label=f"{PUBLISHED} (abstract)")


def finish_efficiency(ax: Axes, nodes: list[int]) -> None:
    """Axes of an efficiency panel: from zero to a little above the ideal line at one."""
    ax.axhline(1, linestyle=":", color=GREY, linewidth=1)
    node_axis(ax, nodes)
    ax.set_ylim(0, max(1.08, ax.dataLim.y1 * 1.05))
    ax.set_ylabel("Parallel efficiency")


def _points(
    ax: Axes, table: pd.DataFrame, column: str, colour: str, label: str, line: str = ""
) -> None:
    value = table[column].to_numpy(dtype=float)
    bounds = [table[f"{column}_low"].to_numpy(float), table[f"{column}_high"].to_numpy(float)]
    error = np.nan_to_num(np.abs(np.stack(bounds) - value))
    ax.errorbar(table["nodes"], value, yerr=error, fmt="none", color=colour)
    # Drawn and labelled apart from the bars, which a legend would list last.
    ax.plot(table["nodes"], value, f"o{line}", color=colour, label=label)
