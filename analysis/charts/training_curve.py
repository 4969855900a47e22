"""Figure of how fast training learns and how much repeats of it differ."""

from __future__ import annotations

import pandas as pd

from analysis import published
from analysis.charts.drawing import PUBLISHED_TITLE, Drawing, panels, sentences
from analysis.charts.per_nodes import (
    SCORES,
    describe_band,
    describe_emulated,
    score_limits,
    scored,
    time_unit,
)
from analysis.plots import curves as plots
from analysis.plots.axes import BLUE
from analysis.runs.study import Material, NothingToDraw, describe_runs


def training_curve(material: Material) -> Drawing:
    """F1 and accuracy against time with the band over repeats, above the published ones."""
    shown = _most_repeated(scored(material.points).dropna(subset=["wall_s"]))
    unit_s, unit = time_unit(shown["wall_s"].max())
    figure, axes = panels(2, rows=2, height_in=4.2)
    emulated = bool(shown["emulated"].any())
    for ax, (metric, (label, lowest)) in zip(axes[:2], SCORES.items(), strict=True):
        rows = material.curves(metric, shown)
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
        raise NothingToDraw("no finished run recorded time/elapsed_s")
    keys = ["nodes", "recipe"]
    by_point = points.groupby(keys)["final_f1"].agg(["count", "mean"])
    best = by_point.sort_values(["count", "mean"]).index[-1]
    return points[(points["nodes"] == best[0]) & (points["recipe"] == best[1])]
