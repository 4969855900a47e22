"""Time of a step by phase, and what waiting for the slowest rank costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.figures import step_time as phase_plots
from analysis.figures.style import (
    BLUE,
    COLUMN_WIDTH_IN,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    Drawing,
    node_axis,
    node_colors,
    panels,
    sentences,
)
from analysis.runs.grouping import groups
from analysis.runs.study import NothingToDraw, Study, describe_runs
from analysis.stats.step_time import phase_table, slowest_shares, wait_table
from ffn_core.metric_names import SLOWEST_RANK, STEP_S, STRAGGLER_WAIT_S

PHASES = {
    "compute": BLUE,
    "allreduce": ORANGE,
    "straggler wait": PURPLE,
    "input": GREEN,
    "update": SKY,
    "other": GRAY,
}


def draw_phases(ax: Axes, table: pd.DataFrame) -> None:
    """Stacked bars, one per node count; emulated ones hatched.

    Args:
        ax: to draw on.
        table: columns nodes, emulated and one per phase of `PHASES`, in milliseconds.
    """
    bottom = np.zeros(len(table))
    for phase, color in PHASES.items():
        height = table[phase].to_numpy(dtype=float)
        bars = ax.bar(range(len(table)), height, bottom=bottom, color=color, width=0.7)
        bars.set_label(phase)
        for bar, emulated in zip(bars, table["emulated"], strict=True):
            if emulated:
                bar.set(hatch="////", edgecolor="white", linewidth=0)
        bottom += height
    ax.set_xticks(range(len(table)), [f"{n}" for n in table["nodes"]])
    ax.grid(axis="x", visible=False)
    ax.set_xlabel("Nodes")
    ax.set_ylabel("Time per FOV of one rank (ms)")


def emulated_handle() -> Patch:
    """Legend entry for the hatching."""
    return Patch(facecolor=GRAY, edgecolor="white", hatch="////", linewidth=0)


def phase_breakdown(study: Study) -> Drawing:
    """Compute, allreduce, waiting and input time per node count."""
    shown = study.finished.dropna(subset=["step_s"])
    if shown.empty:
        raise NothingToDraw(f"no finished run recorded {STEP_S}")
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


def draw_shares(ax: Axes, table: pd.DataFrame) -> None:
    """How often each rank was the slowest, over what chance gives, one color per rank count.

    Args:
        ax: to draw on.
        table: from `analysis.stats.step_time.slowest_shares`.
    """
    colors = node_colors(table["ranks"])
    for ranks, group in groups(table, "ranks"):
        ratio = group["share"] * group["ranks"]
        ax.plot(
            group["rank"], ratio, "o-", color=colors[ranks], markersize=3.5, label=f"{ranks} ranks"
        )
    ax.axhline(1, color=GRAY, linestyle=":", linewidth=1)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set(xlabel="Rank", ylabel="Times slowest over equal share", ylim=(0, None))


def draw_waits(ax: Axes, table: pd.DataFrame, points: pd.DataFrame) -> None:
    """Share of a step spent waiting against ranks: means with intervals, small points: runs.

    Args:
        ax: to draw on.
        table: from `analysis.stats.step_time.wait_table`.
        points: ranks and share, one row per run.
    """
    ax.plot(points["ranks"], 100 * points["share"], "o", color=BLUE, alpha=0.4, markersize=2, mew=0)
    value = 100 * table["share"].to_numpy(float)
    bounds = 100 * table[["low", "high"]].to_numpy(float).T
    error = np.nan_to_num(np.abs(bounds - value))
    ax.errorbar(table["ranks"], value, yerr=error, fmt="none", color=BLUE)
    ax.plot(table["ranks"], value, "o-", color=BLUE)
    node_axis(ax, [1, *table["ranks"].astype(int)])
    ax.set(xlabel="Ranks", ylabel="Wait for the slowest (% of step)", ylim=(0, None))


def stragglers(study: Study) -> Drawing:
    """How often each rank was the slowest, and the wait for it against ranks."""
    finished = study.finished.dropna(subset=["straggler_wait_s", "step_s"])
    if finished.empty:
        raise NothingToDraw(f"no finished run recorded {STRAGGLER_WAIT_S}")
    shown = finished[finished["ranks"] > 1]
    if shown.empty:
        raise NothingToDraw("every finished run has one rank, which does not wait")
    records = study.curves(SLOWEST_RANK, shown)
    if records.empty:
        raise NothingToDraw(f"no finished run recorded {SLOWEST_RANK}")
    figure, (slowest, waits) = panels(2, height_in=2.6)
    shares = slowest_shares(records)
    draw_shares(slowest, shares)
    slowest.legend(loc="best")
    single = shown.assign(share=shown["straggler_wait_s"] / shown["step_s"])
    draw_waits(waits, wait_table(shown), single)
    counts = shares.drop_duplicates("ranks").set_index("ranks")["records"]
    listed = ", ".join(f"{n} on {ranks} ranks" for ranks, n in counts.items())
    caption = sentences(
        "Left: how often each rank was the slowest of a record (its own time, without waiting),"
        f" over the share that chance would give it (dotted); records: {listed}.",
        "Right: mean over ranks of the time spent waiting for the slowest rank before the"
        " allreduce, as a share of the step; means over runs with 95 % t intervals where there are"
        " repeats, small points: runs. Runs on one rank are left out.",
        "Times are those of the ranks, whether they carry one node each or several emulated ones."
        if shown["emulated"].any()
        else "",
        describe_runs(shown),
    )
    return Drawing(figure, caption)
