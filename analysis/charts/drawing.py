"""A finished figure with its caption, and the frame all of them start from."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.published import ARXIV
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
    """A figure with rows * columns axes, in reading order. Not tied to pyplot or a screen."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    # Wide enough that a y label keeps clear of the panel to its left.
    figure.get_layout_engine().set(w_pad=0.06, wspace=0.05)  # type: ignore[union-attr,call-arg]
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.flat)


def sentences(*parts: str) -> str:
    """Joins the non-empty parts of a caption."""
    return " ".join(part for part in parts if part)
