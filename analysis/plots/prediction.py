"""Predicted time and cost to a target."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis.plots.axes import BLUE, DARK, GREY, VERMILION

CURVE = BLUE
DEADLINE = VERMILION


def draw_prediction(ax: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """A predicted quantity as a line with its band; dashed outside what was tried.

    Args:
        ax: to draw on.
        table: from `analysis.stats.predictor.Predictor.table`, nodes increasing.
        x: column of the horizontal axis.
        y: column of the vertical axis; its `_low` and `_high` make the band.
    """
    ax.fill_between(
        table[x], table[f"{y}_low"], table[f"{y}_high"], color=CURVE, alpha=0.15, linewidth=0
    )
    ax.plot(table[x], table[y], "--", color=CURVE, linewidth=1)
    inside = ~(table["beyond_runs"] | table["beyond_throughput"])
    ax.plot(table[x].where(inside), table[y].where(inside), color=CURVE, linewidth=1.6)


def draw_counts(ax: Axes, table: pd.DataFrame, x: str, y: str, labels: bool = False) -> None:
    """Open points at node counts, each named where `labels`: modelled, not measured."""
    ax.plot(table[x], table[y], "o", color=CURVE, mfc="white", markersize=3.2)
    if labels:
        for row in table.to_dict("records"):
            place = (row[x], row[y])
            ax.annotate(f"{row['nodes']}", place, (3, 3), textcoords="offset points", fontsize=6.5)


def draw_deadline(ax: Axes, hours: float) -> None:
    """The time allowed."""
    ax.axhline(hours, color=DEADLINE, linestyle=":", linewidth=1)


def draw_answer(ax: Axes, x: float, y: float) -> None:
    """The point that answers the question."""
    ax.plot([x], [y], "*", color=DEADLINE, markersize=9, zorder=5)


def draw_critical(ax: Axes, x: float, y: float) -> None:
    """The point of the critical batch size."""
    ax.plot([x], [y], "D", color=DARK, mfc="white", markersize=5, zorder=4)


def draw_runs(ax: Axes, runs: pd.DataFrame) -> None:
    """What single runs needed: nodes, fovs (NaN where one ended before: then its fovs_done)."""
    ax.plot(runs["nodes"], runs["fovs"], "o", color=GREY, markersize=2.6, mew=0)
    missed = runs[runs["fovs"].isna()]
    bounds = missed["nodes"], missed["fovs_done"]
    ax.plot(*bounds, "^", color=GREY, mfc="white", markersize=4, mew=0.8)
