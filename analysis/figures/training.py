"""Scores, recipes, noise scale and the published curve against FOVs and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures import curves as plots
from analysis.figures.curves import (
    describe_emulated,
    describe_lines,
    draw_per_nodes,
    f1_axis,
    f1_panel,
    line_handles,
    score_limits,
    scored,
    time_unit,
)
from analysis.figures.style import (
    DARK,
    GRAY,
    PUBLISHED_TITLE,
    SERIES,
    Drawing,
    count_axis,
    legend_below,
    log_axis,
    node_color,
    node_colors,
    node_handles,
    notes,
    panels,
)
from analysis.reference import published
from analysis.runs.grouping import groups, varies
from analysis.runs.study import (
    NothingToDraw,
    Study,
    describe_best,
    describe_runs,
    describe_score,
    nodes_text,
)
from analysis.text import capitalized
from ffn_core.metric_names import ELAPSED_S, NOISE_SCALE

_FOVS = "FOVs, all nodes"
_LOWEST_ACCURACY = 0.5
"""Accuracy starts at the share of background voxels."""


def scores_against_time(study: Study) -> Drawing:
    """F1 and accuracy against training wall time, above the published curves."""
    shown = scored(study.best).dropna(subset=["wall_s"])
    if shown.empty:
        raise NothingToDraw(f"no finished run recorded {ELAPSED_S}")
    figure, axes = panels(4, most_columns=2)
    unit_s, unit = time_unit(shown["wall_s"].max())
    _draw_means(axes[:2], study, shown, "elapsed_s", unit_s)
    for ax in axes[:2]:
        ax.set_xlabel(f"Training wall time ({unit})")
    theirs = _draw_published_hours(axes[2], axes[3])
    handles = node_handles(node_colors([*shown["nodes"], *theirs]))
    handles += line_handles(study, shown, seeds=False, raw=False)
    legend_below(figure, [*handles, *_published_handles()])
    return Drawing(
        figure,
        f"{capitalized(study.score.words)} and accuracy against training time"
        f"{', means over seeds' if varies(shown['seed']) else ''}. Below: the published curves.",
        notes(
            "Evaluation and checkpoints do not count as training time.",
            describe_emulated(shown, timed=True),
            describe_score(study, shown),
            "Published: F1 without what could not be read; what their band is, is not stated.",
            describe_best(shown),
            describe_runs(shown),
        ),
    )


def scores_against_fovs(study: Study) -> Drawing:
    """F1 and accuracy against FOVs processed, the published F1, and each node count's seeds."""
    shown = scored(study.best)
    counts = sorted(int(n) for n in shown["nodes"].unique())
    apart = counts if varies(shown["seed"]) or study.score.raw else []
    figure, axes = panels(3 + len(apart), most_columns=4, height_in=1.9)
    _draw_means(axes[:2], study, shown, "fovs")
    theirs = _draw_published_fovs(axes[-1])
    history = study.curves(study.score.f1, shown)
    for ax, nodes in zip(axes[2:-1], apart, strict=True):
        here = shown[shown["nodes"] == nodes]
        f1_panel(ax, study, here)
        draw_per_nodes(ax, history[history["nodes"] == nodes], "fovs", seeds=True)
        ax.set_title(nodes_text(nodes))
        ax.set_ylabel("F1")
    for ax in axes[:-1]:
        ax.set_xlabel(_FOVS)
        count_axis(ax, "x")
    handles = node_handles(node_colors([*counts, *theirs]))
    legend_below(figure, handles + line_handles(study, shown, raw=bool(apart)))
    return Drawing(
        figure,
        f"{capitalized(study.score.words)} and accuracy against the FOVs of all nodes. "
        + (
            "First two panels: means; then each node count by itself; last: the published F1."
            if apart
            else "Last panel: the published F1."
        ),
        notes(
            describe_lines(shown),
            describe_emulated(shown),
            describe_score(study, shown),
            "Published F1: medians of bins of 0.1 decade, without bins marked low.",
            describe_best(shown),
            describe_runs(shown),
        ),
    )


def _draw_means(
    axes: list[Axes], study: Study, shown: pd.DataFrame, x: str, unit: float = 1.0
) -> None:
    """F1 and accuracy of this study onto two axes, a line per node count."""
    rows = study.curves(study.score.f1, shown)
    f1, accuracy = axes
    plots.draw_baseline(f1, study.baseline(shown))
    draw_per_nodes(f1, rows.assign(x=rows[x] / unit), "x")
    f1_axis(f1)
    f1.set(ylabel="F1", title="this study")
    rows = study.curves(study.score.accuracy, shown)
    if rows.empty:
        accuracy.text(0.5, 0.5, "not recorded", ha="center", transform=accuracy.transAxes)
    else:
        draw_per_nodes(accuracy, rows.assign(x=rows[x] / unit), "x")
        accuracy.set_ylim(*score_limits(rows, _LOWEST_ACCURACY))
    accuracy.set_ylabel("Accuracy")


def _draw_published_fovs(ax: Axes) -> list[int]:
    """Published F1 per node count against FOVs; returns the node counts."""
    curves = published.batch_size_curves()
    curves = curves[(curves["x_kind"] == "fovs") & (curves["reliability"] != "low")]
    for nodes, curve in groups(curves, "nodes"):
        ax.plot(curve["x"], curve["f1"], color=node_color(nodes), lw=1)
    log_axis(ax, "x")
    f1_axis(ax)
    ax.set(xlabel=_FOVS, ylabel="F1", title="published")
    return sorted(int(n) for n in curves["nodes"].unique())


def _draw_published_hours(f1: Axes, accuracy: Axes) -> list[int]:
    """Published F1 per node count and accuracy against hours; returns the node counts."""
    vertices = published.f1_against_hours()
    # A line breaks where its curve could not be read.
    readable = vertices["f1"].where(vertices["reliability"] != "poor")
    vertices = vertices.assign(f1=readable)
    for nodes, curve in groups(vertices, "nodes"):
        f1.plot(curve["hours"], curve["f1"], color=node_color(nodes), lw=1)
    f1_axis(f1)
    f1.set(xlabel="Training time (h)", ylabel="F1", xlim=(0, None), title=PUBLISHED_TITLE)
    curve = published.training_curve()
    plots.draw_published_band(accuracy, curve[curve["metric"] == "accuracy"])
    accuracy.set(xlabel="Training time (h)", ylabel="Accuracy", ylim=(0.5, 1), xlim=(0, None))
    return sorted(int(n) for n in vertices["nodes"].unique())


def _published_handles() -> list[Artist]:
    """Legend entries for `draw_published_band`."""
    band = Patch(color=GRAY, alpha=0.3, linewidth=0, label="published band")
    return [Line2D([], [], color=GRAY, label="published mean"), band]


def noise_scale(study: Study) -> Drawing:
    """Simple gradient noise scale along training."""
    rows = study.curves(NOISE_SCALE, study.best)
    rows = rows[np.isfinite(rows["value"]) & (rows["value"] > 0)]
    if rows.empty:
        raise NothingToDraw(f"no finished run recorded a positive {NOISE_SCALE}")
    shown = study.best[study.best["run_id"].isin(rows["run_id"])]
    counts = sorted(int(n) for n in shown["nodes"].unique())
    figure, axes = panels(len(counts), most_columns=4, height_in=1.8, most_width_in=_width(counts))
    low, high = rows["value"].quantile([0.005, 0.995])
    batches = shown.groupby("nodes")["global_batch_size"].first()
    limits = 0.7 * min(low, batches.min()), 1.4 * max(high, batches.max())
    for ax, nodes in zip(axes, counts, strict=True):
        draw_per_nodes(ax, rows[rows["nodes"] == nodes], "fovs", seeds=True)
        ax.axhline(float(batches[nodes]), color=DARK, linestyle=":", linewidth=1)
        ax.set(ylim=limits, title=nodes_text(nodes), xlabel=_FOVS)
        log_axis(ax, "y")
        count_axis(ax, "x")
        ax.set_ylabel("Noise scale (FOVs)" if _first_in_row(ax) else "")
    batch = Line2D([], [], color=DARK, linestyle=":", linewidth=1, label="batch of that many nodes")
    legend_below(figure, [batch, *line_handles(study, shown, f1=False)])
    return Drawing(
        figure,
        "Simple noise scale of the gradient along training: about the batch beyond which a step"
        " gains little.",
        notes(
            "Noise scale: tr(Sigma) / |G|^2 (McCandlish et al. 2018). Values that are not positive"
            " and finite, where noise drowned the gradient, are not drawn.",
            describe_lines(shown),
            describe_emulated(shown),
            describe_best(shown),
            describe_runs(shown),
        ),
    )


def _width(counts: list[int]) -> float:
    """Wide enough for a panel of each."""
    return max(1.9 * len(counts), 3.4)


def _first_in_row(ax: Axes) -> bool:
    place = ax.get_subplotspec()
    return place is None or place.is_first_col()


_MOST_RECIPES = 8


def recipes_against_fovs(study: Study) -> Drawing:
    """F1 against FOVs for every recipe, one panel per node count."""
    shown = scored(study.points)
    recipes = sorted(set(shown["recipe"]))
    if len(recipes) < 2:
        raise NothingToDraw("every run has the same recipe")
    if len(recipes) > _MOST_RECIPES:
        raise NothingToDraw(
            f"{len(recipes)} recipes are too many curves for one panel: see learning_rate"
        )
    counts = sorted(int(n) for n in shown["nodes"].unique())
    cycle = (*SERIES, "#000000", "#7F7F7F")
    colors = dict(zip(recipes, cycle, strict=False))
    # Seeds of more recipes than two cross too often to follow.
    seeds = len(recipes) <= 2
    figure, axes = panels(len(counts), most_columns=4, height_in=1.9)
    history = study.curves(study.score.f1, shown)
    for ax, nodes in zip(axes, counts, strict=True):
        here = history[history["nodes"] == nodes]
        f1_axis(ax)
        plots.draw_baseline(ax, study.baseline(shown))
        for recipe, group in groups(here, "recipe"):
            emulated = bool(group["emulated"].iloc[0])
            plots.draw_curve(ax, group, "fovs", colors[recipe], recipe, emulated, seeds)
        ax.set(title=nodes_text(nodes), xlim=(0, None), xlabel=_FOVS)
        count_axis(ax, "x")
        ax.set_ylabel("F1" if _first_in_row(ax) else "")
    handles = [Line2D([], [], color=color, label=recipe) for recipe, color in colors.items()]
    legend_below(figure, handles + line_handles(study, shown, seeds=seeds, raw=False))
    return Drawing(
        figure,
        f"{capitalized(study.score.words)} of every recipe against the FOVs of all nodes, one panel"
        " per node count.",
        notes(
            describe_lines(shown) if seeds else "Lines are means over seeds.",
            describe_emulated(shown),
            describe_score(study, shown),
            describe_runs(shown),
        ),
    )


def training_curve(study: Study) -> Drawing:
    """F1 and accuracy against time with all repeats, above the published ones."""
    shown = _most_repeated(study)
    unit_s, unit = time_unit(shown["wall_s"].max())
    figure, axes = panels(4, most_columns=2, height_in=2.0)
    nodes, recipe = int(shown["nodes"].iloc[0]), shown["recipe"].iloc[0]
    emulated = bool(shown["emulated"].any())
    plots.draw_baseline(axes[0], study.baseline(shown))
    metrics = {study.score.f1: ("F1", 0.0), study.score.accuracy: ("Accuracy", _LOWEST_ACCURACY)}
    for ax, (metric, (label, lowest)) in zip(axes[:2], metrics.items(), strict=True):
        rows = study.curves(metric, shown)
        rows = rows.assign(time=rows["elapsed_s"] / unit_s)
        plots.draw_curve(ax, rows, "time", node_color(nodes), label, emulated, seeds=True)
        ax.set(xlabel=f"Training wall time ({unit})", ylabel=label, xlim=(0, None))
        if len(rows):
            ax.set_ylim(*score_limits(rows, lowest))
    reference = published.training_curve()
    for ax, (metric, label) in zip(
        axes[2:], {"f1": "F1", "accuracy": "Accuracy"}.items(), strict=True
    ):
        plots.draw_published_band(ax, reference[reference["metric"] == metric])
        lowest = {"f1": 0.0, "accuracy": _LOWEST_ACCURACY}[metric]
        ax.set(xlabel="Training time (h)", ylabel=label, xlim=(0, None), ylim=(lowest, 1))
    axes[0].set_title(f"this study, {nodes_text(nodes)}{', emulated' if emulated else ''}")
    axes[2].set_title(PUBLISHED_TITLE)
    handles = line_handles(study, shown, raw=False, color=node_color(nodes))
    legend_below(figure, [*handles, *_published_handles()])
    return Drawing(
        figure,
        f"{capitalized(study.score.words)} and accuracy against training time, {nodes_text(nodes)}"
        f" and {len(shown)} seeds. Below: the published curves.",
        notes(
            f"Recipe: {recipe}. Of the points with most seeds it ended highest.",
            "Evaluation and checkpoints do not count as training time.",
            describe_emulated(shown, timed=True),
            describe_score(study, shown),
            "Of the published curves it is not stated how many runs they show, on how many nodes,"
            " and what the band is.",
            describe_runs(shown),
        ),
    )


def _most_repeated(study: Study) -> pd.DataFrame:
    """The runs of the node count and recipe with most seeds, of those the best final F1."""
    points = scored(study.points).dropna(subset=["wall_s"])
    if points.empty:
        raise NothingToDraw(f"no finished run recorded {ELAPSED_S}")
    keys = ["nodes", "recipe"]
    by_point = points.groupby(keys)["final_f1"].agg(["count", "mean"])
    best = by_point.sort_values(["count", "mean"]).index[-1]
    if by_point.loc[best, "count"] < 2:
        raise NothingToDraw("no point has two seeds: scores_vs_time shows its one curve")
    return points[(points["nodes"] == best[0]) & (points["recipe"] == best[1])]
