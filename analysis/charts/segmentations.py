"""Figure of what networks trained on different node counts make of the same piece of a volume."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.charts.drawing import FULL_WIDTH_IN, Drawing, sentences
from analysis.id_colors import Colors, largest, matching_colors
from analysis.runs.study import Material, NothingToDraw, describe_runs
from analysis.segmentation_figures import grey, overlay, partners
from analysis.surfaces import draw_surfaces
from ffn_core.inference.sample import SegmentedSample

MOST_RUNS = 3
SURFACES = 8
_ASSIGNED = "segmentation/assigned_are"
_COVERAGE = "segmentation/coverage"


def segmentations(material: Material) -> Drawing:
    """A section and the largest objects of the truth, and of the segmentation per node count."""
    shown = _of_one_seed(material)
    samples = [material.runs.samples[run_id] for run_id in shown["run_id"]]
    truth = samples[0].truth
    figure = Figure(figsize=(FULL_WIDTH_IN, 3.3))
    columns = 2 + len(samples)
    _section(_panel(figure, 0, columns), "image", grey(samples[0].section))
    by_object = matching_colors(truth, truth)[1]
    flat = overlay(samples[0].section, truth[samples[0].z], by_object)
    _section(_panel(figure, 1, columns), "ground truth", flat)
    _surfaces(figure, 1, columns, truth, _drawn_objects(samples, truth), by_object)
    for column, (nodes, sample) in enumerate(zip(shown["nodes"], samples, strict=True), start=2):
        by_segment = matching_colors(sample.segmentation, truth)[0]
        flat = overlay(sample.section, sample.segmentation[sample.z], by_segment)
        _section(_panel(figure, column, columns), _nodes(nodes), flat)
        ids = largest(sample.segmentation, SURFACES)
        _surfaces(figure, column, columns, sample.segmentation, ids, by_segment)
    depth, height, width = truth.shape
    figure.text(
        0.5 / columns,
        0.21,
        f"above: one section\n\nright: {SURFACES} largest\nsegments, and the true\nobjects they"
        f" belong to,\n{depth} x {height} x {width} voxels",
        ha="center",
        va="center",
        fontsize=7,
    )
    seed = int(shown["seed"].iloc[0])
    caption = sentences(
        f"The same {depth} x {height} x {width} voxels (zyx), not trained on, segmented by the last"
        f" checkpoint of a run per node count (seed {seed}, the first). A segment has the colour of"
        " the true object it shares most voxels with; of several such segments only the largest.",
        _scores(material, shown),
        "Emulated nodes." if shown["emulated"].all() else "",
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _of_one_seed(material: Material) -> pd.DataFrame:
    """Runs of the first seed that has samples of the same voxels, from few to many nodes."""
    points = material.points
    shown = points[points["run_id"].isin(list(material.runs.samples))]
    if shown.empty:
        raise NothingToDraw(
            "no finished run keeps a sample of its segmentation: see"
            " experiments.segment_checkpoints"
        )
    shown = shown[shown["seed"] == shown["seed"].min()].sort_values("nodes")
    shown = shown.drop_duplicates("nodes")
    truth = material.runs.samples[shown["run_id"].iloc[0]].truth
    same = [np.array_equal(material.runs.samples[i].truth, truth) for i in shown["run_id"]]
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


def _scores(material: Material, shown: pd.DataFrame) -> str:
    """Adapted Rand error and coverage of each run's last checkpoint."""
    are, coverage = material.runs.last(_ASSIGNED), material.runs.last(_COVERAGE)
    known = shown[shown["run_id"].isin(are.index) & shown["run_id"].isin(coverage.index)]
    if known.empty:
        return ""
    said = "; ".join(
        f"{_nodes(nodes)} {are[run_id]:.3f} over {coverage[run_id]:.0%}"
        for nodes, run_id in zip(known["nodes"], known["run_id"], strict=True)
    )
    return f"Adapted Rand error over what was segmented of the foreground: {said}."


def _nodes(count: int) -> str:
    return f"{count} node{'s' if count > 1 else ''}"


def _panel(figure: Figure, column: int, columns: int) -> Axes:
    width = 1 / columns
    return figure.add_axes((column * width + 0.005, 0.42, width - 0.01, 0.52))


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
