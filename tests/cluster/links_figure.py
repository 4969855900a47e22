"""Picture of the allreduce times that `prove_links` measured, beside both predictions.

python tests/cluster/links_figure.py LINKS_CSV PICTURE
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import DARK, GRAY, SERIES, STYLE, log_axis, panels

PREDICTIONS = {"link": "-", "fit": "--"}


def draw(rows: pd.DataFrame) -> Figure:
    """Time against bytes, and by how much each prediction is off.

    Args:
        rows: columns of ``links.csv``, one row per rate and size.
    """
    figure, (time, error) = panels(2, height_in=3.0)
    handles = []
    colors = SERIES[: rows["mbit_per_s"].nunique()]
    for color, (rate, group) in zip(colors, rows.groupby("mbit_per_s"), strict=True):
        spread = [
            group["median_s"] - group["quartile_low_s"],
            group["quartile_high_s"] - group["median_s"],
        ]
        time.errorbar(
            group["bytes"], group["median_s"], spread, color=color, fmt="o", markersize=3.5
        )
        for kind, line in PREDICTIONS.items():
            sizes = np.geomspace(group["bytes"].min(), group["bytes"].max(), 100)
            # The model is linear in the size: between two sizes it is what lies on their line.
            modeled = np.interp(sizes, group["bytes"], group[f"modelled_{kind}_s"])
            time.plot(sizes, modeled, line, color=color)
            _errors(error, group, kind, line, color)
        handles.append(Line2D([], [], color=color, marker="o", label=f"{rate:g} Mbit/s"))
    handles.append(
        Line2D([], [], color=DARK, marker="o", linestyle="none", label="measured (quartiles)")
    )
    handles.append(Line2D([], [], color=DARK, linestyle="-", label="modeled from the link's rate"))
    handles.append(Line2D([], [], color=DARK, linestyle="--", label="modeled from two sizes"))
    error.axhline(0, color=GRAY, linewidth=1)
    log_axis(time, "x")
    log_axis(time, "y")
    log_axis(error, "x")
    time.set(xlabel="Bytes summed", ylabel="Time of an allreduce (s)")
    error.set(xlabel="Bytes summed", ylabel="Modeled over measured - 1 (%)")
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _errors(ax: Axes, group: pd.DataFrame, kind: str, line: str, color: str) -> None:
    """Errors at sizes that the prediction was not made from."""
    made_from = group["used_in_fit"] if kind == "fit" else group["bytes"] == group["bytes"].min()
    # Where latency rules, relative errors of the two-size fit say little and would hide the rest.
    free = group[~made_from & (group["bytes"] > group["bytes"].min())]
    ax.plot(free["bytes"], 100 * free[f"{kind}_error"], line, color=color, marker="o")


def save(rows: pd.DataFrame, picture: Path) -> None:
    """Draw and write."""
    with style.context(STYLE):
        draw(rows).savefig(picture)


if __name__ == "__main__":
    save(pd.read_csv(sys.argv[1]), Path(sys.argv[2]))
