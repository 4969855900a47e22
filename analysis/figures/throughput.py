"""Throughput and parallel efficiency against nodes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from analysis.figures import throughput as plots
from analysis.figures.style import (
    GRAY,
    PUBLISHED,
    PUBLISHED_TITLE,
    PURPLE,
    SERIES,
    Drawing,
    legend_below,
    log_axis,
    node_axis,
    notes,
    panels,
)
from analysis.reference import published
from analysis.runs.study import NothingToDraw, Study, describe_runs
from analysis.stats.scaling import ScalingSeries, measured_alone, scaling_series


def draw_throughput(ax: Axes, table: pd.DataFrame, color: str, label: str) -> None:
    """Throughput of one weak-scaling series with its interval and its ideal line.

    Args:
        ax: both axes become logarithmic.
        table: from `analysis.stats.scaling.weak_scaling_table`.
        color: of the series.
        label: legend entry.
    """
    ax.plot(table["nodes"], table["ideal_fovs_per_second"], ":", color=color, label="ideal")
    _points(ax, table, "fovs_per_second", color, label)
    node_axis(ax, table["nodes"])
    log_axis(ax, "y")
    ax.set_ylabel("Throughput (FOVs/s)")


def draw_published_throughput(ax: Axes, published: pd.DataFrame) -> None:
    """The published throughput with its ideal line, in gray."""
    nodes = published["nodes"]
    ax.plot(nodes, published["ideal_fovs_per_second"], ":", color=GRAY, label="ideal")
    ax.plot(nodes, published["fovs_per_second"], "s", color=GRAY, label=PUBLISHED)
    node_axis(ax, nodes)
    log_axis(ax, "y")
    ax.set_ylabel("Throughput (FOVs/s)")


def draw_efficiency(ax: Axes, table: pd.DataFrame, color: str, label: str) -> None:
    """Parallel efficiency of one weak- or strong-scaling series with its intervals."""
    _points(ax, table, "parallel_efficiency", color, label, line="-")


def draw_published_efficiency(ax: Axes, published: pd.DataFrame, at_2048: float) -> None:
    """Published efficiencies in gray, the one stated in the abstract (2048 nodes) open."""
    nodes = published["nodes"]
    # Below the measured points, which are what the figure is about.
    value = published["parallel_efficiency"]
    ax.plot(nodes, value, "s", color=GRAY, label=PUBLISHED, zorder=1.5)
    ax.plot([2048], [at_2048], "s", color=GRAY, mfc="white", label=f"{PUBLISHED} (abstract)")


def finish_efficiency(ax: Axes, nodes: list[int]) -> None:
    """Axes of an efficiency panel: from zero to a little above the ideal line at one."""
    ax.axhline(1, linestyle=":", color=GRAY, linewidth=1)
    node_axis(ax, nodes)
    ax.set_ylim(0, max(1.08, ax.dataLim.y1 * 1.05))
    ax.set_ylabel("Parallel efficiency")


def _points(
    ax: Axes, table: pd.DataFrame, column: str, color: str, label: str, line: str = ""
) -> None:
    value = table[column].to_numpy(dtype=float)
    bounds = [table[f"{column}_low"].to_numpy(float), table[f"{column}_high"].to_numpy(float)]
    error = np.nan_to_num(np.abs(np.stack(bounds) - value))
    ax.errorbar(table["nodes"], value, yerr=error, fmt="none", color=color)
    # Drawn and labeled apart from the bars, which a legend would list last.
    ax.plot(table["nodes"], value, f"o{line}", color=color, label=label)


_INTERVALS = "Points are means over repeats; bars are 95 % t intervals, where there are repeats."
_EMULATED = "Emulated nodes add no hardware and are left out."
_PUBLISHED_BASELINE = "The published baseline is 1 node."


def throughput(study: Study) -> Drawing:
    """Throughput against nodes with the ideal line, beside the published one."""
    shown, series = real_series(study)
    weak = [one for one in series if one.kind == "weak"]
    if not weak:
        raise NothingToDraw("no two real node counts share the same local batch size")
    figure, (ours, theirs) = panels(2, height_in=2.4)
    for color, one in zip(SERIES, weak, strict=False):
        plots.draw_throughput(ours, one.table, color, one.label)
    _whole_node_axis(ours, weak)
    ours.set_title(f"this study, {_baselines(weak)}")
    plots.draw_published_throughput(theirs, published.throughput())
    theirs.set_title(PUBLISHED_TITLE)
    legend_below(figure, _handles((ours, theirs)))
    return Drawing(
        figure,
        "Training throughput of all ranks against nodes, measured here and published. Networks and"
        " machines differ: compare the shapes.",
        notes(
            "Ideal: the throughput of the baseline times the number of nodes over it.",
            _INTERVALS,
            f"This study: {_baselines(weak)}. {_PUBLISHED_BASELINE}",
            _EMULATED,
            describe_runs(shown),
        ),
    )


def _handles(axes: Iterable[Axes]) -> list[Artist]:
    """Every labeled mark of some axes, the same label once."""
    found = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in axes]
    return list({label: handle for pairs in found for handle, label in pairs}.values())


def efficiency(study: Study) -> Drawing:
    """Parallel efficiency against nodes, with the published values in gray."""
    shown, series = real_series(study)
    reference = published.throughput()
    figure, (ax,) = panels(1, height_in=3.0, most_width_in=4.9)
    for color, one in zip(SERIES, series, strict=False):
        plots.draw_efficiency(ax, one.table, color, one.label)
    coupling = shown.dropna(subset=["coupling_efficiency"])
    if not coupling.empty:
        mean = coupling.groupby("nodes")["coupling_efficiency"].mean()
        ax.plot(mean.index, mean, "D", mfc="white", color=PURPLE, label="coupling efficiency")
    plots.draw_published_efficiency(ax, reference, published.EFFICIENCY_AT_2048_NODES)
    measured = {int(n) for one in series for n in one.table["nodes"]}
    plots.finish_efficiency(ax, sorted({*measured, *reference["nodes"], 2048}))
    ax.set_title(_baselines(series))
    # Below: efficiencies may lie anywhere in the panel.
    legend_below(figure, _handles([ax]))
    return Drawing(
        figure,
        f"Parallel efficiency against nodes, {_baselines(series)}; published: 1 node. One is"
        " perfect scaling.",
        notes(
            "Weak scaling: fps(N) / (N/N0 fps(N0)). Strong scaling: T0 N0 / (T N).",
            _INTERVALS,
            ""
            if coupling.empty
            else "Coupling efficiency: throughput of ranks training together over that of the same"
            " ranks uncoupled on the same cores.",
            _EMULATED,
            describe_runs(shown),
        ),
    )


def real_series(study: Study) -> tuple[pd.DataFrame, list[ScalingSeries]]:
    """The runs on real nodes and the scaling curves they form.

    Raises:
        NothingToDraw: there is no such curve.
    """
    real = measured_alone(study.finished[~study.finished["emulated"]])
    series = scaling_series(real, study.baseline_nodes)
    if not series:
        counts = sorted({int(n) for n in real["nodes"]})
        raise NothingToDraw(
            "scaling needs finished runs on at least two real node counts (ranks = nodes) with "
            "the same batch size, one after another; there are: "
            f"{', '.join(map(str, counts)) or 'none'}"
        )
    return real.dropna(subset=["fovs_per_second"]), series


def _whole_node_axis(ax: plots.Axes, series: list[ScalingSeries]) -> None:
    plots.node_axis(ax, {int(n) for one in series for n in one.table["nodes"]})


def _baselines(series: list[ScalingSeries]) -> str:
    counts = sorted({int(one.table["baseline_nodes"].iloc[0]) for one in series})
    plural = "s" if counts != [1] else ""
    return f"baseline {', '.join(map(str, counts))} node{plural}"
