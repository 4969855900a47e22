"""Figure that answers how many nodes a target takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.style import (
    BLUE,
    DARK,
    GRAY,
    VERMILION,
    Drawing,
    legend_below,
    log_axis,
    node_axis,
    notes,
    panels,
    width_in,
)
from analysis.models.predictor import Predictor, node_grid
from analysis.prediction.answer import answer, assumptions
from analysis.prediction.inputs import TrainingCost
from analysis.prediction.question import Question

CURVE = BLUE
DEADLINE = VERMILION


def draw_prediction(ax: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """A predicted quantity as a line with its band; dashed outside what was tried.

    Args:
        ax: to draw on.
        table: from `analysis.models.predictor.Predictor.table`, nodes increasing.
        x: column of the horizontal axis.
        y: column of the vertical axis; its `_low` and `_high` make the band.
    """
    ax.fill_between(
        table[x], table[f"{y}_low"], table[f"{y}_high"], color=CURVE, alpha=0.15, linewidth=0
    )
    ax.plot(table[x], table[y], "--", color=CURVE, linewidth=1)
    inside = ~(table["beyond_runs"] | table["beyond_throughput"])
    ax.plot(table[x].where(inside), table[y].where(inside), color=CURVE, linewidth=1.6)


def draw_counts(ax: Axes, table: pd.DataFrame, x: str, y: str, every: int = 0) -> None:
    """Open points at node counts, every so many of them named: modeled, not measured."""
    ax.plot(table[x], table[y], "o", color=CURVE, mfc="white", markersize=3.2)
    if every:
        for row in table.iloc[::every].to_dict("records"):
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
    ax.plot(runs["nodes"], runs["fovs"], "o", color=GRAY, markersize=2.6, mew=0)
    missed = runs[runs["fovs"].isna()]
    bounds = missed["nodes"], missed["fovs_done"]
    ax.plot(*bounds, "^", color=GRAY, mfc="white", markersize=4, mew=0.8)


_CURVE_POINTS = 200
_NARROW_IN = 5.0


def prediction(predictor: Predictor, cost: TrainingCost, question: Question) -> Drawing:
    """FOVs, time and cost to the target against nodes, with the answer marked."""
    grid = node_grid(question.most_nodes)
    curve = predictor.table(np.unique(np.geomspace(1, grid[-1], _CURVE_POINTS).round()))
    counts = predictor.table(grid)
    figure, axes = panels(3, height_in=2.3)
    fovs, hours, price = axes
    draw_runs(fovs, cost.runs)
    batch = curve["nodes"].to_numpy(float) * predictor.local_batch_size
    # With few runs the interval may exceed any float.
    with np.errstate(over="ignore"):
        spread = np.exp(predictor.cost.half_width(batch, predictor.level))
    banded = curve.assign(fovs_low=curve["fovs"] / spread, fovs_high=curve["fovs"] * spread)
    draw_prediction(fovs, banded, "nodes", "fovs")
    draw_prediction(hours, curve, "nodes", "hours")
    draw_counts(hours, counts, "nodes", "hours")
    draw_prediction(price, curve.assign(hours_low=np.nan), "node_hours", "hours")
    draw_counts(price, counts, "node_hours", "hours", every=1 if width_in() > _NARROW_IN else 3)
    if question.hours is not None:
        for ax in (hours, price):
            draw_deadline(ax, question.hours)
    critical = 1 <= predictor.critical_nodes() <= question.most_nodes
    _mark(axes, predictor, question, critical)
    for ax, label in zip(axes, ("FOVs to target", "Time (h)", "Time (h)"), strict=True):
        log_axis(ax, "y")
        ax.set_ylabel(label)
    for ax in (fovs, hours):
        node_axis(ax, grid, most_labels=6)
    log_axis(price, "x")
    price.set_xlabel("Node-hours")
    fovs.set_title(f"F1 {cost.target}, modeled")
    legend_below(figure, _handles(critical, bool(cost.missed), question.hours is not None))
    return Drawing(
        figure,
        f"Modeled cost of reaching F1 {cost.target}: FOVs and training time against nodes, and time"
        " against node-hours; small numbers are nodes.",
        notes(
            "Solid within the batch sizes and node counts fitted, dashed outside; bands: 95 %"
            " interval of one new run.",
            *answer(predictor, cost, question),
            *assumptions(predictor.throughput, cost),
        ),
    )


def _mark(axes: list[Axes], predictor: Predictor, question: Question, critical: bool) -> None:
    """The answer and the critical batch size, where they lie in the range drawn."""
    fovs, hours, price = axes
    if question.hours is not None:
        count = predictor.fewest_nodes(question.hours, question.most_nodes)
    else:
        count = predictor.fastest(question.most_nodes, question.node_hours)
    marks: list[tuple[Callable[[Axes, float, float], None], float]] = []
    if count is not None:
        marks.append((draw_answer, count))
    if critical:
        marks.append((draw_critical, predictor.critical_nodes()))
    for draw, nodes in marks:
        row = predictor.table([nodes]).iloc[0]
        draw(fovs, nodes, row["fovs"])
        draw(hours, nodes, row["hours"])
        draw(price, row["node_hours"], row["hours"])


def _handles(critical: bool, missed: bool, deadline: bool) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=CURVE, linewidth=1.6, label="modeled, in range"),
        Line2D([], [], color=CURVE, linestyle="--", linewidth=1, label="extrapolated"),
        Patch(color=CURVE, alpha=0.15, linewidth=0, label="95 % interval"),
        Line2D([], [], color=GRAY, marker="o", markersize=2.6, linestyle="none", label="run"),
        Line2D([], [], color=DEADLINE, linestyle="none", marker="*", ms=8, label="answer"),
        Line2D(
            [], [], color=CURVE, linestyle="none", marker="o", mfc="white", ms=3.2, label="nodes"
        ),
    ]
    if deadline:
        handles.insert(4, Line2D([], [], color=DEADLINE, ls=":", lw=1, label="time allowed"))
    if missed:
        bound = Line2D([], [], color=GRAY, marker="^", mfc="white", markersize=4, linestyle="none")
        bound.set_label("not reached by then")
        handles.insert(4, bound)
    if critical:
        mark = Line2D([], [], color=DARK, marker="D", mfc="white", linestyle="none")
        mark.set_label("critical batch")
        handles.append(mark)
    return handles
