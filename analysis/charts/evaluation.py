"""Figure of segmentation errors along training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis import published
from analysis.charts.drawing import PUBLISHED_TITLE, Drawing, panels, sentences
from analysis.plots import curves as plots
from analysis.plots.axes import GREY, SERIES, count_axis, line_style, style_handles
from analysis.runs.grouping import varies
from analysis.runs.study import Material, NothingToDraw, describe_runs

# Metric -> axis label; the first two have a published counterpart.
_ERRORS = {
    "segmentation/are": "Adapted Rand error",
    "segmentation/voi": "VOI (bits)",
}
_PARTS = {"segmentation/voi_split": ("split", "o"), "segmentation/voi_merge": ("merge", "s")}
_PUBLISHED = {"are": "Adapted Rand error", "voi": "VOI"}
_MARKER_SIZE = 3.0


def evaluation(material: Material) -> Drawing:
    """ARE and VOI of every checkpoint segmented, above the published curves."""
    points = material.points
    rows = {m: material.curves(m, points) for m in (*_ERRORS, *_PARTS)}
    shown = points[points["run_id"].isin(rows["segmentation/are"]["run_id"])]
    if shown.empty:
        raise NothingToDraw(
            "no finished run recorded segmentation/are: see experiments.segment_checkpoints"
        )
    keys = ["nodes", "recipe"]
    recipes = list(dict.fromkeys(shown[keys].sort_values(keys).itertuples(index=False, name=None)))
    if len(recipes) > len(SERIES):
        raise NothingToDraw(f"{len(recipes)} curves are too many for one panel")
    colours = dict(zip(recipes, SERIES, strict=False))
    figure, axes = panels(3, rows=2, height_in=4.4)
    for ax, (metric, label) in zip(axes, _ERRORS.items(), strict=False):
        _draw_runs(ax, rows[metric], colours)
        ax.set(ylabel=label, ylim=(0, None))
    axes[0].set_title("this study")
    _draw_parts(axes[2], rows, colours)
    for ax in axes[:3]:
        ax.set(xlabel="FOVs processed, all nodes", xlim=(0, None))
        count_axis(ax, "x")
    _draw_published(axes[3], axes[4])
    _legend(axes[5], shown, colours)
    caption = sentences(
        "Adapted Rand error and variation of information of the segmentation by each checkpoint,"
        " over all voxels with a true id; those left unsegmented count as one more segment.",
        "Right: the two parts of the variation of information; split errors lie in H(segmentation"
        " | truth), merge errors in H(truth | segmentation).",
        "Lines are means over seeds, bands the range from the lowest to the highest seed."
        if varies(shown["seed"])
        else "",
        "Dashed: emulated nodes." if shown["emulated"].any() else "",
        "Below, the published curves against the number of the checkpoint; which voxels they count"
        " and what volume they are of is not stated, so levels cannot be compared.",
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _draw_runs(ax: Axes, rows: pd.DataFrame, colours: dict[tuple[int, str], str]) -> None:
    for (nodes, recipe), colour in colours.items():
        here = rows[(rows["nodes"] == nodes) & (rows["recipe"] == recipe)]
        emulated = bool(here["emulated"].any())
        plots.draw_curve(ax, here, "fovs", colour, f"{nodes} {recipe}", emulated)


def _draw_parts(
    ax: Axes, rows: dict[str, pd.DataFrame], colours: dict[tuple[int, str], str]
) -> None:
    """Split and merge, means over seeds, told apart by their markers."""
    for metric, (_, marker) in _PARTS.items():
        for (nodes, recipe), colour in colours.items():
            here = rows[metric]
            here = here[(here["nodes"] == nodes) & (here["recipe"] == recipe)]
            # An interrupted run has a checkpoint more, where the mean would be its own.
            seeds = here.groupby("fovs")["run_id"].transform("nunique")
            mean = here[seeds == here["run_id"].nunique()].groupby("fovs")["value"].mean()
            style = line_style(bool(here["emulated"].any()))
            ax.plot(mean, style, color=colour, marker=marker, markersize=_MARKER_SIZE)
    ax.set(ylabel="VOI, parts (bits)", ylim=(0, None))


def _draw_published(are: Axes, voi: Axes) -> None:
    curves = published.evaluation()
    for ax, (metric, label) in zip((are, voi), _PUBLISHED.items(), strict=True):
        curve = curves[curves["metric"] == metric]
        ax.plot(curve["checkpoint"], curve["value"], color=GREY)
        ax.set(xlabel="Checkpoint", ylabel=label, xlim=(0, None), ylim=(0, None))
        count_axis(ax, "x")
    are.set_title(PUBLISHED_TITLE)


def _legend(ax: Axes, shown: pd.DataFrame, colours: dict[tuple[int, str], str]) -> None:
    """In the place of a panel that is not needed."""
    several = varies(shown["recipe"])
    handles = [
        Line2D([], [], color=colour, label=_name(nodes, recipe if several else ""))
        for (nodes, recipe), colour in colours.items()
    ]
    handles += style_handles(shown["emulated"].tolist())
    handles += [
        Line2D([], [], color=GREY, marker=marker, markersize=_MARKER_SIZE, label=f"VOI, {name}")
        for name, marker in _PARTS.values()
    ]
    ax.set_axis_off()
    ax.legend(handles=handles, loc="upper left", title="this study", alignment="left")


def _name(nodes: int, recipe: str) -> str:
    return f"{nodes} node{'s' if nodes > 1 else ''}{f', {recipe}' if recipe else ''}"
