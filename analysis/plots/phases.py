"""Where the time of a step goes, per node count."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from analysis.plots.axes import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY

PHASES = {
    "compute": BLUE,
    "allreduce": ORANGE,
    "straggler wait": PURPLE,
    "input": GREEN,
    "update": SKY,
    "other": GREY,
}


def draw_phases(ax: Axes, table: pd.DataFrame) -> None:
    """Stacked bars, one per node count; emulated ones hatched.

    Args:
        ax: to draw on.
        table: columns nodes, emulated and one per phase of `PHASES`, in milliseconds.
    """
    bottom = np.zeros(len(table))
    for phase, colour in PHASES.items():
        height = table[phase].to_numpy(dtype=float)
        bars = ax.bar(range(len(table)), height, bottom=bottom, color=colour, width=0.7)
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
    return Patch(facecolor=GREY, edgecolor="white", hatch="////", linewidth=0)
