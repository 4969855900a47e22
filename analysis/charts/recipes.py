"""Figure of every recipe tried at every node count."""

from __future__ import annotations

from matplotlib.lines import Line2D

from analysis.charts.drawing import Drawing, panels, sentences
from analysis.charts.per_nodes import describe_band, describe_emulated, scored
from analysis.plots import curves as plots
from analysis.plots.axes import SERIES, count_axis, style_handles
from analysis.runs.grouping import groups
from analysis.runs.study import Material, NothingToDraw, describe_runs

_MOST_RECIPES = 8


def recipes_against_fovs(material: Material) -> Drawing:
    """F1 against FOVs for every recipe, one panel per node count."""
    shown = scored(material.points)
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
        describe_band(shown),
        describe_emulated(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)
