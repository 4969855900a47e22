"""Figure of the time to a target against its cost in node-hours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from analysis.figures.cost_to_target import reached_targets
from analysis.figures.curves import time_unit
from analysis.figures.style import (
    DARK,
    GRAY,
    PUBLISHED_TITLE,
    SERIES,
    Drawing,
    legend_below,
    line_style,
    log_axis,
    marker_fill,
    notes,
    panels,
)
from analysis.models.critical_batch import fit_runs
from analysis.models.model_average import ThroughputModel, modeled_throughput
from analysis.models.predictor import Predictor
from analysis.models.time_and_cost import MEASURED, MODELED, published_time_and_cost, time_and_cost
from analysis.reference import published
from analysis.runs.grouping import groups, varies
from analysis.runs.score import F1_TARGETS
from analysis.runs.study import (
    NothingToDraw,
    Study,
    describe_best,
    describe_runs,
    describe_score,
)

_LABEL_SIZE = 6.5


def draw_tradeoff(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    color: str,
    label: str,
    modeled: bool,
    marker: str = "o",
    named: bool = False,
    front: bool = True,
) -> None:
    """Node counts of one target joined by a line; the Pareto front underlaid.

    Args:
        ax: to draw on.
        table: nodes (increasing), x, y and pareto.
        x: column of the cost.
        y: column of the time or speed-up.
        color: of the target.
        label: legend entry.
        modeled: dashed with open markers.
        marker: of matplotlib.
        named: writes the node count at every point.
        front: underlays the Pareto front.
    """
    best = table[table["pareto"]]
    if front and len(best) > 1:
        ax.plot(best[x], best[y], color=color, alpha=0.2, linewidth=5, solid_capstyle="round")
    ax.plot(
        table[x],
        table[y],
        color=color,
        linestyle=line_style(modeled),
        marker=marker,
        markersize=3.5,
        mfc=marker_fill(modeled, color),
        label=label,
    )
    if named:
        for row in table.to_dict("records"):
            ax.annotate(
                f"{row['nodes']:g}",
                (row[x], row[y]),
                (5, 3),
                textcoords="offset points",
                fontsize=_LABEL_SIZE,
                color=DARK,
                path_effects=[withStroke(linewidth=2, foreground="white")],
                zorder=5,
            )


def draw_critical(ax: Axes, x: float, y: float, color: str) -> None:
    """Where the batch size is critical."""
    ax.plot([x], [y], "D", color=color, mfc="white", markersize=5.5, mew=1.3, zorder=4)


_COLORS = dict(zip(F1_TARGETS, SERIES, strict=False))
_PUBLISHED_TARGETS = (0.5, 0.7)
_LEAST_COUNTS, _LEAST_SEEDS = 3, 2


def time_against_cost(study: Study) -> Drawing:
    """Time to each F1 target against node-hours, speed-up against cost, beside the published."""
    shown = study.best.dropna(subset=["fovs_per_second", "final_f1"])
    reached = reached_targets(study, shown)
    throughput = modeled_throughput(shown)
    repeated = _repeated(reached)
    table = time_and_cost(repeated, throughput) if len(repeated) else repeated.assign(kind="")
    counts = table.groupby(["target", "kind"])["nodes"].transform("size")
    table = table[counts >= np.where(table["kind"] == MEASURED, 2, _LEAST_COUNTS)]
    if table.empty:
        raise NothingToDraw(
            f"a front takes {_LEAST_COUNTS} node counts of which {_LEAST_SEEDS} seeds or more all"
            " reached the target: see cost_to_target"
        )
    unit_s, unit = time_unit(3600 * table["hours"].max())
    per_hour = 3600 / unit_s
    figure, (time, gain, theirs) = panels(3, height_in=2.4)
    _draw_own(time, gain, table.assign(time=table["hours"] * per_hour))
    critical = _mark_critical(time, gain, reached, table, throughput, per_hour)
    _axes(time, "Node-hours", f"Time to target ({unit})")
    _axes(gain, "Node-hours over baseline", "Speed-up over baseline")
    _draw_published(theirs)
    legend_below(figure, _handles(table, bool(critical)))
    return Drawing(
        figure,
        "Time to an F1 target against the node-hours it costs, and speed-up against extra cost;"
        " numbers are nodes. Last panel: the published curves.",
        notes(
            *_about_own(table, throughput),
            *critical,
            "Published: first crossings of 0.5 and 0.7, without what could not be read.",
            describe_score(study, shown),
            describe_best(shown),
            describe_runs(shown),
        ),
    )


def _repeated(reached: pd.DataFrame) -> pd.DataFrame:
    """The node counts that have enough seeds: where one run crosses a target says little."""
    seeds = reached.groupby(["target", "nodes"])["run_id"].transform("nunique")
    return reached[seeds >= _LEAST_SEEDS]


def _draw_own(time: Axes, gain: Axes, table: pd.DataFrame) -> None:
    """Time against node-hours, and both over the baseline's, of this study's runs."""
    # One target's points carry their node counts: the highest that most of them reached.
    sizes = table.groupby("target").size()
    named = sizes[sizes == sizes.max()].index.max()
    for _, group in table.groupby(["target", "kind"]):
        target, kind = group["target"].iloc[0], group["kind"].iloc[0]
        for ax, x, y in ((time, "node_hours", "time"), (gain, "cost_ratio", "speedup")):
            draw_tradeoff(
                ax,
                group,
                x,
                y,
                _COLORS[target],
                f"F1 {target}, {kind}",
                kind == MODELED,
                named=target == named,
                front=ax is time,
            )
    gain.axvline(1, color=GRAY, linestyle=":", linewidth=1)
    time.set_title("this study")


def _about_own(table: pd.DataFrame, throughput: ThroughputModel) -> list[str]:
    """What the caption says of this study's panels."""
    bases = "; ".join(
        f"F1 {target} {kind}: {rows['nodes'].min()}"
        for (target, kind), rows in table.groupby(["target", "kind"])
    )
    return [
        "Pareto front: node counts that no other beats in both time and cost.",
        "Costs are geometric means over seeds, where all of them reached the target.",
        "Measured: wall time on real nodes."
        if (table["kind"] == MEASURED).any()
        else "No target was reached on two real node counts: nothing here is measured.",
        "Modeled: the FOVs that the runs needed (on real or emulated nodes) over"
        f" {throughput.node_fovs_per_second:.3g} FOVs/s per node, as one rank of these runs, times"
        f" the efficiency of the published scaling ({published.ARXIV}, models averaged by AICc).",
        f"Baseline: smallest node count ({bases}).",
    ]


def _mark_critical(
    time: Axes,
    gain: Axes,
    reached: pd.DataFrame,
    table: pd.DataFrame,
    throughput: ThroughputModel,
    per_hour: float,
) -> list[str]:
    """Mark the critical batch size of every target it can be fitted to, in the range tried."""
    per_node = reached["global_batch_size"] / reached["nodes"]
    if varies(per_node):
        return []
    local_batch = float(per_node.iloc[0])
    found = []
    for target, group in groups(reached, "target"):
        fit = fit_runs(group)
        base = table[(table["target"] == target) & (table["kind"] == MODELED)].head(1)
        if fit is None or base.empty or not fit.smallest <= fit.batch_size <= fit.largest:
            continue
        row = Predictor(throughput, fit, local_batch).table([fit.nodes(local_batch)]).iloc[0]
        first = base.iloc[0]
        draw_critical(time, row["node_hours"], row["hours"] * per_hour, _COLORS[target])
        draw_critical(
            gain,
            row["node_hours"] / first["node_hours"],
            first["hours"] / row["hours"],
            _COLORS[target],
        )
        found.append(f"F1 {target}: {fit.nodes(local_batch):.3g} nodes")
    if not found:
        return []
    return [f"Critical batch size (McCandlish et al. 2018, fitted): {'; '.join(found)}."]


def _draw_published(ax: Axes) -> None:
    vertices = published.f1_against_hours()
    vertices = vertices[vertices["reliability"] != "poor"]
    table = published_time_and_cost(vertices, _PUBLISHED_TARGETS)
    for target, group in groups(table, "target"):
        draw_tradeoff(
            ax,
            group,
            "node_hours",
            "hours",
            _COLORS[target],
            f"F1 {target}",
            modeled=False,
            marker="s",
            named=True,
        )
    _axes(ax, "Node-hours", "Time to target (h)")
    ax.set_title(PUBLISHED_TITLE)


def _axes(ax: Axes, x: str, y: str) -> None:
    log_axis(ax, "x")
    log_axis(ax, "y")
    ax.set(xlabel=x, ylabel=y)


def _handles(table: pd.DataFrame, critical: bool) -> list[Line2D]:
    targets = sorted({*table["target"], *_PUBLISHED_TARGETS})
    handles = [Line2D([], [], color=_COLORS[t], label=f"F1 {t}") for t in targets]
    if (table["kind"] == MEASURED).any():
        handles.append(Line2D([], [], color=DARK, marker="o", markersize=3.5, label="measured"))
    handles.append(
        Line2D(
            [],
            [],
            color=DARK,
            linestyle="--",
            marker="o",
            markersize=3.5,
            mfc="white",
            label="modeled",
        )
    )
    handles.append(Line2D([], [], color=DARK, marker="s", markersize=3.5, label="published"))
    handles.append(Line2D([], [], color=DARK, alpha=0.2, linewidth=5, label="Pareto front"))
    handles.append(Line2D([], [], color=GRAY, linestyle=":", lw=1, label="no extra cost"))
    if critical:
        mark = Line2D([], [], color=DARK, marker="D", mfc="white", linestyle="none")
        mark.set_label("critical batch")
        handles.append(mark)
    return handles
