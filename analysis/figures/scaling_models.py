"""Figure of the scaling models fitted to throughput."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import (
    DARK,
    GRAY,
    PUBLISHED,
    SERIES,
    Drawing,
    legend_below,
    node_axis,
    notes,
    width_in,
)
from analysis.figures.throughput import real_series
from analysis.models.model_average import (
    ModelAverage,
    ThroughputModel,
    fit_throughput,
    published_throughput,
)
from analysis.models.scaling_models import ModelFit
from analysis.reference import published
from analysis.runs.study import NothingToDraw, Study, describe_runs

MODELED = "modeled"
_CURVE_POINTS = 120


def draw_points(ax: Axes, nodes: np.ndarray, efficiency: np.ndarray, published: bool) -> None:
    """Measured efficiencies: gray squares where published, dark dots where of this study."""
    color, marker = (GRAY, "s") if published else (DARK, "o")
    label = PUBLISHED if published else "this study"
    ax.plot(nodes, efficiency, marker, color=color, markersize=3, label=label, zorder=3)


def curve_nodes(smallest: float, largest: float) -> np.ndarray:
    """Node counts a curve is drawn through, evenly spaced in the logarithm."""
    return np.geomspace(smallest, largest, _CURVE_POINTS)


def draw_curve(ax: Axes, table: pd.DataFrame, fitted_to: float, color: str, label: str) -> None:
    """A model's efficiency with its band; dashed beyond the largest node count fitted.

    Args:
        ax: to draw on.
        table: nodes (increasing), efficiency, low, high.
        fitted_to: largest node count fitted.
        color: of line and band.
        label: legend entry.
    """
    ax.fill_between(
        table["nodes"], table["low"], table["high"], color=color, alpha=0.18, linewidth=0
    )
    inside = table["nodes"] <= fitted_to * (1 + 1e-9)
    # The last point inside is repeated, so that the dashes begin where the line ends.
    outside = table.iloc[max(int(inside.sum()) - 1, 0) :]
    ax.plot(table["nodes"][inside], table["efficiency"][inside], color=color, label=label)
    ax.plot(outside["nodes"], outside["efficiency"], "--", color=color)


def draw_forecast(ax: Axes, nodes: float, efficiency: np.ndarray, color: str) -> None:
    """A predicted efficiency with its interval, open because it is modeled.

    Args:
        ax: to draw on.
        nodes: of the prediction.
        efficiency: (3,) predicted, low, high.
        color: of the model.
    """
    value, low, high = efficiency
    ax.errorbar([nodes], [value], yerr=[[value - low], [high - value]], fmt="none", color=color)
    ax.plot([nodes], [value], "o", color=color, mfc="white", zorder=4, label=MODELED)


def draw_residuals(
    ax: Axes, nodes: np.ndarray, errors: np.ndarray, color: str, label: str, place: float
) -> None:
    """Relative errors of one model in percent, beside those of the other models.

    Args:
        ax: x axis logarithmic in nodes.
        nodes: (n,) node counts.
        errors: (n,) fit over measurement - 1; the last is a prediction and drawn open.
        color: of the model.
        label: legend entry.
        place: of this model among the others, -0.5 to 0.5.
    """
    x = nodes * 2.0 ** (0.6 * place)
    ax.vlines(x, 0, 100 * errors, color=color, linewidth=0.7)
    ax.plot(x[:-1], 100 * errors[:-1], "o", color=color, markersize=2.8, label=label)
    ax.plot(x[-1:], 100 * errors[-1:], "o", color=color, markersize=2.8, mfc="white")


_FORECAST_NODES = 2048
_COLUMNS = 3
_LEAST_PANEL_IN = 1.6


def models(study: Study) -> Drawing:
    """Every model on the published throughput, with this study's beside it."""
    shown, series = real_series(study)
    weak = [one for one in series if one.kind == "weak"]
    if not weak:
        raise NothingToDraw("no two real node counts share the same local batch size")
    most = max(weak, key=lambda one: len(one.table))
    nodes = most.points["nodes"].to_numpy(float)
    rates = most.points["fovs_per_second"].to_numpy(float)
    try:
        ours = fit_throughput(f"this study ({most.label})", nodes, rates)
    except ValueError as reason:
        counts = ", ".join(f"{n:g}" for n in sorted(set(nodes)))
        raise NothingToDraw(f"{reason}; there are {len(nodes)} on nodes {counts}") from reason
    note = f"This study: means of {most.label}; baseline: its smallest node count, {nodes.min():g}."
    return _draw(nodes, rates, ours, note, describe_runs(shown))


def fitted_models(throughput: ThroughputModel) -> Drawing:
    """Every model on the published throughput, and on another where it is that."""
    if throughput.source == published_throughput().source:
        return _draw(np.array([]), np.array([]), None)
    note = f"This study: means, {throughput.source}."
    return _draw(throughput.nodes, throughput.fovs_per_second, throughput, note)


def _draw(
    nodes: np.ndarray, rates: np.ndarray, ours: ThroughputModel | None, *more: str
) -> Drawing:
    reference = published_throughput()
    table = reference.comparison()
    scores = {str(row["model"]): row for row in table.to_dict("records")}
    fits = reference.average.fits
    columns = min(_COLUMNS, int(width_in() / _LEAST_PANEL_IN))
    rows = -(-len(fits) // columns)
    figure = Figure(figsize=(width_in(), 1.8 * (rows + 1)), layout="constrained")
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[1.0] * rows + [0.85])
    smallest = []
    for index, (fit, color) in enumerate(zip(fits, SERIES, strict=True)):
        ax = figure.add_subplot(grid[index // columns, index % columns])
        _panel(ax, reference, fit, color)
        if nodes.size:
            _draw_ours(ax, nodes, rates, ours, fit.model.name)
        row = scores[fit.model.name]
        ax.set_title(f"{fit.model.name}: ΔAICc {row['delta_aicc']:.1f}")
        _note(ax, reference, fit, row)
        node_axis(ax, [1, _FORECAST_NODES], most_labels=6)
        ax.set_xlabel("Nodes" if index >= len(fits) - columns else "")
        ax.set_ylabel("Efficiency" if index % columns == 0 else "")
        smallest.append(ax.dataLim.y0)
    # Room above for efficiencies over 1, and below every curve for the note.
    top = max(1.08, *(_means(nodes, rates)[1] + 0.05)) if nodes.size else 1.08
    for ax in figure.axes:
        ax.set_ylim(top - 1.4 * (top - min(smallest)), top)
    _residuals(figure.add_subplot(grid[rows, :]), reference)
    figure.axes[0].set_title(f"{fits[0].model.name}: ΔAICc 0")
    legend_below(figure, _handles(bool(nodes.size)))
    return Drawing(figure, _CAPTION, notes(*_details(reference, table), *more))


def _panel(ax: Axes, model: ThroughputModel, fit: ModelFit, color: str) -> None:
    nodes = curve_nodes(1, _FORECAST_NODES)
    draw_curve(ax, _efficiency(model, fit, nodes), model.largest, color, fit.model.name)
    draw_points(ax, model.nodes, model.fovs_per_second / _ideal(model, model.nodes), True)
    stated = published.EFFICIENCY_AT_2048_NODES
    ax.plot([_FORECAST_NODES], [stated], "s", color=GRAY, mfc="white", markersize=3.5, zorder=5)
    forecast = _efficiency(model, fit, np.array([_FORECAST_NODES]), measured=True)
    value = forecast[["efficiency", "low", "high"]].to_numpy()[0]
    draw_forecast(ax, _FORECAST_NODES, value, color)


def _means(nodes: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Node counts, and the efficiency of the mean throughput at each."""
    counts = np.unique(nodes)
    per_node = np.array([rates[nodes == count].mean() / count for count in counts])
    return counts, per_node / per_node[0] if counts.size else per_node


def _draw_ours(
    ax: Axes, nodes: np.ndarray, rates: np.ndarray, ours: ThroughputModel | None, name: str
) -> None:
    draw_points(ax, *_means(nodes, rates), published=False)
    fit = next((f for f in ours.average.fits if f.model.name == name), None) if ours else None
    if ours and fit:
        counts = curve_nodes(ours.baseline_nodes, ours.largest)
        curve = _efficiency(ours, fit, counts)
        ax.fill_between(counts, curve["low"], curve["high"], color=DARK, alpha=0.12, linewidth=0)
        ax.plot(counts, curve["efficiency"], color=DARK, linewidth=0.8)


def _note(ax: Axes, model: ThroughputModel, fit: ModelFit, row: Mapping[Hashable, Any]) -> None:
    """The prediction and the held-out error, below the curves."""
    forecast = _efficiency(model, fit, np.array([_FORECAST_NODES]), measured=True).iloc[0]
    text = (
        f"{_FORECAST_NODES}: {forecast['efficiency']:.2f}"
        f" ({forecast['low']:.2f} to {forecast['high']:.2f})\n"
        f"1024 held out: {100 * row['left_out_error']:+.1f} %"
    )
    ax.text(0.04, 0.06, text, transform=ax.transAxes, fontsize=7, color=DARK)


def _residuals(ax: Axes, model: ThroughputModel) -> None:
    fits = model.average.fits
    stated = published.EFFICIENCY_AT_2048_NODES
    for index, (fit, color) in enumerate(zip(fits, SERIES, strict=True)):
        fitted = fit.throughput(model.nodes) / model.fovs_per_second - 1
        forecast = _efficiency(model, fit, np.array([_FORECAST_NODES]))["efficiency"] / stated - 1
        place = index / (len(fits) - 1) - 0.5
        nodes = np.append(model.nodes, _FORECAST_NODES)
        errors = np.append(fitted, forecast)
        draw_residuals(ax, nodes, errors, color, fit.model.name, place)
    ax.axhline(0, color=GRAY, linewidth=0.8)
    node_axis(ax, [1, _FORECAST_NODES], most_labels=12)
    ax.set_xlim(2**-0.6, _FORECAST_NODES * 2**0.6)
    ax.set_ylabel("Model error (%)")
    ax.set_title(f"residuals; open: {_FORECAST_NODES} nodes, not fitted")


def _handles(ours: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=GRAY, marker="s", linestyle="none", label="published"),
        Line2D(
            [], [], color=GRAY, marker="s", linestyle="none", mfc="white", label="stated (abstract)"
        ),
        Line2D([], [], color=DARK, label="model with 95 % band"),
        Line2D(
            [], [], color=DARK, linestyle="--", marker="o", mfc="white", label="forecast (modeled)"
        ),
    ]
    if ours:
        mark = Line2D([], [], color=DARK, marker="o", linestyle="none", label="this study")
        fit = Line2D([], [], color=DARK, lw=0.8, label="fitted to this study")
        handles[:0] = [mark, fit]
    return handles


_CAPTION = (
    "Scaling models fitted to the published throughput of 1 to 1024 nodes and extended to 2048."
    " Numbers: the forecast for 2048 nodes, and the error at 1024 from all smaller ones."
)


def _details(model: ThroughputModel, table: pd.DataFrame) -> list[str]:
    average = _efficiency(model, model.average, np.array([_FORECAST_NODES]), measured=True).iloc[0]
    held_out = table.loc[table["left_out_error"].abs().sort_values().index, "model"].iloc[0]
    return [
        f"Fits: least squares on the logarithm of throughput ({published.ARXIV}; baseline 1 node)."
        f" The abstract states {published.EFFICIENCY_AT_2048_NODES} at 2048 nodes, not fitted.",
        "Bands: 95 % of the curve. Bars and numbers: of one new measurement. Both first-order"
        " (delta method), taking the model as true.",
        f"Lowest AICc: {table['model'].iloc[0]}; smallest held-out error: {held_out}.",
        f"All models averaged by Akaike weight give {average['efficiency']:.2f}"
        f" ({average['low']:.2f} to {average['high']:.2f}) at 2048 nodes.",
        *(
            f"{row['model']}: {row['parameters']} (95 % intervals); AICc {row['aicc']:.1f}, error"
            f" of 1024 nodes from all smaller {100 * row['left_out_error']:+.1f} %, rms error of"
            f" such forecasts {100 * row['forecast_error']:.1f} %."
            for row in table.to_dict("records")
        ),
    ]


def _efficiency(
    model: ThroughputModel,
    fit: ModelFit | ModelAverage,
    nodes: np.ndarray,
    measured: bool = False,
) -> pd.DataFrame:
    """Efficiency against the measured baseline: nodes, efficiency, low, high."""
    table = fit.predict(nodes, measured=measured)
    ideal = _ideal(model, nodes)
    columns = {"fovs_per_second": "efficiency", "low": "low", "high": "high"}
    return table.assign(**{c: table[c] / ideal for c in columns}).rename(columns=columns)


def _ideal(model: ThroughputModel, nodes: np.ndarray) -> np.ndarray:
    return nodes * model.node_fovs_per_second / model.scale
