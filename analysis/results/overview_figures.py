"""Figures over several studies, made for the verdicts."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.claims.crossover import crossover_bounds, late_noise_scale
from analysis.claims.data_cost import cost_table, published_rate
from analysis.claims.learning_rate_rules import rule_difference, warmup_difference
from analysis.figures.style import (
    BLUE,
    DARK,
    GRAY,
    GREEN,
    ORANGE,
    SERIES,
    VERMILION,
    Drawing,
    baseline_handle,
    draw_baseline,
    legend_below,
    log_axis,
    node_axis,
    notes,
    panels,
)
from analysis.models.model_average import published_throughput
from analysis.models.predictor import Predictor
from analysis.prediction.figure import prediction
from analysis.prediction.inputs import training_cost
from analysis.prediction.question import Question
from analysis.results.first_edition import cost_rows, optimizer_points, rule_points
from analysis.runs.grouping import groups
from analysis.runs.study import NothingToDraw
from analysis.text import capitalized
from analysis.verdicts.plan import PUBLISHED_CROSSOVER
from analysis.verdicts.scored_runs import Studies, describe, ruled, with_warmup
from analysis.verdicts.seed_intervals import contrast_table
from ffn_core.errors import InputError

_RULES: Final = {"linear": ("linear", BLUE), "sqrt": ("square root", VERMILION)}
_UNSCALED: Final = ("none", "unscaled", GREEN)
_MARGIN: Final = 1.35
_INTERVALS: Final = "Bars: 95 % intervals over seeds, where there are several."


def final_scores(studies: Studies) -> Drawing:
    """Final F1 of every learning-rate rule against nodes, with and without warm-up."""
    shown_points = rule_points(studies)
    points = shown_points.points
    if points["nodes"].nunique() < 2:
        raise NothingToDraw(
            f"`{shown_points.studies}` has finished points at fewer than two node counts"
        )
    figure, (with_warmup, without) = panels(2, height_in=2.4)
    baseline = _baseline(points)
    shown = {**_RULES, _UNSCALED[0]: _UNSCALED[1:]}
    for ax, warm in ((with_warmup, True), (without, False)):
        here = points[(points["warmup"] != "none") == warm]
        draw_baseline(ax, baseline)
        for index, (rule, (label, color)) in enumerate(shown.items()):
            _draw_scores(ax, here[here["lr_rule"] == rule], label, color, index - 1)
        _finish(ax, points["nodes"], "Final F1")
        ax.set_ylim(-0.03, 1)
        ax.set_title("with warm-up" if warm else "without warm-up")
    legend_below(figure, _score_handles(with_warmup, baseline))
    return Drawing(
        figure,
        "Final score of each learning-rate rule against nodes, with and without warm-up.",
        notes(f"Score: {shown_points.score}.", f"{capitalized(describe(points))}."),
    )


def rule_differences(studies: Studies) -> Drawing:
    """What linear scaling gains over square-root, and warm-up over none, against nodes."""
    shown_points = rule_points(studies)
    points = shown_points.points
    between = rule_difference(points)
    if between.empty:
        raise NothingToDraw(
            f"`{shown_points.studies}` has no seed with both rules at one node count"
        )
    figure, (rules, warmup) = panels(2, height_in=2.6)
    _draw_differences(rules, between, DARK, "left: mean, interval", 0)
    low, high = PUBLISHED_CROSSOVER
    rules.axvspan(low, high, color=GRAY, alpha=0.2, linewidth=0, label="published crossover")
    noise = late_noise_scale(studies, ruled(with_warmup(points), "sqrt"))
    if len(noise):
        batch = float(points["local_batch_size"].iloc[0])
        at = noise.to_numpy() / batch
        span = rules.axvspan(at.min(), at.max() * 1.03, color=ORANGE, alpha=0.35, linewidth=0)
        span.set_label("noise scale, range")
        rules.axvline(float(np.exp(np.log(at).mean())), color=ORANGE, label="noise scale")
    for index, (rule, (label, color)) in enumerate(_RULES.items()):
        gain = warmup_difference(points[points["lr_rule"] == rule])
        if not gain.empty:
            _draw_differences(warmup, gain, color, label, index)
    for ax in (rules, warmup):
        ax.axhline(0, color=GRAY, linewidth=0.8)
        _finish(ax, points["nodes"], "Difference in F1")
    crossed = _draw_crossover(rules, between)
    # Below the panels: intervals of few seeds leave no corner free.
    handles = [h for ax in (rules, warmup) for h in ax.get_legend_handles_labels()[0]]
    seed = Line2D([], [], color=DARK, alpha=0.4, marker="o", ms=2.5, linestyle="none")
    seed.set_label("seed")
    legend_below(figure, [*handles, seed])
    rules.set_title("linear minus sqrt")
    warmup.set_title("warm-up minus none")
    return Drawing(
        figure,
        "Differences in final score, paired by seed: linear against square-root scaling, and"
        " warm-up against none.",
        notes(
            f"Score: {shown_points.score}. {_INTERVALS}",
            "Linear against square-root scaling: both warmed up.",
            "Published crossover: between the last node count of linear and the first of"
            " square-root scaling.",
            "Noise scale: node count whose global batch is the gradient noise scale at convergence."
            if len(noise)
            else "",
            "Crossover: where the mean crosses zero for good, with its 95 % interval (test"
            " inversion); it may reach beyond the node counts tried."
            if crossed
            else "",
            f"{capitalized(describe(points))}.",
        ),
    )


def optimizers(studies: Studies) -> Drawing:
    """Final F1 of every optimizer against nodes."""
    shown_points = optimizer_points(studies)
    points = shown_points.points
    if points["optimizer"].nunique() < 2:
        raise NothingToDraw(
            f"`{shown_points.studies}` has finished points of fewer than two optimizers"
        )
    figure, (ax,) = panels(1, height_in=2.9, most_width_in=5.0)
    names = sorted(points["optimizer"].unique())
    colors = dict(zip(names, (*SERIES, DARK), strict=False))
    middle = (len(names) - 1) / 2
    baseline = _baseline(points)
    draw_baseline(ax, baseline)
    for index, name in enumerate(names):
        rows = points[points["optimizer"] == name]
        _draw_scores(ax, rows, name, colors[name], index - middle)
    _finish(ax, points["nodes"], "Final F1")
    ax.set_ylim(-0.03, 1)
    legend_below(figure, _score_handles(ax, baseline))
    return Drawing(
        figure,
        "Final score of each optimizer at its own rate against nodes, with warm-up.",
        notes(
            f"Score: {shown_points.score}.",
            "Optimizers stand sideways of their node count, so that none hides another.",
            f"{capitalized(describe(points))}.",
        ),
    )


def _baseline(points: pd.DataFrame) -> float | None:
    """F1 of calling every voxel object; None where it was not recorded."""
    known = points["baseline"].dropna()
    return None if known.empty else float(known.median())


def _score_handles(ax: Axes, baseline: float | None) -> list[Artist]:
    """What `_draw_scores` and `draw_baseline` drew."""
    seed = Line2D([], [], color=DARK, alpha=0.4, marker="o", ms=2, linestyle="none", label="seed")
    handles = [*ax.get_legend_handles_labels()[0], seed]
    return handles if baseline is None else [*handles, baseline_handle()]


def data_and_time(studies: Studies, target: float | None = None) -> Drawing:
    """FOVs to the target and the time they take on real nodes, against nodes."""
    shown, rows, target = cost_rows(studies, target)
    points = shown.points
    if target is None or rows.empty:
        raise NothingToDraw("no F1 target is reached by every seed of three node counts")
    cost = rows["fovs"].fillna(rows["fovs_done"])
    table = cost_table(rows.assign(arm=rows["nodes"], cost=cost, missed=rows["fovs"].isna()))
    table = table.rename(columns={"arm": "nodes", "cost": "fovs"})
    rate = published_rate(table["nodes"].to_numpy())
    table["modelled_hours"] = table["fovs"] / rate / 3600
    figure, (data, time) = panels(2, height_in=2.4)
    met = table["reached"] == table["seeds"]
    for ax, column, color in ((data, "fovs", BLUE), (time, "modelled_hours", VERMILION)):
        ax.plot(table["nodes"], table[column], "-", color=color)
        full, part = table[met], table[~met]
        ax.plot(full["nodes"], full[column], "o", color=color, label="every seed reached it")
        if len(part):
            ax.plot(
                part["nodes"],
                part[column],
                "^",
                color=color,
                mfc="white",
                label="at least: not every seed did",
            )
        _finish(ax, table["nodes"], "")
        log_axis(ax, "y")
    data.plot(rows["nodes"], rows["fovs"], "o", color=BLUE, alpha=0.4, ms=2, mew=0, label="seed")
    legend_below(figure, data.get_legend_handles_labels()[0])
    data.set_ylabel(f"FOVs to F1 {target}")
    time.set_ylabel(f"Modeled hours to F1 {target}")
    data.set_title("data: measured")
    time.set_title("time: modeled")
    return Drawing(
        figure,
        f"Left: FOVs to F1 {target}. Right: the time they would take at the published throughput,"
        " of which only ratios mean anything.",
        notes(
            "FOVs: geometric means over seeds.",
            "Modeled time: throughput of as many KNL nodes, with a larger network on other data.",
            f"{capitalized(describe(points))}.",
        ),
    )


def _draw_scores(ax: Axes, points: pd.DataFrame, label: str, color: str, place: float) -> None:
    """Mean over seeds as a line, seeds as small points set apart sideways by `place`."""
    if points.empty:
        return
    mean = points.groupby("nodes")["score"].mean()
    aside = 2 ** (0.07 * place)
    ax.plot(mean.index * aside, mean, "o-", color=color, label=label)
    ax.plot(points["nodes"] * aside, points["score"], "o", color=color, alpha=0.4, ms=2, mew=0)


def _draw_differences(
    ax: Axes, difference: pd.DataFrame, color: str, label: str, place: int
) -> None:
    aside = 2 ** (0.12 * place)
    table = contrast_table(difference)
    for _, row in groups(difference.melt(ignore_index=False).reset_index(), "nodes"):
        ax.plot(row["nodes"] * aside, row["value"], "o", color=color, alpha=0.4, ms=2.5, mew=0)
    errors = np.abs(table[["low", "high"]].to_numpy().T - table["difference"].to_numpy())
    x = table["nodes"] * aside
    ax.errorbar(x, table["difference"], errors, fmt="o-", color=color, label=label, elinewidth=0.8)


def _draw_crossover(ax: Axes, difference: pd.DataFrame) -> bool:
    """The crossover and its interval, as far as they lie in the range drawn; whether there is one.

    Args:
        ax: with the differences on it.
        difference: F1 of linear minus square-root scaling, index seed, columns nodes.
    """
    found = crossover_bounds(difference.dropna())
    if found is None:
        return False
    estimate, low, high = found
    nodes = difference.columns.to_numpy(dtype=float)
    smallest, largest = nodes.min() / _MARGIN, nodes.max() * _MARGIN
    if not smallest <= estimate <= largest:
        return False
    ends = np.clip([low, high], smallest, largest)
    ax.plot(ends, [0, 0], color=VERMILION, linewidth=2.2, zorder=4)
    ax.plot(estimate, 0, "D", color=VERMILION, zorder=5, label="crossover")
    return True


def _finish(ax: Axes, nodes: pd.Series, label: str) -> None:
    node_axis(ax, nodes)
    # Room for the points that stand beside their node count.
    ax.set_xlim(nodes.min() / _MARGIN, nodes.max() * _MARGIN)
    ax.set_ylabel(label)


STUDY: Final = "batch_size"
MOST_NODES: Final = 2048


def predicted(studies: Studies, hours: float = 0.1) -> Drawing:
    """FOVs, time and cost to the highest target reached, against nodes, at published throughput.

    Args:
        studies: of which `batch_size` gives the FOVs.
        hours: time allowed; short, since the network of this study is small.
    """
    _, _, target = cost_rows(studies, None)
    if STUDY not in studies or target is None:
        raise NothingToDraw(f"`{STUDY}` has no target F1 that three node counts reach")
    try:
        cost = training_cost(studies[STUDY], STUDY, target)
    except InputError as reason:
        raise NothingToDraw(str(reason)) from reason
    predictor = Predictor(published_throughput(), cost.fit, cost.local_batch_size)
    return prediction(predictor, cost, Question(MOST_NODES, hours))
