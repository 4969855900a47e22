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
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    Drawing,
    legend_below,
    node_axis,
    node_color,
    notes,
    panels,
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
    return Patch(
        facecolor=GRAY, edgecolor="white", hatch="////", linewidth=0, label="emulated nodes"
    )


def phase_breakdown(study: Study) -> Drawing:
    """Compute, allreduce, waiting and input time per node count."""
    shown = study.finished.dropna(subset=["step_s"])
    if shown.empty:
        raise NothingToDraw(f"no finished run recorded {STEP_S}")
    table = phase_table(shown)
    figure, (ax,) = panels(1, height_in=2.8, most_width_in=max(3.4, 1.4 + 0.42 * len(table)))
    phase_plots.draw_phases(ax, table)
    handles, _ = ax.get_legend_handles_labels()
    emulated = table["emulated"].any()
    if emulated:
        handles.append(phase_plots.emulated_handle())
    legend_below(figure, handles)
    return Drawing(
        figure,
        "Time per FOV of one rank by phase of the step, mean over ranks and runs.",
        notes(
            "Time per FOV: step time over the FOVs each rank works through in a step (nodes x local"
            " batch / ranks).",
            "Times of emulated nodes are those of the ranks that carried them." if emulated else "",
            describe_runs(shown),
        ),
    )


def draw_shares(ax: Axes, table: pd.DataFrame) -> None:
    """How often each rank was the slowest, over what chance gives, one color per rank count.

    Ranks are categories: points side by side, no line between them.

    Args:
        ax: to draw on.
        table: from `analysis.stats.step_time.slowest_shares`.
    """
    counts = sorted(table["ranks"].unique())
    for ranks, group in groups(table, "ranks"):
        ratio = group["share"] * group["ranks"]
        aside = _SPREAD * (counts.index(ranks) - (len(counts) - 1) / 2) / len(counts)
        color = node_color(ranks)
        ax.vlines(group["rank"] + aside, 1, ratio, color=color, linewidth=0.8)
        ax.plot(
            group["rank"] + aside, ratio, "o", color=color, markersize=3.5, label=f"{ranks} ranks"
        )
    ax.axhline(1, color=GRAY, linestyle=":", linewidth=1, label="equal share")
    most = table["rank"].max()
    ax.set_xlim(-0.6, most + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    top = 1.15 * max(1.0, float((table["share"] * table["ranks"]).max()))
    ax.set(xlabel="Rank", ylabel="Slowest, over chance", ylim=(0, top))


_SPREAD = 0.7


def draw_waits(ax: Axes, table: pd.DataFrame, points: pd.DataFrame) -> None:
    """Share of a step spent waiting against ranks: means with intervals, small points: runs.

    Args:
        ax: to draw on.
        table: from `analysis.stats.step_time.wait_table`.
        points: ranks and share, one row per run.
    """
    share = 100 * points["share"]
    ax.plot(points["ranks"], share, "o", color=BLUE, alpha=0.4, ms=2, mew=0, label="run")
    value = 100 * table["share"].to_numpy(float)
    bounds = 100 * table[["low", "high"]].to_numpy(float).T
    error = np.nan_to_num(np.abs(bounds - value))
    ax.errorbar(table["ranks"], value, yerr=error, fmt="none", color=BLUE)
    ax.plot(table["ranks"], value, "o-", color=BLUE, label="mean over runs")
    node_axis(ax, [1, *table["ranks"].astype(int)])
    ax.set(xlabel="Ranks", ylabel="Wait (% of step)", ylim=(0, None))


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
    shares = slowest_shares(records)
    table = wait_table(shown)
    several = len(table) > 1
    figure, axes = panels(2 if several else 1, height_in=2.2, most_width_in=7.0 if several else 3.4)
    draw_shares(axes[0], shares)
    if several:
        single = shown.assign(share=shown["straggler_wait_s"] / shown["step_s"])
        draw_waits(axes[1], table, single)
    legend_below(figure, [h for ax in axes for h in ax.get_legend_handles_labels()[0]])
    counts = shares.drop_duplicates("ranks").set_index("ranks")["records"]
    listed = ", ".join(f"{n} on {ranks} ranks" for ranks, n in counts.items())
    return Drawing(
        figure,
        "How often each rank was the slowest of a record, over the share that chance would give it."
        + (" Right: time spent waiting for the slowest." if several else ""),
        notes(
            "A rank is slowest by its own time, without waiting.",
            f"Records: {listed}.",
            f"Waiting before the allreduce, share of a step, mean over ranks: {_waits(table)}"
            " (95 % t intervals, where there are repeats). One rank does not wait.",
            "Times are those of the ranks, whether they carry one node each or several emulated"
            " ones."
            if shown["emulated"].any()
            else "",
            describe_runs(shown),
        ),
    )


def _waits(table: pd.DataFrame) -> str:
    """``5.0 % (4.1 to 5.9) on 2 ranks``."""
    said = []
    for row in table.to_dict("records"):
        known = np.isfinite(row["low"])
        within = f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})" if known else ""
        said.append(f"{100 * row['share']:.1f} %{within} on {row['ranks']:g} ranks")
    return ", ".join(said)
