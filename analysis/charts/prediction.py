"""Figure that answers how many nodes a target takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.charts.drawing import Drawing, panels, sentences
from analysis.plots import prediction as plots
from analysis.plots.axes import DARK, GREY, log_axis, node_axis
from analysis.prediction_inputs import TrainingCost
from analysis.prediction_report import Question, answer, assumptions
from analysis.stats.predictor import Predictor, node_grid

_CURVE_POINTS = 200


def prediction(predictor: Predictor, cost: TrainingCost, question: Question) -> Drawing:
    """FOVs, time and cost to the target against nodes, with the answer marked."""
    grid = node_grid(question.most_nodes)
    curve = predictor.table(np.unique(np.geomspace(1, grid[-1], _CURVE_POINTS).round()))
    counts = predictor.table(grid)
    figure, axes = panels(3, height_in=2.9)
    fovs, hours, price = axes
    plots.draw_runs(fovs, cost.runs)
    batch = curve["nodes"].to_numpy(float) * predictor.local_batch_size
    # With few runs the interval may exceed any float.
    with np.errstate(over="ignore"):
        spread = np.exp(predictor.cost.half_width(batch, predictor.level))
    banded = curve.assign(fovs_low=curve["fovs"] / spread, fovs_high=curve["fovs"] * spread)
    plots.draw_prediction(fovs, banded, "nodes", "fovs")
    plots.draw_prediction(hours, curve, "nodes", "hours")
    plots.draw_counts(hours, counts, "nodes", "hours")
    plots.draw_prediction(price, curve.assign(hours_low=np.nan), "node_hours", "hours")
    plots.draw_counts(price, counts, "node_hours", "hours", labels=True)
    for ax in (hours, price):
        plots.draw_deadline(ax, question.hours)
    critical = 1 <= predictor.critical_nodes() <= question.most_nodes
    _mark(axes, predictor, question, critical)
    for ax, label in zip(axes, ("FOVs to target", "Time (h)", "Time (h)"), strict=True):
        log_axis(ax, "y")
        ax.set_ylabel(label)
    for ax in (fovs, hours):
        node_axis(ax, grid, most_labels=6)
    log_axis(price, "x")
    price.set_xlabel("Node-hours")
    fovs.set_title(f"F1 {cost.target}, modelled")
    figure.legend(
        handles=_handles(critical, bool(cost.missed)), loc="outside lower center", ncols=6
    )
    caption = sentences(
        f"Modelled cost of reaching validation F1 {cost.target}: FOVs (grey: runs"
        f"{'; triangles: all that one had, which was not enough' if cost.missed else ''}), training"
        " time and node-hours; numbers: nodes. Solid within the batch sizes and node counts fitted,"
        " dashed outside; bands: 95 % interval of one new run.",
        *(line if line.endswith(".") else f"{line}." for line in answer(predictor, cost, question)),
        *assumptions(predictor.throughput, cost),
    )
    return Drawing(figure, caption)


def _mark(axes: list[Axes], predictor: Predictor, question: Question, critical: bool) -> None:
    """The answer and the critical batch size, where they lie in the range drawn."""
    fovs, hours, price = axes
    count = predictor.fewest_nodes(question.hours, question.most_nodes)
    marks: list[tuple[Callable[[Axes, float, float], None], float]] = []
    if count is not None:
        marks.append((plots.draw_answer, count))
    if critical:
        marks.append((plots.draw_critical, predictor.critical_nodes()))
    for draw, nodes in marks:
        row = predictor.table([nodes]).iloc[0]
        draw(fovs, nodes, row["fovs"])
        draw(hours, nodes, row["hours"])
        draw(price, row["node_hours"], row["hours"])


def _handles(critical: bool, missed: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=plots.CURVE, linewidth=1.6, label="modelled, in range"),
        Line2D([], [], color=plots.CURVE, linestyle="--", linewidth=1, label="extrapolated"),
        Line2D([], [], color=GREY, marker="o", markersize=2.6, linestyle="none", label="runs"),
        Line2D([], [], color=plots.DEADLINE, linestyle=":", marker="*", label="deadline, answer"),
    ]
    if missed:
        bound = Line2D([], [], color=GREY, marker="^", mfc="white", markersize=4, linestyle="none")
        bound.set_label("at least")
        handles.insert(3, bound)
    if critical:
        mark = Line2D([], [], color=DARK, marker="D", mfc="white", linestyle="none")
        mark.set_label("critical batch")
        handles.append(mark)
    return handles
