"""Scores, recipes, noise scale and the published curve against FOVs and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures import curves as plots
from analysis.figures.curves import (
    SCORES,
    describe_band,
    describe_emulated,
    draw_per_nodes,
    legends,
    score_limits,
    scored,
    time_unit,
)
from analysis.figures.style import (
    BLUE,
    DARK,
    PUBLISHED_TITLE,
    SERIES,
    Drawing,
    count_axis,
    log_axis,
    node_colors,
    node_handles,
    panels,
    sentences,
    style_handles,
)
from analysis.reference import published
from analysis.runs.grouping import groups
from analysis.runs.study import NothingToDraw, Study, describe_best, describe_runs
from ffn_core.metric_names import ELAPSED_S, NOISE_SCALE, VALIDATION_F1


def scores_against_time(study: Study) -> Drawing:
    """F1 and accuracy against training wall time, above the published curves."""
    shown = scored(study.best).dropna(subset=["wall_s"])
    if shown.empty:
        raise NothingToDraw(f"no finished run recorded {ELAPSED_S}")
    figure, axes = panels(2, rows=2, height_in=4.6)
    unit_s, unit = time_unit(shown["wall_s"].max())
    _draw_scores(axes, study, shown, "elapsed_s", f"Training wall time ({unit})", unit_s)
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


def scores_against_fovs(study: Study) -> Drawing:
    """F1 and accuracy against FOVs processed, beside the published F1."""
    shown = scored(study.best)
    figure, axes = panels(3, height_in=3.0)
    _draw_scores(axes, study, shown, "fovs", "FOVs processed, all nodes")
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
    study: Study,
    shown: pd.DataFrame,
    x: str,
    label: str,
    unit: float = 1.0,
) -> None:
    """F1 and accuracy of this study onto the first two axes."""
    for ax, (metric, (name, lowest)) in zip(axes, SCORES.items(), strict=False):
        rows = study.curves(metric, shown)
        rows = rows.assign(x=rows[x] / unit)
        draw_per_nodes(ax, rows, "x", score_limits(rows, lowest))
        ax.set(xlabel=label, ylabel=name)
    axes[0].set_title("this study")


def _draw_published_fovs(ax: Axes) -> dict[int, str]:
    """Published F1 per node count against FOVs; returns the node colors."""
    curves = published.batch_size_curves()
    curves = curves[(curves["x_kind"] == "fovs") & (curves["reliability"] != "low")]
    colors = node_colors(curves["nodes"])
    for nodes, curve in groups(curves, "nodes"):
        ax.plot(curve["x"], curve["f1"], color=colors[nodes])
    log_axis(ax, "x")
    ax.set(xlabel="FOVs processed, all nodes", ylabel="F1", ylim=(0, 1))
    ax.set_title("published")
    return colors


def _draw_published_hours(f1: Axes, accuracy: Axes) -> dict[int, str]:
    """Published F1 per node count and accuracy against hours; returns the node colors."""
    vertices = published.f1_against_hours()
    # A line breaks where its curve could not be read.
    readable = vertices["f1"].where(vertices["reliability"] != "poor")
    vertices = vertices.assign(f1=readable)
    colors = node_colors(vertices["nodes"])
    for nodes, curve in groups(vertices, "nodes"):
        f1.plot(curve["hours"], curve["f1"], color=colors[nodes])
    f1.set(xlabel="Training time (h)", ylabel="F1", ylim=(0, 1), xlim=(0, None))
    f1.set_title(PUBLISHED_TITLE)
    curve = published.training_curve()
    plots.draw_published_band(accuracy, curve[curve["metric"] == "accuracy"])
    accuracy.set(xlabel="Training time (h)", ylabel="Accuracy", ylim=(0.5, 1), xlim=(0, None))
    return colors


def noise_scale(study: Study) -> Drawing:
    """Simple gradient noise scale along training."""
    rows = study.curves(NOISE_SCALE, study.best)
    rows = rows[np.isfinite(rows["value"]) & (rows["value"] > 0)]
    if rows.empty:
        raise NothingToDraw(f"no finished run recorded a positive {NOISE_SCALE}")
    shown = study.best[study.best["run_id"].isin(rows["run_id"])]
    figure, (ax,) = panels(1, width_in=4.6, height_in=2.6)
    draw_per_nodes(ax, rows, "fovs")
    _mark_batches(ax, shown)
    log_axis(ax, "y")
    count_axis(ax, "x")
    ax.set(xlabel="FOVs processed, all nodes", ylabel="Simple noise scale (FOVs)")
    handles = node_handles(node_colors(shown["nodes"])) + style_handles(shown["emulated"].tolist())
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
    colors = node_colors(shown["nodes"])
    edge = ax.get_xlim()[1]
    for nodes, rows in groups(shown, "nodes"):
        batch = float(rows["global_batch_size"].iloc[0])
        ax.plot([edge], [batch], "<", color=colors[nodes], markersize=5, clip_on=False)
    ax.set_xlim(0, edge)


_MOST_RECIPES = 8


def recipes_against_fovs(study: Study) -> Drawing:
    """F1 against FOVs for every recipe, one panel per node count."""
    shown = scored(study.points)
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
    history = study.curves(VALIDATION_F1, shown)
    cycle = (*SERIES, "#000000", "#7F7F7F")
    colors = dict(zip(recipes, cycle, strict=False))
    for index, (ax, nodes) in enumerate(zip(axes, counts, strict=False)):
        here = history[history["nodes"] == nodes]
        for recipe, group in groups(here, "recipe"):
            emulated = bool(group["emulated"].iloc[0])
            plots.draw_curve(ax, group, "fovs", colors[recipe], recipe, emulated)
        ax.set_title(f"{nodes} node{'s' if nodes > 1 else ''}")
        ax.set(ylim=(-0.02, 1), xlim=(0, None))
        count_axis(ax, "x")
        if index % columns == 0:
            ax.set_ylabel("Validation F1")
        if index >= len(counts) - columns:
            ax.set_xlabel("FOVs processed")
    for ax in axes[len(counts) :]:
        ax.remove()
    handles = [Line2D([], [], color=color, label=recipe) for recipe, color in colors.items()]
    handles += style_handles(shown["emulated"].tolist())
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    caption = sentences(
        "Validation F1 against FOVs processed over all nodes, one panel per node count, one color",
        "per recipe.",
        describe_band(shown),
        describe_emulated(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def training_curve(study: Study) -> Drawing:
    """F1 and accuracy against time with the band over repeats, above the published ones."""
    shown = _most_repeated(scored(study.points).dropna(subset=["wall_s"]))
    unit_s, unit = time_unit(shown["wall_s"].max())
    figure, axes = panels(2, rows=2, height_in=4.2)
    emulated = bool(shown["emulated"].any())
    for ax, (metric, (label, lowest)) in zip(axes[:2], SCORES.items(), strict=True):
        rows = study.curves(metric, shown)
        rows = rows.assign(time=rows["elapsed_s"] / unit_s)
        plots.draw_curve(ax, rows, "time", BLUE, label, emulated)
        ax.set(xlabel=f"Training wall time ({unit})", ylabel=label, xlim=(0, None))
        ax.set_ylim(*score_limits(rows, lowest))
    reference = published.training_curve()
    for ax, (metric, label) in zip(
        axes[2:], {"f1": "F1", "accuracy": "Accuracy"}.items(), strict=True
    ):
        curve = reference[reference["metric"] == metric]
        plots.draw_published_band(ax, curve)
        lowest = {"f1": 0.0, "accuracy": 0.5}[metric]
        ax.set(xlabel="Training time (h)", ylabel=label, xlim=(0, None), ylim=(lowest, 1))
    nodes, recipe = int(shown["nodes"].iloc[0]), shown["recipe"].iloc[0]
    kind = ", emulated" if emulated else ""
    axes[0].set_title(f"this study, {nodes} node{'s' if nodes > 1 else ''}{kind}")
    axes[2].set_title(PUBLISHED_TITLE)
    caption = sentences(
        "Validation F1 and accuracy against training wall time (evaluation and checkpoints not"
        f" counted) on {nodes} node{'s' if nodes > 1 else ''}, recipe {recipe}: of the points with"
        " most seeds, the one with the highest final F1.",
        describe_band(shown),
        describe_emulated(shown, timed=True),
        "Below, the published curves; how many runs, on how many nodes, and what the band is, is"
        " not stated.",
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _most_repeated(points: pd.DataFrame) -> pd.DataFrame:
    """The runs of the node count and recipe with most seeds, of those the best final F1."""
    if points.empty:
        raise NothingToDraw(f"no finished run recorded {ELAPSED_S}")
    keys = ["nodes", "recipe"]
    by_point = points.groupby(keys)["final_f1"].agg(["count", "mean"])
    best = by_point.sort_values(["count", "mean"]).index[-1]
    return points[(points["nodes"] == best[0]) & (points["recipe"] == best[1])]
