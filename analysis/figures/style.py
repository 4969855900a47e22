"""What every figure shares: its frame, its axes and colors, and how captions are put together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from analysis.text import short_number
from ffn_core.files import REPOSITORY

# To be active while a chart is drawn and saved: `matplotlib.style.context(styles(width))`.
STYLE = REPOSITORY / "analysis" / "paper.mplstyle"
WIDTHS_IN = {"page": 7.0, "column": 3.4}
PUBLISHED_TITLE = "published"


def styles(width: str = "page") -> list[str | Path | dict[str, object]]:
    """What to draw in for one of `WIDTHS_IN`: the width of a page, or of one of its two columns."""
    return [STYLE, {"figure.figsize": (WIDTHS_IN[width], 2.5)}]


@dataclass(frozen=True)
class Drawing:
    """A figure and what it shows.

    Attributes:
        figure: ready to be saved.
        caption: one or two short sentences: what is drawn.
        details: sentences that a caption has no room for: definitions, choices, the runs.
    """

    figure: Figure
    caption: str
    details: tuple[str, ...] = ()


def width_in() -> float:
    """Width of the figure to draw: that of the style."""
    return float(mpl.rcParams["figure.figsize"][0])


def panels(
    count: int,
    most_columns: int = 3,
    height_in: float = 2.2,
    most_width_in: float = math.inf,
    least_panel_in: float = 1.6,
) -> tuple[Figure, list[Axes]]:
    """A figure with some axes, in reading order. Not tied to pyplot or a window.

    Args:
        count: of axes.
        most_columns: in a row.
        height_in: of a row.
        most_width_in: of the figure, where the page is wider.
        least_panel_in: width that an axes needs: a narrow page has fewer in a row.
    """
    wide = min(width_in(), most_width_in)
    columns = min(count, most_columns, max(1, int(wide / least_panel_in)))
    rows = -(-count // columns)
    figure = Figure(figsize=(wide, rows * height_in), layout="constrained")
    # Wide enough that a y label keeps clear of the panel to its left.
    figure.get_layout_engine().set(w_pad=0.05, wspace=0.04)  # type: ignore[union-attr,call-arg]
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """One legend for all panels, right below them, in as many columns as fit the width."""
    shown = [handle for handle in handles if handle.get_label()]
    longest = max((len(str(handle.get_label())) for handle in shown), default=1)
    wide = float(figure.get_figwidth())
    columns = int(wide / (_LEGEND_MARK_IN + _LEGEND_LETTER_IN * longest))
    figure.legend(
        handles=shown, loc="outside lower center", ncols=max(1, min(columns, len(shown), 7))
    )


# Of a legend in 7 point text.
_LEGEND_MARK_IN, _LEGEND_LETTER_IN = 0.5, 0.058


def notes(*parts: str) -> tuple[str, ...]:
    """The details of a figure that there is something to say about."""
    return tuple(part for part in parts if part)


# Okabe and Ito 2008.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
GRAY = "#7F7F7F"
DARK = "#333333"

PUBLISHED = "published"


# Of 1, 2, 4 ... 2048 nodes: cold to warm, so that neighbors differ on white paper.
_OF_POWERS = (
    "#3F1A6B",
    "#6A3FC0",
    "#2F5FD0",
    "#1E93D8",
    "#12A69A",
    "#2F9E44",
    "#86A315",
    "#CFA000",
    "#EE7F1B",
    "#DE4A2C",
    "#B0124A",
    "#5E0B33",
)


def node_color(nodes: float) -> str:
    """The color of a node count: the same in every panel of every figure, ours and published."""
    power = float(np.clip(math.log2(nodes), 0, len(_OF_POWERS) - 1))
    parts = np.array([to_rgb(color) for color in _OF_POWERS]).T
    red, green, blue = (float(np.interp(power, range(len(_OF_POWERS)), part)) for part in parts)
    return to_hex((red, green, blue))


def node_colors(nodes: Iterable[int]) -> dict[int, str]:
    """`node_color` of some node counts, in their order."""
    return {n: node_color(n) for n in sorted(set(nodes))}


def line_style(emulated: bool) -> Literal["-", "--"]:
    """Solid for real nodes, dashed for emulated ones."""
    return "--" if emulated else "-"


def marker_fill(emulated: bool, color: str) -> str:
    """Filled for real nodes, open for emulated ones."""
    return "white" if emulated else color


def node_axis(ax: Axes, nodes: Iterable[int], most_labels: int = 9) -> None:
    """Base-2 x axis with plain whole numbers, thinned to at most `most_labels` of them.

    A panel that is narrow in its figure has fewer: 4-digit labels need a fifth of an inch.
    """
    present = sorted(set(nodes))
    low, high = math.log2(present[0]), math.log2(present[-1])
    powers = list(range(math.floor(low), math.ceil(high) + 1))
    figure = ax.get_figure(root=True)
    room_in = float(figure.get_figwidth()) / _columns_of(ax) - 0.5 if figure else math.inf
    stride = math.ceil(len(powers) / min(most_labels, max(2, int(room_in / _NODE_LABEL_IN))))
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator([2.0**p for p in powers[::stride]]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    margin = max(0.04 * (high - low), 0.15)
    ax.set_xlim(2 ** (low - margin), 2 ** (high + margin))
    ax.set_xlabel("Nodes")


_NODE_LABEL_IN = 0.27


def _columns_of(ax: Axes) -> int:
    """In how many columns of axes an axes is, as of `panels`."""
    place = ax.get_subplotspec()
    return 1 if place is None else place.get_gridspec().ncols


_SAME = 1 + 1e-9


def log_axis(ax: Axes, which: str) -> None:
    """Logarithmic x or y axis labeled at decades, or at 1, 2, 5 or closer over a short range.

    Call after drawing: the labels follow the limits.
    """
    axis = ax.xaxis if which == "x" else ax.yaxis
    first, last = ax.dataLim.intervalx if which == "x" else ax.dataLim.intervaly
    if 0 < first <= last <= first * _SAME:
        # Equal but for rounding: there are no limits to be found.
        (ax.set_xlim if which == "x" else ax.set_ylim)(first / 2, first * 2)
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    low, high = ax.get_xlim() if which == "x" else ax.get_ylim()
    decades = math.log10(high / low)
    if decades < 0.7:
        # 1, 2 and 5 may all fall outside so short a range.
        # Labels beside each other need more room than labels above each other.
        axis.set_major_locator(MaxNLocator(5 if which == "y" else 2))
    else:
        subs = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    if decades < 2:
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_minor_locator(LogLocator(subs=[float(s) for s in range(2, 10)], numticks=40))
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def count_axis(ax: Axes, which: str) -> None:
    """Linear axis of counts with labels like 5k."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(_COUNT_LABELS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


_COUNT_LABELS = 3


def style_handles(emulated: Sequence[bool], markers: bool = False) -> list[Line2D]:
    """Legend entries for real and emulated nodes, as far as both occur."""
    kinds = sorted(set(emulated))
    return [
        Line2D(
            [],
            [],
            color=DARK,
            linestyle=line_style(kind) if not markers else "none",
            marker="o" if markers else "none",
            markerfacecolor=marker_fill(kind, DARK),
            label="emulated nodes" if kind else "real nodes",
        )
        for kind in kinds
    ]


def baseline_handle(label: str = "everything object") -> Line2D:
    """Legend entry for the line of `draw_baseline`."""
    return Line2D([], [], color=GRAY, linestyle=(0, (1, 1)), linewidth=1, label=label)


def draw_baseline(ax: Axes, baseline: float | None) -> None:
    """The F1 of calling every voxel object, below which nothing was learned; None: not recorded."""
    if baseline is not None:
        ax.axhline(baseline, color=GRAY, linestyle=(0, (1, 1)), linewidth=1, zorder=1)


def node_handles(colors: dict[int, str]) -> list[Line2D]:
    """Legend entries for the node counts."""
    return [
        Line2D([], [], color=color, label=f"{n} node{'s' if n > 1 else ''}")
        for n, color in colors.items()
    ]
