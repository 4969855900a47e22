"""Scaling models over the throughput they were fitted to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.plots.axes import DARK, GREY, PUBLISHED

MODELLED = "modelled"
_CURVE_POINTS = 120


def draw_points(ax: Axes, nodes: np.ndarray, efficiency: np.ndarray, published: bool) -> None:
    """Measured efficiencies: grey squares where published, dark dots where of this study."""
    colour, marker = (GREY, "s") if published else (DARK, "o")
    label = PUBLISHED if published else "this study"
    ax.plot(nodes, efficiency, marker, color=colour, markersize=3, label=label, zorder=3)


def curve_nodes(smallest: float, largest: float) -> np.ndarray:
    """Node counts a curve is drawn through, evenly spaced in the logarithm."""
    return np.geomspace(smallest, largest, _CURVE_POINTS)


def draw_curve(ax: Axes, table: pd.DataFrame, fitted_to: float, colour: str, label: str) -> None:
    """A model's efficiency with its band; dashed beyond the largest node count fitted.

    Args:
        ax: to draw on.
        table: nodes (increasing), efficiency, low, high.
        fitted_to: largest node count fitted.
        colour: of line and band.
        label: legend entry.
    """
    ax.fill_between(
        table["nodes"], table["low"], table["high"], color=colour, alpha=0.18, linewidth=0
    )
    inside = table["nodes"] <= fitted_to * (1 + 1e-9)
    # The last point inside is repeated, so that the dashes begin where the line ends.
    outside = table.iloc[max(int(inside.sum()) - 1, 0) :]
    ax.plot(table["nodes"][inside], table["efficiency"][inside], color=colour, label=label)
    ax.plot(outside["nodes"], outside["efficiency"], "--", color=colour)


def draw_forecast(ax: Axes, nodes: float, efficiency: np.ndarray, colour: str) -> None:
    """A predicted efficiency with its interval, open because it is modelled.

    Args:
        ax: to draw on.
        nodes: of the prediction.
        efficiency: (3,) predicted, low, high.
        colour: of the model.
    """
    value, low, high = efficiency
    ax.errorbar([nodes], [value], yerr=[[value - low], [high - value]], fmt="none", color=colour)
    ax.plot([nodes], [value], "o", color=colour, mfc="white", zorder=4, label=MODELLED)


def draw_residuals(
    ax: Axes, nodes: np.ndarray, errors: np.ndarray, colour: str, label: str, place: float
) -> None:
    """Relative errors of one model in percent, beside those of the other models.

    Args:
        ax: x axis logarithmic in nodes.
        nodes: (n,) node counts.
        errors: (n,) fit over measurement - 1; the last is a prediction and drawn open.
        colour: of the model.
        label: legend entry.
        place: of this model among the others, -0.5 to 0.5.
    """
    x = nodes * 2.0 ** (0.6 * place)
    ax.vlines(x, 0, 100 * errors, color=colour, linewidth=0.7)
    ax.plot(x[:-1], 100 * errors[:-1], "o", color=colour, markersize=2.8, label=label)
    ax.plot(x[-1:], 100 * errors[-1:], "o", color=colour, markersize=2.8, mfc="white")
