"""Throughput and parallel efficiency against nodes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import throughput as plots
from analysis.figures.style import (
    COLUMN_WIDTH_IN,
    GRAY,
    PUBLISHED,
    PUBLISHED_TITLE,
    PURPLE,
    SERIES,
    Drawing,
    log_axis,
    node_axis,
    panels,
    sentences,
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
    """Parallel efficiency of one weak- or strong-scaling series with its intervals.

    The band joins the intervals; at the baseline, 1 by definition, it has no width.
    """
    known = table["parallel_efficiency_low"].notna() | (table["nodes"] == table["baseline_nodes"])
    band = table[known].fillna({"parallel_efficiency_low": 1.0, "parallel_efficiency_high": 1.0})
    low, high = band["parallel_efficiency_low"], band["parallel_efficiency_high"]
    if len(band) > 1:
        ax.fill_between(band["nodes"], low, high, color=color, alpha=0.15, linewidth=0)
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


_INTERVALS = "Points are means over repeats with 95 % t intervals where there are repeats."
_PUBLISHED_BASELINE = "The published baseline is 1 node."


def throughput(study: Study) -> Drawing:
    """Throughput against nodes with the ideal line, beside the published one."""
    shown, series = real_series(study)
    weak = [one for one in series if one.kind == "weak"]
    if not weak:
        raise NothingToDraw("no two real node counts share the same local batch size")
    figure, (ours, theirs) = panels(2)
    for color, one in zip(SERIES, weak, strict=False):
        plots.draw_throughput(ours, one.table, color, one.label)
    _whole_node_axis(ours, weak)
    ours.set_title(f"this study, {_baselines(weak)}")
    ours.legend(loc="best")
    plots.draw_published_throughput(theirs, published.throughput())
    theirs.set_title(PUBLISHED_TITLE)
    theirs.legend(loc="lower right")
    caption = sentences(
        "Training throughput over all ranks against nodes; dotted: the baseline's throughput",
        "times the number of nodes.",
        _INTERVALS,
        f"This study: {_baselines(weak)}.",
        _PUBLISHED_BASELINE,
        "The panels are not comparable in absolute value: networks and machines differ.",
        describe_runs(shown),
        "Emulated nodes add no hardware and are left out.",
    )
    return Drawing(figure, caption)


def efficiency(study: Study) -> Drawing:
    """Parallel efficiency against nodes, with the published values in gray."""
    shown, series = real_series(study)
    reference = published.throughput()
    figure, (ax,) = panels(1, width_in=COLUMN_WIDTH_IN * 1.45, height_in=3.1)
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
    # Outside: efficiencies may lie anywhere in the panel.
    figure.legend(loc="outside lower center", ncols=2)
    caption = sentences(
        "Parallel efficiency against nodes: weak, fps(N) / (N/N0 fps(N0)); strong, T0 N0 / (T N).",
        f"This study: {_baselines(series)}.",
        _PUBLISHED_BASELINE,
        _INTERVALS,
        "Bands join the intervals." if _repeated(series) else "",
        ""
        if coupling.empty
        else "Coupling efficiency is the throughput of ranks training together over that of the "
        "same ranks uncoupled on the same cores.",
        describe_runs(shown),
        "Emulated nodes add no hardware and are left out.",
    )
    return Drawing(figure, caption)


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


def _repeated(series: list[ScalingSeries]) -> bool:
    return any(bool(one.table["parallel_efficiency_low"].notna().any()) for one in series)


def _baselines(series: list[ScalingSeries]) -> str:
    counts = sorted({int(one.table["baseline_nodes"].iloc[0]) for one in series})
    plural = "s" if counts != [1] else ""
    return f"baseline {', '.join(map(str, counts))} node{plural}"
