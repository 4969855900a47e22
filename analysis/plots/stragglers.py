"""Slowest ranks and the wait for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.plots.axes import BLUE, GREY, node_axis, node_colours
from analysis.runs.grouping import groups


def draw_shares(ax: Axes, table: pd.DataFrame) -> None:
    """How often each rank was the slowest, over what chance gives, one colour per rank count.

    Args:
        ax: to draw on.
        table: from `analysis.stats.step_time.slowest_shares`.
    """
    colours = node_colours(table["ranks"])
    for ranks, group in groups(table, "ranks"):
        ratio = group["share"] * group["ranks"]
        ax.plot(
            group["rank"], ratio, "o-", color=colours[ranks], markersize=3.5, label=f"{ranks} ranks"
        )
    ax.axhline(1, color=GREY, linestyle=":", linewidth=1)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set(xlabel="Rank", ylabel="Times slowest over equal share", ylim=(0, None))


def draw_waits(ax: Axes, table: pd.DataFrame, points: pd.DataFrame) -> None:
    """Share of a step spent waiting against ranks: means with intervals, small points: runs.

    Args:
        ax: to draw on.
        table: from `analysis.stats.step_time.wait_table`.
        points: ranks and share, one row per run.
    """
    ax.plot(points["ranks"], 100 * points["share"], "o", color=BLUE, alpha=0.4, markersize=2, mew=0)
    value = 100 * table["share"].to_numpy(float)
    bounds = 100 * table[["low", "high"]].to_numpy(float).T
    error = np.nan_to_num(np.abs(bounds - value))
    ax.errorbar(table["ranks"], value, yerr=error, fmt="none", color=BLUE)
    ax.plot(table["ranks"], value, "o-", color=BLUE)
    node_axis(ax, [1, *table["ranks"].astype(int)])
    ax.set(xlabel="Ranks", ylabel="Wait for the slowest (% of step)", ylim=(0, None))
