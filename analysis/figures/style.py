"""What every figure shares: its frame, its axes and colors, and how captions are put together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from analysis.reference.published import ARXIV
from analysis.text import short_number
from ffn_core.files import REPOSITORY

# To be active while a chart is drawn and saved: `matplotlib.style.context(STYLE)`.
STYLE = REPOSITORY / "analysis" / "paper.mplstyle"
FULL_WIDTH_IN = 7.0
COLUMN_WIDTH_IN = 3.4
PUBLISHED_TITLE = f"published ({ARXIV})"


@dataclass(frozen=True)
class Drawing:
    """A figure and what it shows.

    Attributes:
        figure: ready to be saved.
        caption: sentences: what is drawn, which runs, baseline, real or emulated.
    """

    figure: Figure
    caption: str


def panels(
    columns: int, rows: int = 1, width_in: float = FULL_WIDTH_IN, height_in: float = 2.5
) -> tuple[Figure, list[Axes]]:
    """A figure with rows * columns axes, in reading order. Not tied to pyplot or a window."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    # Wide enough that a y label keeps clear of the panel to its left.
    figure.get_layout_engine().set(w_pad=0.06, wspace=0.05)  # type: ignore[union-attr,call-arg]
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.flat)


def sentences(*parts: str) -> str:
    """Join the non-empty parts of a caption."""
    return " ".join(part for part in parts if part)


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


def node_colors(nodes: Iterable[int]) -> dict[int, str]:
    """A color per node count, dark to light with the number of nodes (viridis without its end)."""
    ordered = sorted(set(nodes))
    scale = mpl.colormaps["viridis"]
    steps = max(len(ordered) - 1, 1)
    return {n: to_hex(scale(0.9 * i / steps)) for i, n in enumerate(ordered)}


def line_style(emulated: bool) -> Literal["-", "--"]:
    """Solid for real nodes, dashed for emulated ones."""
    return "--" if emulated else "-"


def marker_fill(emulated: bool, color: str) -> str:
    """Filled for real nodes, open for emulated ones."""
    return "white" if emulated else color


def node_axis(ax: Axes, nodes: Iterable[int], most_labels: int = 9) -> None:
    """Base-2 x axis with plain whole numbers, thinned to at most `most_labels` of them."""
    present = sorted(set(nodes))
    low, high = math.log2(present[0]), math.log2(present[-1])
    powers = list(range(math.floor(low), math.ceil(high) + 1))
    stride = math.ceil(len(powers) / most_labels)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator([2.0**p for p in powers[::stride]]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    margin = max(0.04 * (high - low), 0.15)
    ax.set_xlim(2 ** (low - margin), 2 ** (high + margin))
    ax.set_xlabel("Nodes")


def log_axis(ax: Axes, which: str) -> None:
    """Logarithmic x or y axis labeled at decades, or at 1, 2, 5 or closer over a short range.

    Call after drawing: the labels follow the limits.
    """
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    low, high = ax.get_xlim() if which == "x" else ax.get_ylim()
    decades = math.log10(high / low)
    if decades < 0.7:
        # 1, 2 and 5 may all fall outside so short a range.
        axis.set_major_locator(MaxNLocator(5))
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
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


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


def node_handles(colors: dict[int, str]) -> list[Line2D]:
    """Legend entries for the node counts."""
    return [
        Line2D([], [], color=color, label=f"{n} node{'s' if n > 1 else ''}")
        for n, color in colors.items()
    ]
