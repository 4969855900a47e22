"""What the figures of curves along training share: one colour per node count, and its legend."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots import curves as plots
from analysis.plots.axes import node_colours, node_handles, style_handles
from analysis.runs.grouping import groups, varies
from analysis.runs.study import NothingToDraw

# Metric -> axis label and lowest limit (accuracy starts at the share of background voxels).
SCORES = {
    "validation/f1": ("Validation F1", 0.0),
    "validation/accuracy": ("Validation accuracy", 0.5),
}


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that have a validation F1.

    Raises:
        NothingToDraw: none has.
    """
    kept = table.dropna(subset=["final_f1"])
    if kept.empty:
        raise NothingToDraw("no finished run recorded validation/f1")
    return kept


def draw_per_nodes(
    ax: Axes, rows: pd.DataFrame, x: str, ylim: tuple[float, float] | None = None
) -> None:
    """One curve per node count, with the range over its seeds."""
    colours = node_colours(rows["nodes"])
    for nodes, group in groups(rows, "nodes"):
        emulated = bool(group["emulated"].iloc[0])
        plots.draw_curve(ax, group, x, colours[nodes], str(nodes), emulated)
    ax.set_xlim(0, None)
    if ylim is not None:
        ax.set_ylim(*ylim)


def score_limits(rows: pd.DataFrame, lowest: float) -> tuple[float, float]:
    """From `lowest`, or the tenth below the smallest value, to 1.

    The margin keeps a run that never left the bottom visible.
    """
    tenth = np.floor(10 * rows["value"].min()) / 10
    return float(np.fmin(lowest, tenth)) - 0.02, 1.0


def legends(
    figure: Figure, shown: pd.DataFrame, published_colours: dict[int, str] | None = None
) -> None:
    """Legends at the right of the panels: this study above, the published curves below."""
    handles = node_handles(node_colours(shown["nodes"]))
    handles += style_handles(shown["emulated"].tolist())
    title = "this study" if published_colours else None
    figure.legend(handles=handles, loc="outside right upper", title=title, alignment="left")
    if published_colours:
        figure.legend(
            handles=node_handles(published_colours),
            loc="outside right lower",
            title="published",
            alignment="left",
        )


def describe_band(shown: pd.DataFrame) -> str:
    """What lines and bands are, for the caption; nothing to say of single runs."""
    if not varies(shown["seed"]):
        return "One seed."
    return "Lines are means over seeds, bands the range from the lowest to the highest seed."


def describe_emulated(shown: pd.DataFrame, timed: bool = False) -> str:
    """What dashed lines are, for the caption."""
    if not shown["emulated"].any():
        return ""
    if timed:
        return (
            "Dashed: emulated nodes, whose time is that of the ranks that carried them and says"
            " nothing about a cluster."
        )
    return "Dashed: emulated nodes."


def time_unit(longest_s: float) -> tuple[float, str]:
    """Seconds in a unit, and its name: hours or minutes where there are at least two of them."""
    units: Iterable[tuple[float, str]] = ((3600.0, "h"), (60.0, "min"))
    return next(((s, name) for s, name in units if longest_s >= 2 * s), (1.0, "s"))
