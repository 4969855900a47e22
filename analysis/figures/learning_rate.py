"""Figures of the learning rates tried per node count, and of the laws that the best follow."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from analysis.figures.style import (
    DARK,
    GRAY,
    SERIES,
    VERMILION,
    Drawing,
    legend_below,
    log_axis,
    node_axis,
    notes,
    panels,
)
from analysis.models.learning_rate_law_fits import LawFit, fit_law
from analysis.models.learning_rate_laws import LAWS
from analysis.models.rate_scans import (
    AT_HIGHEST,
    AT_LOWEST,
    BEFORE_FAILURE,
    FLAT,
    INSIDE,
    grid_exponent,
)
from analysis.reference import published
from analysis.runs.grouping import groups
from analysis.runs.scanned_rates import (
    LEAST_RATES,
    MOVING,
    ScannedRates,
    own_scans,
    published_scan,
    scans_of,
)
from analysis.runs.study import Study, describe_runs
from analysis.stats.learning_rates import best_rates, fit_power_law, normalized_accuracy

# Color range of the published figure, so that the panels compare.
ACCURACY_RANGE = (0.94, 1.0)
REAL, EMULATED, PUBLISHED_MARK = "o", "D", "s"


def draw_scan(ax: Axes, scan: pd.DataFrame, base: tuple[int, float]) -> PathCollection:
    """Every rate tried, the best per node count ringed, with linear and square-root lines.

    Args:
        ax: both axes become logarithmic.
        scan: columns nodes, lr_peak, normalized_accuracy, best (bool), marker (of matplotlib).
        base: nodes and rate through which the lines go.

    Returns:
        One of the scatters, for a color bar; all share its colors.
    """
    nodes = np.array([scan["nodes"].min(), scan["nodes"].max()], dtype=float)
    for exponent, style, label in ((1.0, "-", "linear"), (0.5, "--", "square root")):
        rates = base[1] * (nodes / base[0]) ** exponent
        ax.plot(nodes, rates, style, color=DARK, linewidth=1, label=label)
    for marker, rows in groups(scan.sort_values("normalized_accuracy"), "marker"):
        scatter = ax.scatter(
            rows["nodes"],
            rows["lr_peak"],
            c=rows["normalized_accuracy"],
            vmin=ACCURACY_RANGE[0],
            vmax=ACCURACY_RANGE[1],
            s=20,
            zorder=3,
            edgecolor="white",
            linewidth=0.4,
            marker=marker,
        )
    best = scan[scan["best"]]
    ax.scatter(
        best["nodes"],
        best["lr_peak"],
        s=52,
        facecolor="none",
        edgecolor=VERMILION,
        linewidth=1,
        zorder=4,
        label="best",
    )
    node_axis(ax, scan["nodes"].astype(int))
    log_axis(ax, "y")
    ax.set_ylabel("Learning rate")
    return scatter


_COUNTS_FOR_EXPONENT = 3


def learning_rate(study: Study) -> Drawing:
    """Every rate tried against nodes, colored by normalized accuracy, beside the published."""
    scans = scans_of(study)
    figure, axes = panels(len(scans) + 1, height_in=2.6, least_panel_in=2.0)
    found = []
    for ax, (label, rows) in zip(axes, scans.items(), strict=False):
        table = normalized_accuracy(rows.rename(columns={"final_accuracy": "accuracy"}))
        emulated = table["nodes"].map(rows.groupby("nodes")["emulated"].first())
        table["marker"] = np.where(emulated, EMULATED, REAL)
        best = best_rates(table)
        base = (int(best["nodes"].iloc[0]), float(best["lr_peak"].iloc[0]))
        draw_scan(ax, table, base)
        ax.set_title(f"this study, {label}")
        found.append(_finding(label, table))
    reference = published.learning_rate_scan()
    reference = reference.rename(
        columns={"learning_rate": "lr_peak", "best_at_node_count": "best"}
    ).astype({"best": bool})
    scatter = draw_scan(axes[-1], reference.assign(marker=PUBLISHED_MARK), (1, 1e-5))
    axes[-1].set_title("published")
    figure.colorbar(scatter, ax=axes, label="Normalized accuracy", extend="min", pad=0.01)
    shown = pd.concat(scans.values())
    handles, _ = axes[-1].get_legend_handles_labels()
    handles += [_node_mark(EMULATED if e else REAL, e) for e in sorted(set(shown.emulated))]
    legend_below(figure, handles)
    return Drawing(
        figure,
        "Learning rates tried against nodes, colored by normalized accuracy: over the best at that"
        " node count. Lines scale with the nodes from the best rate at the fewest.",
        notes(
            f"Accuracy is `{study.score.accuracy}`, mean of the last {study.score.last} evaluations"
            " and of the seeds; values below 0.94 have the darkest color.",
            f"Published ({published.ARXIV}): lines from 1e-5 at 1 node; two rates at 4 nodes tie at"
            " the top of the scale.",
            *found,
            describe_runs(shown),
        ),
    )


def _node_mark(marker: str, emulated: bool) -> Line2D:
    label = "emulated nodes" if emulated else "real nodes"
    return Line2D([], [], color=DARK, linestyle="none", marker=marker, label=label)


def _finding(label: str, table: pd.DataFrame) -> str:
    """What the scan says about the exponent, once it tried enough rates to have a best one."""
    tried = table.groupby("nodes")["lr_peak"].transform("count")
    best = best_rates(table[tried >= LEAST_RATES])
    if len(best) < _COUNTS_FOR_EXPONENT:
        return (
            f"With {label} no exponent is fitted: that takes {LEAST_RATES} rates at each of "
            f"{_COUNTS_FOR_EXPONENT} node counts."
        )
    law = fit_power_law(best["nodes"].to_numpy(float), best["lr_peak"].to_numpy(float))
    edges = best.loc[best["at_edge"], "nodes"]
    edge = ""
    if not edges.empty:
        counts = ", ".join(str(n) for n in edges)
        edge = f" The best is at the edge of what was tried at nodes {counts}."
    grid = grid_exponent(table["nodes"].to_numpy(), table["lr_peak"].to_numpy())
    if abs(grid) > MOVING:
        edge += f" The rates tried grow as nodes^{grid:.2f} themselves, and noise picks among them."
    return (
        f"With {label} the best rate grows as nodes^{law.exponent:.2f} (95 % interval "
        f"{law.exponent_low:.2f} to {law.exponent_high:.2f}); linear scaling is 1, square-root "
        f"0.5.{edge}"
    )


# Best rates of which only a bound is known point to where the best may lie.
MARKERS = {INSIDE: "o", AT_LOWEST: "v", AT_HIGHEST: "^", BEFORE_FAILURE: "D"}
_CURVE_POINTS = 120


def draw_tried(ax: Axes, tried: pd.DataFrame) -> None:
    """Every rate tried, as a small gray dot: columns nodes and lr_peak. Sets both axes."""
    ax.plot(tried["nodes"], tried["lr_peak"], ".", color=GRAY, markersize=2.5, label="tried")
    node_axis(ax, tried["nodes"].astype(int))
    log_axis(ax, "y")
    ax.set_ylabel("Learning rate")


def draw_best(ax: Axes, best: pd.DataFrame) -> None:
    """Best rates with their intervals, open where they are bounds; none where none is seen.

    Args:
        ax: both axes logarithmic.
        best: as `rate_scans.best_rates_of`. Intervals are cut at the limits of the axes.
    """
    low_limit, high_limit = ax.get_ylim()
    seen = best[best["status"] != FLAT]
    for nodes, rate, low, high, status in seen.itertuples(index=False, name=None):
        inside = status == INSIDE
        if inside and np.isfinite(low):
            ends = np.clip([low, high], low_limit, high_limit)
            ax.plot([nodes] * 2, ends, color=DARK, linewidth=0.9, zorder=4)
        fill = DARK if inside else "white"
        ax.plot([nodes], [rate], MARKERS[status], color=DARK, mfc=fill, markersize=4.5, zorder=5)
    ax.set_ylim(low_limit, high_limit)


def draw_law(ax: Axes, fit: LawFit, nodes: np.ndarray, color: str, label: str) -> None:
    """A law over the range of (n,) node counts."""
    curve = np.geomspace(nodes.min(), nodes.max(), _CURVE_POINTS)
    ax.plot(curve, fit.rate(curve), color=color, linewidth=1, label=label)


_MARKS = {
    INSIDE: "best rate",
    AT_HIGHEST: "highest tried",
    AT_LOWEST: "lowest tried",
    BEFORE_FAILURE: "next to rates that fail",
}


def learning_rate_laws(study: Study) -> Drawing:
    """The laws on the published best rates and on those of this study's scans."""
    scans = [published_scan(), *own_scans(study)]
    figure, axes = panels(len(scans), height_in=3.0, least_panel_in=2.0)
    for ax, scan in zip(axes, scans, strict=True):
        _panel(ax, scan)
    seen = {status for scan in scans for status in scan.best["status"]}
    handles = [Line2D([], [], color=GRAY, marker=".", linestyle="none", label="tried")]
    handles += [_law_mark(status) for status in _MARKS if status in seen]
    if any((scan.best["status"] == INSIDE).any() for scan in scans[1:]):
        handles.append(Line2D([], [], color=DARK, lw=0.9, label="95 % interval"))
    legend_below(figure, handles)
    return Drawing(
        figure,
        "Best learning rate against nodes, and laws fitted to it. Numbers: how far the AICc of a"
        " law is above the lowest.",
        notes(
            "Open marks are bounds of a best rate that lies outside those tried.",
            f"Lowest AICc: {'; '.join(scan.likeliest() for scan in scans)}.",
            describe_runs(pd.concat(scans_of(study).values())),
        ),
    )


def _panel(ax: Axes, scan: ScannedRates) -> None:
    draw_tried(ax, scan.tried)
    draw_best(ax, scan.best)
    behind = scan.laws.set_index("law")["delta_aicc"].astype(float)
    lines = 0
    for law, color in zip(LAWS, SERIES, strict=False):
        try:
            fit = fit_law(law, scan.observations)
        except ValueError:
            continue
        apart = f": {behind[law.name]:.1f}" if behind.notna()[law.name] else ""
        draw_law(ax, fit, scan.observations.nodes, color, f"{law.name}{apart}")
        lines += 1
    ax.set_title(scan.label)
    if lines:
        handles = ax.get_lines()[-lines:]
        legend = ax.legend(handles=handles, loc="best", title="ΔAICc", alignment="left")
        legend.set_frame_on(True)
        legend.get_frame().set(edgecolor="none", alpha=0.85)
    else:
        reason = "no law fitted:\nno best rate inside the grid"
        ax.text(0.04, 0.96, reason, transform=ax.transAxes, va="top", color=DARK)


def _law_mark(status: str) -> Line2D:
    fill = DARK if status == INSIDE else "white"
    marker = MARKERS[status]
    return Line2D(
        [], [], color=DARK, marker=marker, mfc=fill, linestyle="none", label=_MARKS[status]
    )
