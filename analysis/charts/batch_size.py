"""Figure of what more nodes cost in data and save in steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis import published
from analysis.batch_size import CriticalBatch, fit_critical_batch, tradeoff_table
from analysis.charts.drawing import PUBLISHED_TITLE, Drawing, panels, sentences
from analysis.grouping import groups, varies
from analysis.material import Material, NothingToDraw, describe_best, describe_runs
from analysis.plots import batch_size as plots
from analysis.plots.axes import GREY, SERIES, log_axis, node_axis, style_handles
from analysis.targets import F1_TARGETS, first_reached, targets_table

# Validation F1 swings between evaluations: a target counts when three in a row average it.
WINDOW = 3
_COLOURS = dict(zip(F1_TARGETS, SERIES, strict=False))
_PUBLISHED_TARGETS = (0.5, 0.7)


def cost_to_target(material: Material) -> Drawing:
    """FOVs, optimizer steps and wall time to each F1 target against nodes."""
    shown = material.best
    if shown["nodes"].nunique() < 2:
        raise NothingToDraw("the trade-off needs at least two node counts")
    reached = targets_table(
        material.runs.select(material.runs.table["run_id"].isin(shown["run_id"])), window=WINDOW
    ).merge(shown[["run_id", "nodes", "emulated", "global_batch_size"]], on="run_id")
    if reached["fovs"].isna().all():
        raise NothingToDraw(f"no finished run reached F1 {F1_TARGETS[0]}")
    figure, axes = panels(3, rows=2, height_in=4.4)
    _draw_costs(axes[0], reached, "fovs", "FOVs to target")
    _draw_costs(axes[1], reached, "optimizer_step", "Optimizer steps to target")
    _draw_costs(axes[2], reached[~reached["emulated"]], "elapsed_s", "Wall time to target (s)")
    fits = _draw_fits(axes[0], axes[1], reached)
    axes[0].set_title("this study")
    _draw_published(axes[3], axes[5])
    handles, _ = axes[0].get_legend_handles_labels()
    handles += style_handles(shown["emulated"].tolist(), markers=True)
    axes[4].set_axis_off()
    axes[4].legend(handles=handles, loc="center")
    caption = sentences(
        "FOVs, optimizer steps and wall time until validation F1 (mean of"
        f" {WINDOW} evaluations) reaches a target, against nodes. Lines and large points: median",
        "over seeds, drawn while more than half of them reach the target; small points: seeds.",
        "Open: emulated nodes, which have no cluster time and are left out of the time panel.",
        *fits,
        "Below: published F1 curves reaching 0.5 and 0.7, without smoothing; the steps there are",
        "not published.",
        describe_best(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _draw_costs(ax: Axes, reached: pd.DataFrame, cost: str, label: str) -> None:
    if not varies(reached.dropna(subset=[cost])["nodes"]):
        ax.set_axis_off()
        note = "needs two real\nnode counts"
        ax.text(0.5, 0.5, note, transform=ax.transAxes, ha="center", color=GREY)
        return
    table = tradeoff_table(reached)
    kind = reached.groupby("nodes")["emulated"].first()
    table["emulated"] = table["nodes"].map(kind)
    for target, group in groups(table, "target"):
        if group[cost].notna().any():
            runs = reached[reached["target"] == target]
            plots.draw_cost(ax, group, runs, cost, _COLOURS[target], f"F1 {target}")
    node_axis(ax, reached["nodes"], most_labels=5)
    log_axis(ax, "y")
    ax.set_ylabel(label)


def _draw_fits(fovs: Axes, steps: Axes, reached: pd.DataFrame) -> list[str]:
    """Draws the fitted hyperbola of each target; returns one caption sentence per fit."""
    per_node = reached["global_batch_size"] / reached["nodes"]
    if varies(per_node):
        return ["No critical batch size is fitted: the local batch size varies."]
    local_batch = float(per_node.iloc[0])
    nodes = np.geomspace(reached["nodes"].min(), reached["nodes"].max(), 60)
    notes = []
    for target, group in groups(reached, "target"):
        # A node count of which only the luckier seeds reached the target would bias the fit.
        complete = group.groupby("nodes")["optimizer_step"].transform(lambda s: s.notna().all())
        group = group[complete]
        if len(group["nodes"].unique()) < 3:
            continue
        fit = fit_critical_batch(
            group["global_batch_size"].to_numpy(), group["optimizer_step"].to_numpy()
        )
        colour = _COLOURS[target]
        plots.draw_fit(fovs, nodes, fit.fovs(nodes * local_batch), colour)
        plots.draw_fit(steps, nodes, fit.steps(nodes * local_batch), colour)
        notes.append(_finding(target, fit, local_batch))
    if notes:
        notes.insert(
            0,
            "Dotted: (S/Smin - 1)(E/Emin - 1) = 1 (McCandlish et al. 2018), fitted to the node "
            "counts of which every seed reached the target.",
        )
    return notes


def _finding(target: float, fit: CriticalBatch, local_batch: float) -> str:
    if fit.batch_size > 10 * fit.largest:
        return f"F1 {target}: larger batches cost no more data as far as was tried."
    return (
        f"F1 {target}: critical batch size {fit.batch_size:.3g} FOVs (95 % interval {fit.low:.3g} "
        f"to {fit.high:.3g}), that is {fit.nodes(local_batch):.3g} nodes."
    )


def _draw_published(fovs: Axes, hours: Axes) -> None:
    curves = published.batch_size_curves()
    by_fovs = curves[(curves["x_kind"] == "fovs") & (curves["reliability"] != "low")]
    by_hours = published.f1_against_hours()
    by_hours = by_hours[by_hours["reliability"] != "poor"].rename(columns={"hours": "x"})
    labels = ("FOVs to target", "Time to target (h)")
    for ax, table, label in zip((fovs, hours), (by_fovs, by_hours), labels, strict=True):
        for target in _PUBLISHED_TARGETS:
            reached = {
                nodes: first_reached(curve["x"].to_numpy(), curve["f1"].to_numpy(), target)
                for nodes, curve in groups(table, "nodes")
            }
            ax.plot(list(reached), list(reached.values()), "s-", color=_COLOURS[target])
        node_axis(ax, by_hours["nodes"], most_labels=5)
        log_axis(ax, "y")
        ax.set_ylabel(label)
    fovs.set_title(PUBLISHED_TITLE)
