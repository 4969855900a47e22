"""Figures of throughput, parallel efficiency and the phases of a step."""

from __future__ import annotations

import pandas as pd

from analysis import published
from analysis.charts.drawing import (
    COLUMN_WIDTH_IN,
    PUBLISHED_TITLE,
    Drawing,
    panels,
    sentences,
)
from analysis.plots import phases as phase_plots
from analysis.plots import scaling as plots
from analysis.plots.axes import PURPLE, SERIES
from analysis.runs.study import Material, NothingToDraw, describe_runs
from analysis.stats.scaling import ScalingSeries, scaling_series
from analysis.stats.step_time import phase_table

_INTERVALS = "Points are means over repeats with 95 % t intervals where there are repeats."
_PUBLISHED_BASELINE = "The published baseline is 1 node."


def throughput(material: Material) -> Drawing:
    """Throughput against nodes with the ideal line, beside the published one."""
    shown, series = real_series(material)
    weak = [one for one in series if one.kind == "weak"]
    if not weak:
        raise NothingToDraw("no two real node counts share the same local batch size")
    figure, (ours, theirs) = panels(2)
    for colour, one in zip(SERIES, weak, strict=False):
        plots.draw_throughput(ours, one.table, colour, one.label)
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


def efficiency(material: Material) -> Drawing:
    """Parallel efficiency against nodes, with the published values in grey."""
    shown, series = real_series(material)
    reference = published.throughput()
    figure, (ax,) = panels(1, width_in=COLUMN_WIDTH_IN * 1.45, height_in=3.1)
    for colour, one in zip(SERIES, series, strict=False):
        plots.draw_efficiency(ax, one.table, colour, one.label)
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


def phase_breakdown(material: Material) -> Drawing:
    """Compute, allreduce, waiting and input time per node count."""
    shown = material.finished.dropna(subset=["step_s"])
    if shown.empty:
        raise NothingToDraw("no finished run recorded time/step_s")
    table = phase_table(shown)
    width_in = min(7.0, 2.2 + 0.42 * len(table))
    figure, (ax,) = panels(1, width_in=max(width_in, COLUMN_WIDTH_IN), height_in=2.5)
    phase_plots.draw_phases(ax, table)
    handles, labels = ax.get_legend_handles_labels()
    emulated = table["emulated"].any()
    if emulated:
        handles.append(phase_plots.emulated_handle())
        labels.append("emulated nodes")
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper")
    caption = sentences(
        "Time per FOV of one rank by phase, mean over ranks and runs: step time over the FOVs each",
        "rank works through in a step (nodes x local batch / ranks).",
        "Hatched: emulated nodes, whose times are those of the ranks that carried them."
        if emulated
        else "",
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def real_series(material: Material) -> tuple[pd.DataFrame, list[ScalingSeries]]:
    """The runs on real nodes and the scaling curves they form.

    Raises:
        NothingToDraw: there is no such curve.
    """
    real = material.finished[~material.finished["emulated"]]
    series = scaling_series(real)
    if not series:
        counts = sorted({int(n) for n in real["nodes"]})
        raise NothingToDraw(
            "scaling needs finished runs on at least two real node counts (ranks = nodes) with "
            f"the same batch size; there are: {', '.join(map(str, counts)) or 'none'}"
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
