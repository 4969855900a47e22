"""Figure of the laws that the best learning rate follows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.style import (
    DARK,
    GRAY,
    SERIES,
    Drawing,
    legend_below,
    log_axis,
    node_axis,
    notes,
    panels,
)
from analysis.models.learning_rate_law_fits import LawFit, fit_law
from analysis.models.learning_rate_laws import LAWS
from analysis.models.rate_scans import AT_HIGHEST, AT_LOWEST, BEFORE_FAILURE, FLAT, INSIDE
from analysis.runs.scanned_rates import ScannedRates, own_scans, published_scan, scans_of
from analysis.runs.study import Study, describe_runs

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
    handles += [_mark(status) for status in _MARKS if status in seen]
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


def _mark(status: str) -> Line2D:
    fill = DARK if status == INSIDE else "white"
    marker = MARKERS[status]
    return Line2D(
        [], [], color=DARK, marker=marker, mfc=fill, linestyle="none", label=_MARKS[status]
    )
