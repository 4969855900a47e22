"""Figures of validation scores along training, per node count."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis import published
from analysis.charts.drawing import PUBLISHED_TITLE, Drawing, panels, sentences
from analysis.charts.per_nodes import (
    SCORES,
    describe_band,
    describe_emulated,
    draw_per_nodes,
    legends,
    score_limits,
    scored,
    time_unit,
)
from analysis.plots import curves as plots
from analysis.plots.axes import count_axis, log_axis, node_colours
from analysis.runs.grouping import groups
from analysis.runs.study import Material, NothingToDraw, describe_best, describe_runs


def scores_against_time(material: Material) -> Drawing:
    """F1 and accuracy against training wall time, above the published curves."""
    shown = scored(material.best).dropna(subset=["wall_s"])
    if shown.empty:
        raise NothingToDraw("no finished run recorded time/elapsed_s")
    figure, axes = panels(2, rows=2, height_in=4.6)
    unit_s, unit = time_unit(shown["wall_s"].max())
    _draw_scores(axes, material, shown, "elapsed_s", f"Training wall time ({unit})", unit_s)
    legends(figure, shown, _draw_published_hours(axes[2], axes[3]))
    caption = sentences(
        "Validation F1 and accuracy against training wall time (evaluation and checkpoints not",
        "counted), per node count.",
        describe_band(shown),
        describe_emulated(shown, timed=True),
        "Below, the published curves: F1 per node count (rows marked poor left out) and the mean",
        "accuracy with its band, whose meaning is not stated.",
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def scores_against_fovs(material: Material) -> Drawing:
    """F1 and accuracy against FOVs processed, beside the published F1."""
    shown = scored(material.best)
    figure, axes = panels(3, height_in=3.0)
    _draw_scores(axes, material, shown, "fovs", "FOVs processed, all nodes")
    for ax in axes[:2]:
        count_axis(ax, "x")
    legends(figure, shown, _draw_published_fovs(axes[2]))
    caption = sentences(
        "Validation F1 and accuracy against FOVs processed over all nodes, per node count.",
        describe_band(shown),
        describe_emulated(shown),
        "Right: published F1, medians of bins of 0.1 decade (bins marked low left out).",
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _draw_scores(
    axes: list[Axes],
    material: Material,
    shown: pd.DataFrame,
    x: str,
    label: str,
    unit: float = 1.0,
) -> None:
    """F1 and accuracy of this study onto the first two axes."""
    for ax, (metric, (name, lowest)) in zip(axes, SCORES.items(), strict=False):
        rows = material.curves(metric, shown)
        rows = rows.assign(x=rows[x] / unit)
        draw_per_nodes(ax, rows, "x", score_limits(rows, lowest))
        ax.set(xlabel=label, ylabel=name)
    axes[0].set_title("this study")


def _draw_published_fovs(ax: Axes) -> dict[int, str]:
    """Published F1 per node count against FOVs; returns the node colours."""
    curves = published.batch_size_curves()
    curves = curves[(curves["x_kind"] == "fovs") & (curves["reliability"] != "low")]
    colours = node_colours(curves["nodes"])
    for nodes, curve in groups(curves, "nodes"):
        ax.plot(curve["x"], curve["f1"], color=colours[nodes])
    log_axis(ax, "x")
    ax.set(xlabel="FOVs processed, all nodes", ylabel="F1", ylim=(0, 1))
    ax.set_title("published")
    return colours


def _draw_published_hours(f1: Axes, accuracy: Axes) -> dict[int, str]:
    """Published F1 per node count and accuracy against hours; returns the node colours."""
    vertices = published.f1_against_hours()
    # A line breaks where its curve could not be read.
    readable = vertices["f1"].where(vertices["reliability"] != "poor")
    vertices = vertices.assign(f1=readable)
    colours = node_colours(vertices["nodes"])
    for nodes, curve in groups(vertices, "nodes"):
        f1.plot(curve["hours"], curve["f1"], color=colours[nodes])
    f1.set(xlabel="Training time (h)", ylabel="F1", ylim=(0, 1), xlim=(0, None))
    f1.set_title(PUBLISHED_TITLE)
    curve = published.training_curve()
    plots.draw_published_band(accuracy, curve[curve["metric"] == "accuracy"])
    accuracy.set(xlabel="Training time (h)", ylabel="Accuracy", ylim=(0.5, 1), xlim=(0, None))
    return colours
