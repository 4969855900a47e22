"""Segmentation scores along training, and what networks make of the same piece of a volume."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures import curves as plots
from analysis.figures.style import (
    DARK,
    GRAY,
    PUBLISHED_TITLE,
    SERIES,
    Drawing,
    count_axis,
    legend_below,
    line_style,
    node_color,
    notes,
    panels,
    style_handles,
    width_in,
)
from analysis.pictures.colors import Colors, largest, matching_colors
from analysis.pictures.panels import gray, overlay, partners
from analysis.pictures.surfaces import draw_surfaces
from analysis.reference import published
from analysis.runs.grouping import varies
from analysis.runs.study import NothingToDraw, Study, describe_runs, nodes_text
from ffn_core.inference.sample import SegmentedSample
from ffn_core.metric_names import (
    ASSIGNED_ARE,
    ASSIGNED_VOI_MERGE,
    ASSIGNED_VOI_SPLIT,
    SEGMENTATION_COVERAGE,
)

MOST_RUNS = 3
SURFACES = 8
_ASSIGNED = ASSIGNED_ARE
_COVERAGE = SEGMENTATION_COVERAGE


def segmentations(study: Study) -> Drawing:
    """A section and the largest objects of the truth, and of the segmentation per node count."""
    shown = _of_one_seed(study)
    samples = [study.runs.samples[run_id] for run_id in shown["run_id"]]
    truth = samples[0].truth
    columns = 2 + len(samples)
    wide = width_in()
    # Sections above, as high as a panel is wide; surfaces below, which are flatter.
    figure = Figure(figsize=(wide, 1.9 * wide / columns + 0.12))
    by_object = matching_colors(truth, truth)[1]
    _section(_panel(figure, 0, columns), "image", gray(samples[0].section))
    flat = overlay(samples[0].section, truth[samples[0].z], by_object)
    _section(_panel(figure, 1, columns), "truth", flat)
    _surfaces(figure, 1, columns, truth, _drawn_objects(samples, truth), by_object)
    for column, (nodes, sample) in enumerate(zip(shown["nodes"], samples, strict=True), start=2):
        by_segment = matching_colors(sample.segmentation, truth)[0]
        flat = overlay(sample.section, sample.segmentation[sample.z], by_segment)
        _section(_panel(figure, column, columns), nodes_text(nodes), flat)
        ids = largest(sample.segmentation, SURFACES)
        _surfaces(figure, column, columns, sample.segmentation, ids, by_segment)
    depth, height, width = truth.shape
    said = f"{SURFACES} largest\nsegments and\ntheir objects"
    figure.text(0.5 / columns, 0.21, said, ha="center", va="center", fontsize=7)
    seed = int(shown["seed"].iloc[0])
    return Drawing(
        figure,
        f"The same held-out voxels segmented after training on {_listed(shown['nodes'])} nodes: one"
        f" section, and the {SURFACES} largest segments with the true objects they belong to.",
        notes(
            f"{depth} x {height} x {width} voxels (zyx), by the last checkpoint of one run per node"
            f" count: seed {seed}, the first.",
            "A segment has the color of the true object it shares most voxels with; of several such"
            " segments only the largest.",
            _scores(study, shown),
            describe_runs(shown),
        ),
    )


def _listed(nodes: pd.Series) -> str:
    *most, last = [str(n) for n in nodes]
    return f"{', '.join(most)} and {last}" if most else last


def _of_one_seed(study: Study) -> pd.DataFrame:
    """Runs of the first seed that has samples of the same voxels, from few to many nodes."""
    points = study.points
    shown = points[points["run_id"].isin(list(study.runs.samples))]
    if shown.empty:
        raise NothingToDraw(
            "no finished run keeps a sample of its segmentation: see"
            " experiments.segment_checkpoints"
        )
    shown = shown[shown["seed"] == shown["seed"].min()].sort_values("nodes")
    shown = shown.drop_duplicates("nodes")
    truth = study.runs.samples[shown["run_id"].iloc[0]].truth
    same = [np.array_equal(study.runs.samples[i].truth, truth) for i in shown["run_id"]]
    shown = shown[same]
    if len(shown) > MOST_RUNS:
        places = np.linspace(0, len(shown) - 1, MOST_RUNS).round().astype(int)
        shown = shown.iloc[places]
    return shown


def _drawn_objects(samples: list[SegmentedSample], truth: np.ndarray) -> list[int]:
    """True objects that the largest segments of any sample belong to."""
    found = [
        name
        for sample in samples
        for name in partners(sample.segmentation, truth, largest(sample.segmentation, SURFACES))
    ]
    return list(dict.fromkeys(found))


def _scores(study: Study, shown: pd.DataFrame) -> str:
    """Adapted Rand error and coverage of each run's last checkpoint."""
    are, coverage = study.runs.last(_ASSIGNED), study.runs.last(_COVERAGE)
    known = shown[shown["run_id"].isin(are.index) & shown["run_id"].isin(coverage.index)]
    if known.empty:
        return ""
    said = "; ".join(
        f"{nodes_text(nodes)} {are[run_id]:.3f} over {coverage[run_id]:.0%}"
        for nodes, run_id in zip(known["nodes"], known["run_id"], strict=True)
    )
    return f"Adapted Rand error over what was segmented of the foreground: {said}."


def _panel(figure: Figure, column: int, columns: int) -> Axes:
    width = 1 / columns
    return figure.add_axes((column * width + 0.005, 0.4, width - 0.01, 0.485))


def _section(ax: Axes, title: str, picture: np.ndarray) -> None:
    ax.imshow(picture, interpolation="nearest")
    ax.set_title(title, loc="center")
    ax.set_axis_off()


def _surfaces(
    figure: Figure, column: int, columns: int, ids: np.ndarray, names: list[int], colors: Colors
) -> None:
    width = 1 / columns
    # A square, as 3-D axes are; it reaches under the sections, where nothing is drawn.
    place = (column * width, -0.06, width, 0.53)
    axes = figure.add_axes(place, projection="3d", computed_zorder=False)
    axes.patch.set_visible(False)
    draw_surfaces(axes, ids, {name: colors[name] for name in names}, extents=False, zoom=0.95)


# Errors over what was segmented, and how much that is: over all, what was left out rules the error.
_SCORES = {
    ASSIGNED_ARE: "Adapted Rand error",
    SEGMENTATION_COVERAGE: "Share segmented",
}
_PARTS = {ASSIGNED_VOI_SPLIT: ("split", "o"), ASSIGNED_VOI_MERGE: ("merge", "s")}
_PUBLISHED = {"are": "Adapted Rand error", "voi": "VOI"}
_MARKER_SIZE = 3.0


def evaluation(study: Study) -> Drawing:
    """Errors and coverage of every checkpoint segmented, above the published curves."""
    points = study.points
    rows = {m: study.curves(m, points) for m in (*_SCORES, *_PARTS)}
    shown = points[points["run_id"].isin(rows[ASSIGNED_ARE]["run_id"])]
    if shown.empty:
        raise NothingToDraw(
            f"no finished run recorded {ASSIGNED_ARE}: see experiments.segment_checkpoints"
        )
    keys = ["nodes", "recipe"]
    recipes = list(dict.fromkeys(shown[keys].sort_values(keys).itertuples(index=False, name=None)))
    if len(recipes) > len(SERIES):
        raise NothingToDraw(f"{len(recipes)} curves are too many for one panel")
    several = varies(shown["recipe"])
    cycle = SERIES if several else [node_color(nodes) for nodes, _ in recipes]
    colors = dict(zip(recipes, cycle, strict=False))
    figure, axes = panels(5)
    for ax, (metric, label) in zip(axes, _SCORES.items(), strict=False):
        _draw_runs(ax, rows[metric], colors)
        ax.set(ylabel=label, ylim=(0, 1))
    axes[0].set_title("this study")
    _draw_parts(axes[2], rows, colors)
    for ax in axes[:3]:
        ax.set(xlabel="FOVs, all nodes", xlim=(0, None))
        count_axis(ax, "x")
    _draw_published(axes[3], axes[4])
    legend_below(figure, _handles(shown, colors))
    return Drawing(
        figure,
        "Errors of the segmentation by each checkpoint over what it segmented, and the share of the"
        " foreground that this is. Last two panels: the published curves.",
        notes(
            "Errors count voxels that have a true id and a segment. Share segmented: those, of all"
            " voxels with a true id.",
            "Split errors lie in H(segmentation | truth), merge errors in H(truth | segmentation);"
            " their sum is the variation of information (VOI). Their lines are means over seeds.",
            "Published: against the number of the checkpoint. Which voxels count and of what volume"
            " is not stated, so levels cannot be compared.",
            describe_runs(shown),
        ),
    )


def _draw_runs(ax: Axes, rows: pd.DataFrame, colors: dict[tuple[int, str], str]) -> None:
    for (nodes, recipe), color in colors.items():
        here = rows[(rows["nodes"] == nodes) & (rows["recipe"] == recipe)]
        emulated = bool(here["emulated"].any())
        plots.draw_curve(ax, here, "fovs", color, f"{nodes} {recipe}", emulated, seeds=True)


def _draw_parts(
    ax: Axes, rows: dict[str, pd.DataFrame], colors: dict[tuple[int, str], str]
) -> None:
    """Split and merge, means over seeds, distinguished by their markers."""
    for metric, (_, marker) in _PARTS.items():
        for (nodes, recipe), color in colors.items():
            here = rows[metric]
            here = here[(here["nodes"] == nodes) & (here["recipe"] == recipe)]
            # An interrupted run has a checkpoint more, where the mean would be its own.
            seeds = here.groupby("fovs")["run_id"].transform("nunique")
            mean = here[seeds == here["run_id"].nunique()].groupby("fovs")["value"].mean()
            style = line_style(bool(here["emulated"].any()))
            ax.plot(mean, style, color=color, marker=marker, markersize=_MARKER_SIZE)
    ax.set(ylabel="VOI, parts (bits)", ylim=(0, None))


def _draw_published(are: Axes, voi: Axes) -> None:
    curves = published.evaluation()
    for ax, (metric, label) in zip((are, voi), _PUBLISHED.items(), strict=True):
        curve = curves[curves["metric"] == metric]
        ax.plot(curve["checkpoint"], curve["value"], color=GRAY)
        ax.set(xlabel="Checkpoint", ylabel=label, xlim=(0, None), ylim=(0, None))
        count_axis(ax, "x")
    are.set_title(PUBLISHED_TITLE)


def _handles(shown: pd.DataFrame, colors: dict[tuple[int, str], str]) -> list[Line2D]:
    several = varies(shown["recipe"])
    handles = [
        Line2D([], [], color=color, label=_name(nodes, recipe if several else ""))
        for (nodes, recipe), color in colors.items()
    ]
    if varies(shown["seed"]):
        handles.append(Line2D([], [], color=DARK, lw=plots.MEAN_WIDTH, label="mean over seeds"))
        handles.append(Line2D([], [], color=DARK, lw=plots.SEED_WIDTH, label="seed"))
    handles += style_handles(shown["emulated"].tolist())
    handles += [
        Line2D([], [], color=DARK, marker=marker, markersize=_MARKER_SIZE, label=f"{name} errors")
        for name, marker in _PARTS.values()
    ]
    return [*handles, Line2D([], [], color=GRAY, label="published")]


def _name(nodes: int, recipe: str) -> str:
    return f"{nodes_text(nodes)}{f', {recipe}' if recipe else ''}"
