"""Figures of scores and gradient noise along training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import published
from analysis.charts.drawing import PUBLISHED_TITLE, Drawing, panels, sentences
from analysis.grouping import groups
from analysis.material import Material, NothingToDraw, describe_best, describe_runs
from analysis.plots import curves as plots
from analysis.plots.axes import (
    SERIES,
    count_axis,
    log_axis,
    node_colours,
    node_handles,
    style_handles,
)

# Metric -> axis label and lowest limit (accuracy starts at the share of background voxels).
_SCORES = {
    "validation/f1": ("Validation F1", 0.0),
    "validation/accuracy": ("Validation accuracy", 0.5),
}
_BAND = "Lines are means over seeds, bands the range from the lowest to the highest seed."
_MOST_RECIPES = 8


def scores_against_time(material: Material) -> Drawing:
    """F1 and accuracy against training wall time, above the published curves."""
    shown = _scored(material.best).dropna(subset=["wall_s"])
    if shown.empty:
        raise NothingToDraw("no finished run recorded time/elapsed_s")
    figure, axes = panels(2, rows=2, height_in=4.6)
    unit_s, unit = _time_unit(shown["wall_s"].max())
    for ax, (metric, (label, lowest)) in zip(axes, _SCORES.items(), strict=False):
        rows = material.curves(metric, shown)
        rows = rows.assign(time=rows["elapsed_s"] / unit_s)
        _draw_per_nodes(ax, rows, "time", _limits(rows, lowest))
        ax.set(xlabel=f"Training wall time ({unit})", ylabel=label)
    axes[0].set_title("this study")
    _legends(figure, shown, _draw_published_hours(axes[2], axes[3]))
    caption = sentences(
        "Validation F1 and accuracy against training wall time (evaluation and checkpoints not",
        "counted), per node count.",
        _BAND,
        "Dashed: emulated nodes, whose time is that of the ranks that carried them and says"
        " nothing about a cluster."
        if shown["emulated"].any()
        else "",
        "Below, the published curves: F1 per node count (rows marked poor left out) and the mean",
        "accuracy with its band, whose meaning is not stated.",
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def scores_against_fovs(material: Material) -> Drawing:
    """F1 and accuracy against FOVs processed, beside the published F1."""
    shown = _scored(material.best)
    figure, axes = panels(3, height_in=3.0)
    for ax, (metric, (label, lowest)) in zip(axes, _SCORES.items(), strict=False):
        rows = material.curves(metric, shown)
        _draw_per_nodes(ax, rows, "fovs", _limits(rows, lowest))
        count_axis(ax, "x")
        ax.set(xlabel="FOVs processed, all nodes", ylabel=label)
    axes[0].set_title("this study")
    curves = published.batch_size_curves()
    curves = curves[(curves["x_kind"] == "fovs") & (curves["reliability"] != "low")]
    colours = node_colours(curves["nodes"])
    for nodes, curve in groups(curves, "nodes"):
        axes[2].plot(curve["x"], curve["f1"], color=colours[nodes])
    log_axis(axes[2], "x")
    axes[2].set(xlabel="FOVs processed, all nodes", ylabel="F1", ylim=(0, 1))
    axes[2].set_title("published")
    _legends(figure, shown, colours)
    caption = sentences(
        "Validation F1 and accuracy against FOVs processed over all nodes, per node count.",
        _BAND,
        "Dashed: emulated nodes." if shown["emulated"].any() else "",
        "Right: published F1, medians of bins of 0.1 decade (bins marked low left out).",
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def recipes_against_fovs(material: Material) -> Drawing:
    """F1 against FOVs for every recipe, one panel per node count."""
    shown = _scored(material.points)
    recipes = list(dict.fromkeys(shown["recipe"]))
    if len(recipes) < 2:
        raise NothingToDraw("every run has the same recipe")
    if len(recipes) > _MOST_RECIPES:
        raise NothingToDraw(
            f"{len(recipes)} recipes are too many curves for one panel: see learning_rate"
        )
    counts = sorted(int(n) for n in shown["nodes"].unique())
    columns = min(len(counts), 4)
    rows = -(-len(counts) // columns)
    figure, axes = panels(columns, rows, height_in=0.7 + 1.7 * rows)
    history = material.curves("validation/f1", shown)
    cycle = (*SERIES, "#000000", "#7F7F7F")
    colours = dict(zip(recipes, cycle, strict=False))
    for index, (ax, nodes) in enumerate(zip(axes, counts, strict=False)):
        here = history[history["nodes"] == nodes]
        for recipe, group in groups(here, "recipe"):
            emulated = bool(group["emulated"].iloc[0])
            plots.draw_curve(ax, group, "fovs", colours[recipe], recipe, emulated)
        ax.set_title(f"{nodes} node{'s' if nodes > 1 else ''}")
        ax.set(ylim=(-0.02, 1), xlim=(0, None))
        count_axis(ax, "x")
        if index % columns == 0:
            ax.set_ylabel("Validation F1")
        if index >= len(counts) - columns:
            ax.set_xlabel("FOVs processed")
    for ax in axes[len(counts) :]:
        ax.remove()
    handles = [Line2D([], [], color=colour, label=recipe) for recipe, colour in colours.items()]
    handles += style_handles(shown["emulated"].tolist())
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    caption = sentences(
        "Validation F1 against FOVs processed over all nodes, one panel per node count, one colour",
        "per recipe.",
        _BAND,
        "Dashed: emulated nodes." if shown["emulated"].any() else "",
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def noise_scale(material: Material) -> Drawing:
    """Simple gradient noise scale along training."""
    rows = material.curves("noise_scale/simple", material.best)
    rows = rows[np.isfinite(rows["value"]) & (rows["value"] > 0)]
    if rows.empty:
        raise NothingToDraw("no finished run recorded a positive noise_scale/simple")
    shown = material.best[material.best["run_id"].isin(rows["run_id"])]
    figure, (ax,) = panels(1, width_in=4.6, height_in=2.6)
    _draw_per_nodes(ax, rows, "fovs", None)
    log_axis(ax, "y")
    count_axis(ax, "x")
    ax.set(xlabel="FOVs processed, all nodes", ylabel="Simple noise scale (FOVs)")
    _legends(figure, shown)
    caption = sentences(
        "Simple noise scale tr(Sigma)/|G|^2 along training (McCandlish et al. 2018): about the",
        "batch size in FOVs beyond which a step gains little; values that are not positive and",
        "finite (the gradient was lost in noise) are not drawn.",
        _BAND,
        "Dashed: emulated nodes." if shown["emulated"].any() else "",
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _scored(table: pd.DataFrame) -> pd.DataFrame:
    scored = table.dropna(subset=["final_f1"])
    if scored.empty:
        raise NothingToDraw("no finished run recorded validation/f1")
    return scored


def _draw_per_nodes(ax: Axes, rows: pd.DataFrame, x: str, ylim: tuple[float, float] | None) -> None:
    colours = node_colours(rows["nodes"])
    for nodes, group in groups(rows, "nodes"):
        emulated = bool(group["emulated"].iloc[0])
        plots.draw_curve(ax, group, x, colours[nodes], str(nodes), emulated)
    ax.set_xlim(0, None)
    if ylim is not None:
        ax.set_ylim(*ylim)


def _limits(rows: pd.DataFrame, lowest: float) -> tuple[float, float]:
    """From `lowest`, or the tenth below the smallest value, to 1.

    The margin keeps a run that never left the bottom visible.
    """
    tenth = np.floor(10 * rows["value"].min()) / 10
    return float(np.fmin(lowest, tenth)) - 0.02, 1.0


def _legends(
    figure: Figure, shown: pd.DataFrame, published_colours: dict[int, str] | None = None
) -> None:
    """Legends at the right of the panels: this study above, the published curves below."""
    handles = node_handles(node_colours(shown["nodes"]))
    handles += style_handles(shown["emulated"].tolist())
    title = "this study" if published_colours else None
    figure.legend(handles=handles, loc="outside right upper", title=title, alignment="left")
    if published_colours:
        figure.legend(
            handles=node_handles(published_colours),
            loc="outside right lower",
            title="published",
            alignment="left",
        )


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


def _time_unit(longest_s: float) -> tuple[float, str]:
    units: Iterable[tuple[float, str]] = ((3600.0, "h"), (60.0, "min"))
    return next(((s, name) for s, name in units if longest_s >= 2 * s), (1.0, "s"))
