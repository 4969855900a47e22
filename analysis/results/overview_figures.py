"""Figures over several studies, made for the verdicts."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.claims.crossover import crossover_bounds, late_noise_scale
from analysis.claims.data_cost import cost_table, published_rate
from analysis.claims.learning_rate_rules import rule_difference, warmup_difference
from analysis.figures.style import (
    BLUE,
    COLUMN_WIDTH_IN,
    DARK,
    GRAY,
    GREEN,
    ORANGE,
    SERIES,
    VERMILION,
    Drawing,
    log_axis,
    node_axis,
    panels,
    sentences,
)
from analysis.models.model_average import published_throughput
from analysis.models.predictor import Predictor
from analysis.prediction.answer import Question
from analysis.prediction.figure import prediction
from analysis.prediction.inputs import training_cost
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
    figure, (with_warmup, without) = panels(2, height_in=2.6)
    shown = {**_RULES, _UNSCALED[0]: _UNSCALED[1:]}
    for ax, warm in ((with_warmup, True), (without, False)):
        here = points[(points["warmup"] != "none") == warm]
        for index, (rule, (label, color)) in enumerate(shown.items()):
            _draw_scores(ax, here[here["lr_rule"] == rule], label, color, index - 1)
        _finish(ax, points["nodes"], "Final validation F1")
        ax.set_ylim(-0.03, 1)
        ax.set_title("with warm-up" if warm else "without warm-up")
    with_warmup.legend(loc="lower left")
    caption = sentences(
        f"Final score ({shown_points.score}) of each learning-rate rule against nodes: lines are",
        "means over seeds, small points the seeds.",
        f"{capitalized(describe(points))}.",
    )
    return Drawing(figure, caption)


def rule_differences(studies: Studies) -> Drawing:
    """What linear scaling gains over square-root, and warm-up over none, against nodes."""
    shown_points = rule_points(studies)
    points = shown_points.points
    between = rule_difference(points)
    if between.empty:
        raise NothingToDraw(
            f"`{shown_points.studies}` has no seed with both rules at one node count"
        )
    figure, (rules, warmup) = panels(2, height_in=2.9)
    _draw_differences(rules, between, DARK, "linear minus square root", 0)
    low, high = PUBLISHED_CROSSOVER
    rules.axvspan(low, high, color=GRAY, alpha=0.2, linewidth=0, label="published crossover")
    noise = late_noise_scale(studies, ruled(with_warmup(points), "sqrt"))
    if len(noise):
        batch = float(points["local_batch_size"].iloc[0])
        at = noise.to_numpy() / batch
        rules.axvspan(at.min(), at.max() * 1.03, color=ORANGE, alpha=0.35, linewidth=0)
        rules.axvline(float(np.exp(np.log(at).mean())), color=ORANGE, label="noise scale")
    for index, (rule, (label, color)) in enumerate(_RULES.items()):
        gain = warmup_difference(points[points["lr_rule"] == rule])
        if not gain.empty:
            _draw_differences(warmup, gain, color, label, index)
    for ax in (rules, warmup):
        ax.axhline(0, color=GRAY, linewidth=0.8)
        _finish(ax, points["nodes"], "Difference in final F1")
    crossed = _draw_crossover(rules, between)
    # Below the panels: intervals of few seeds leave no corner free.
    figure.legend(*rules.get_legend_handles_labels(), loc="outside lower left", ncols=4)
    figure.legend(*warmup.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    rules.set_title("linear minus square root, warmed up")
    warmup.set_title("with minus without warm-up")
    caption = sentences(
        f"Differences in final score ({shown_points.score}), paired by seed (small points).",
        _INTERVALS,
        "Gray: between the last node count of linear and the first of square-root scaling in the",
        "published study.",
        "Orange: node count whose global batch is the gradient noise scale at convergence, range"
        " over seeds."
        if len(noise)
        else "",
        "Diamond: where the mean crosses zero for good, with its 95 % interval (test inversion);"
        " it may reach beyond the node counts tried."
        if crossed
        else "",
        f"{capitalized(describe(points))}.",
    )
    return Drawing(figure, caption)


def optimizers(studies: Studies) -> Drawing:
    """Final F1 of every optimizer against nodes."""
    shown_points = optimizer_points(studies)
    points = shown_points.points
    if points["optimizer"].nunique() < 2:
        raise NothingToDraw(
            f"`{shown_points.studies}` has finished points of fewer than two optimizers"
        )
    figure, (ax,) = panels(1, width_in=COLUMN_WIDTH_IN * 1.5, height_in=2.8)
    names = sorted(points["optimizer"].unique())
    colors = dict(zip(names, (*SERIES, DARK), strict=False))
    middle = (len(names) - 1) / 2
    for index, name in enumerate(names):
        rows = points[points["optimizer"] == name]
        _draw_scores(ax, rows, name, colors[name], index - middle)
    _finish(ax, points["nodes"], "Final validation F1")
    ax.set_ylim(-0.03, 1)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper")
    caption = sentences(
        f"Final score ({shown_points.score}) of each optimizer at its own rate against nodes, with",
        "warm-up: lines are means over seeds, small points the seeds (set apart sideways).",
        f"{capitalized(describe(points))}.",
    )
    return Drawing(figure, caption)


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
    figure, (data, time) = panels(2, height_in=2.6)
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
        ax.legend(loc="best")
    data.plot(rows["nodes"], rows["fovs"], "o", color=BLUE, alpha=0.4, markersize=2, mew=0)
    data.set_ylabel(f"FOVs to F1 {target}")
    time.set_ylabel(f"Modeled hours to F1 {target}")
    data.set_title("data: measured")
    time.set_title("time: modeled")
    caption = sentences(
        f"Left: FOVs to F1 {target}, geometric mean over seeds; small points: seeds. Right: the",
        "time those FOVs would take at the published throughput of as many KNL nodes: modeled,",
        "a smaller network on other data, so that only ratios mean anything.",
        f"{capitalized(describe(points))}.",
    )
    return Drawing(figure, caption)


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
    return prediction(predictor, cost, Question(target, hours, None, MOST_NODES))
