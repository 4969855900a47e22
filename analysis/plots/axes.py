"""What the drawings share: axis ticks, colours of node counts, marks of emulation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from analysis.text import short_number

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
GREY = "#7F7F7F"
DARK = "#333333"

PUBLISHED = "published"


def node_colours(nodes: Iterable[int]) -> dict[int, str]:
    """A colour per node count, dark to light with the number of nodes (viridis without its end)."""
    ordered = sorted(set(nodes))
    scale = mpl.colormaps["viridis"]
    steps = max(len(ordered) - 1, 1)
    return {n: to_hex(scale(0.9 * i / steps)) for i, n in enumerate(ordered)}


def line_style(emulated: bool) -> Literal["-", "--"]:
    """Solid for real nodes, dashed for emulated ones."""
    return "--" if emulated else "-"


def marker_fill(emulated: bool, colour: str) -> str:
    """Filled for real nodes, open for emulated ones."""
    return "white" if emulated else colour


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
    """Logarithmic x or y axis labelled at decades, or at 1, 2, 5 or closer over a short range.

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


def node_handles(colours: dict[int, str]) -> list[Line2D]:
    """Legend entries for the node counts."""
    return [
        Line2D([], [], color=colour, label=f"{n} node{'s' if n > 1 else ''}")
        for n, colour in colours.items()
    ]
