"""Figures of final scores over several studies: rules, rates and optimizers, with deaths.

Each is of one F1: `averaged/f1` unless another metric is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.claims import asked_again, learning_rate_rules, optimizers, rate_growth
from analysis.claims.crossover import crossover_bounds, late_noise_scale
from analysis.claims.learning_rate_rules import rule_difference, warmup_difference
from analysis.figures.style import (
    BLUE,
    DARK,
    GRAY,
    GREEN,
    ORANGE,
    VERMILION,
    Drawing,
    baseline_handle,
    draw_baseline,
    legend_below,
    log_axis,
    node_axis,
    node_color,
    notes,
    panels,
)
from analysis.runs.grouping import groups
from analysis.runs.study import NothingToDraw, nodes_text
from analysis.text import capitalized
from analysis.verdicts.plan import DEAD_BELOW, LAST, PRIMARY, PUBLISHED_CROSSOVER
from analysis.verdicts.scored_runs import (
    Studies,
    alive,
    describe,
    ruled,
    scored_points,
    with_warmup,
)
from analysis.verdicts.seed_intervals import contrast_table

RULE_STUDIES: Final = (learning_rate_rules.STUDY, learning_rate_rules.COLD)
LOW_BASE: Final = learning_rate_rules.LOW_BASE
RATE_STUDY: Final = rate_growth.STUDY
OPTIMIZER_STUDY: Final = optimizers.STUDY
OPTIMIZERS_AGAIN: Final = asked_again.OPTIMIZERS

_RULES: Final = {"linear": ("linear", BLUE), "sqrt": ("square root", VERMILION)}
_SHOWN_RULES: Final = {**_RULES, "none": ("unscaled", GREEN)}
_MARGIN: Final = 1.35
_ROOM: Final = 0.03
"""Of F1, above and below what is drawn."""

_DEATHS: Final = (
    f"A run has died if its last F1 lies below {DEAD_BELOW:g}: it is counted at the bottom,"
    " and is in no mean."
)


def final_scores(studies: Studies, metric: str = PRIMARY) -> Drawing:
    """Final F1 of every learning-rate rule against nodes: warmed up, without, from a low base."""
    main = scored_points(studies, *RULE_STUDIES, metric=metric)
    if main["nodes"].nunique() < 2:
        raise NothingToDraw(
            f"`{', '.join(RULE_STUDIES)}` has finished points at fewer than two node counts"
        )
    low = scored_points(studies, LOW_BASE, metric=metric)
    # An experiment that stands in for all studies has no points of a lower base.
    low = low[low["lr_base"] < main["lr_base"].min()] if len(low) else low
    shown = {
        "with warm-up": with_warmup(main),
        "without warm-up": with_warmup(main, warm=False),
        "warm-up, quarter of the base": low,
    }
    shown = {title: points for title, points in shown.items() if len(points)}
    points = pd.concat(shown.values())
    figure, axes = panels(len(shown), height_in=2.4, most_columns=3)
    baseline = _baseline(points)
    for ax, (title, here) in zip(axes, shown.items(), strict=True):
        draw_baseline(ax, baseline)
        tried = set(here["lr_rule"])
        rules = {rule: named for rule, named in _SHOWN_RULES.items() if rule in tried}
        for index, (rule, (label, color)) in enumerate(rules.items()):
            _draw_scores(ax, ruled(here, rule), label, color, index - 1)
        _draw_deaths(ax, [(ruled(here, rule), color) for rule, (_, color) in rules.items()])
        _finish(ax, points["nodes"], "Final F1" if ax is axes[0] else "")
        ax.set_ylim(*_limits(points, baseline))
        ax.set_title(title)
    legend_below(figure, _score_handles(axes[0], baseline))
    return Drawing(
        figure,
        "Final score of each learning-rate rule against nodes. Numbers at the bottom: runs that"
        " died, of all.",
        notes(_score_words(metric), _DEATHS, f"{capitalized(describe(points))}."),
    )


def rule_differences(studies: Studies, metric: str = PRIMARY) -> Drawing:
    """What linear scaling gains over square-root, and warm-up over none, against nodes."""
    points = scored_points(studies, *RULE_STUDIES, metric=metric)
    living = alive(points)
    between = rule_difference(living)
    if between.empty:
        raise NothingToDraw(
            f"`{', '.join(RULE_STUDIES)}` has no seed with both rules alive at one node count"
        )
    figure, (rules, warmup) = panels(2, height_in=2.6)
    _draw_differences(rules, between, DARK, "mean, interval (left)", 0)
    low, high = PUBLISHED_CROSSOVER
    rules.axvspan(low, high, color=GRAY, alpha=0.2, linewidth=0, label="published crossover")
    noise = late_noise_scale(studies, ruled(with_warmup(points), "sqrt"))
    if len(noise):
        _draw_noise_scale(rules, noise.to_numpy(float), float(points["local_batch_size"].iloc[0]))
    for index, (rule, (label, color)) in enumerate(_RULES.items()):
        gain = warmup_difference(ruled(living, rule))
        if not gain.empty:
            _draw_differences(warmup, gain, color, label, index)
    for ax in (rules, warmup):
        ax.axhline(0, color=GRAY, linewidth=0.8)
        _finish(ax, points["nodes"], "Difference in F1")
    crossed = _draw_crossover(rules, rule_difference(points))
    # Below the panels: intervals of few seeds leave no corner free.
    handles = [h for ax in (rules, warmup) for h in ax.get_legend_handles_labels()[0]]
    legend_below(figure, [*handles, _seed_handle(2.5)])
    rules.set_title("linear minus square root")
    warmup.set_title("warm-up minus none")
    return Drawing(
        figure,
        "Differences in final score, paired by seed: linear against square-root scaling, and"
        " warm-up against none.",
        notes(
            _score_words(metric),
            "Bars: 95 % intervals over seeds, where there are several.",
            "Pairs of which a run died are left out.",
            "Linear against square-root scaling: both warmed up.",
            "Published crossover: between the last node count of linear and the first of"
            " square-root scaling.",
            "Noise scale: node count whose global batch is the gradient noise scale at convergence."
            if len(noise)
            else "",
            crossed,
            f"{capitalized(describe(points))}.",
        ),
    )


def rate_scores(studies: Studies, metric: str = PRIMARY) -> Drawing:
    """Final F1 against the learning rate, one panel per node count."""
    points = scored_points(studies, RATE_STUDY, metric=metric)
    if points.empty or points["lr_peak"].nunique() < 2:
        raise NothingToDraw(f"`{RATE_STUDY}` has finished points at fewer than two rates")
    counts = sorted(int(n) for n in points["nodes"].unique())
    figure, axes = panels(len(counts), height_in=2.1, most_columns=4)
    baseline = _baseline(points)
    for ax, nodes in zip(axes, counts, strict=True):
        here = points[points["nodes"] == nodes]
        color = node_color(nodes)
        draw_baseline(ax, baseline)
        mean = alive(here).groupby("lr_peak")["score"].mean()
        ax.plot(mean.index, mean, "o-", color=color, label="mean of the seeds")
        ax.plot(alive(here)["lr_peak"], alive(here)["score"], "o", color=color, alpha=0.4, ms=2)
        dead = here[here["dead"]].groupby("lr_peak").size()
        for rate, count in dead.items():
            _count_text(ax, rate, 0, f"{count}/{int((here['lr_peak'] == rate).sum())}", color)
        # Before the axis becomes logarithmic: its labels follow the limits, alike in all panels.
        ax.set_xlim(points["lr_peak"].min() / _MARGIN, points["lr_peak"].max() * _MARGIN)
        log_axis(ax, "x")
        ax.set(xlabel="Learning rate", title=nodes_text(nodes))
        ax.set_ylabel("Final F1" if ax is axes[0] else "")
        ax.set_ylim(*_limits(points, baseline))
    legend_below(figure, [_seed_handle(2), *([] if baseline is None else [baseline_handle()])])
    return Drawing(
        figure,
        "Final score against the learning rate, the same rates at every node count. Numbers at"
        " the bottom: runs that died, of all.",
        notes(_score_words(metric), _DEATHS, f"{capitalized(describe(points))}."),
    )


def optimizer_scores(studies: Studies, metric: str = PRIMARY) -> Drawing:
    """Final F1 of every optimizer: a panel for each node count, and for each time it was asked."""
    titles = {OPTIMIZER_STUDY: "", OPTIMIZERS_AGAIN: ", asked again"}
    points = scored_points(studies, *titles, metric=metric)
    if points["optimizer"].nunique() < 2:
        raise NothingToDraw(f"`{OPTIMIZER_STUDY}` has finished points of fewer than two optimizers")
    shown = {
        f"{nodes_text(int(nodes))}{more}": here
        for study, more in titles.items()
        for nodes, here in groups(scored_points(studies, study, metric=metric), "nodes")
    }
    # Best first; at the end those that died wherever they were tried.
    living = alive(points).groupby("optimizer")["score"].mean().sort_values(ascending=False)
    names = [*living.index, *sorted(set(points["optimizer"]) - set(living.index))]
    figure, axes = panels(len(shown), height_in=2.6, most_columns=2, most_width_in=3.5 * len(shown))
    baseline = _baseline(points)
    for ax, (title, here) in zip(axes, shown.items(), strict=True):
        draw_baseline(ax, baseline)
        for place, name in enumerate(names):
            rows = here[here["optimizer"] == name]
            scores = alive(rows)["score"]
            ax.plot([place] * len(scores), scores, "o", color=DARK, alpha=0.4, ms=2, mew=0)
            ax.plot(place, scores.mean(), "o", color=BLUE, label="mean" if place == 0 else "")
            if rows["dead"].any():
                _count_text(ax, place, 0, f"{int(rows['dead'].sum())}/{len(rows)}", BLUE)
        ax.set_xticks(range(len(names)), names)
        ax.set_xlim(-0.5, len(names) - 0.5)
        ax.set_ylabel("Final F1" if ax is axes[0] else "")
        ax.set_ylim(*_limits(points, baseline))
        ax.set_title(title)
    legend_below(figure, _score_handles(axes[0], baseline))
    return Drawing(
        figure,
        "Final score of each optimizer at its own rate, with warm-up. Numbers at the bottom: runs"
        " that died, of all.",
        notes(
            _score_words(metric),
            "Asked again: at rates from both tuning seeds, on fresh seeds."
            if OPTIMIZERS_AGAIN in set(points["experiment"])
            else "",
            _DEATHS,
            f"{capitalized(describe(points))}.",
        ),
    )


def _score_words(metric: str) -> str:
    return f"Score: {metric}, mean of the last {LAST} evaluations."


def _baseline(points: pd.DataFrame) -> float | None:
    """F1 of calling every voxel object; None where it was not recorded."""
    known = points["baseline"].dropna()
    return None if known.empty else float(known.median())


def _limits(points: pd.DataFrame, baseline: float | None) -> tuple[float, float]:
    """Of the F1 axis: all living runs, the baseline, and room for the counts of deaths."""
    scores = alive(points)["score"].to_numpy(float)
    values = scores if baseline is None else np.append(scores, baseline)
    low, high = float(values.min(initial=1.0)), float(values.max(initial=0.0))
    if low > high:
        return 0.0, 1.0
    below = 0.25 * (high - low) if points["dead"].any() else 0.0
    return max(0.0, low - _ROOM - below), min(1.0, high + _ROOM)


def _score_handles(ax: Axes, baseline: float | None) -> list[Artist]:
    """What `_draw_scores` and `draw_baseline` drew."""
    handles = [*ax.get_legend_handles_labels()[0], _seed_handle(2)]
    return handles if baseline is None else [*handles, baseline_handle()]


def _seed_handle(size: float) -> Line2D:
    seed = Line2D([], [], color=DARK, alpha=0.4, marker="o", linestyle="none", label="seed")
    seed.set_markersize(size)
    return seed


def _draw_scores(ax: Axes, points: pd.DataFrame, label: str, color: str, place: float) -> None:
    """Mean over living seeds as a line, seeds as small points set apart sideways by `place`."""
    living = alive(points)
    mean = living.groupby("nodes")["score"].mean()
    aside = 2 ** (0.07 * place)
    ax.plot(mean.index * aside, mean, "o-", color=color, label=label)
    ax.plot(living["nodes"] * aside, living["score"], "o", color=color, alpha=0.4, ms=2, mew=0)


def _draw_deaths(ax: Axes, series: Sequence[tuple[pd.DataFrame, str]]) -> None:
    """Deaths of all runs per node count at the bottom, a row for each series in which any died."""
    rows = [(points, color) for points, color in series if points["dead"].any()]
    for row, (points, color) in enumerate(reversed(rows)):
        for nodes, here in groups(points, "nodes"):
            _count_text(ax, nodes, row, f"{int(here['dead'].sum())}/{len(here)}", color)


def _count_text(ax: Axes, x: object, row: int, text: str, color: str) -> None:
    place = ax.get_xaxis_transform()
    height = 0.02 + 0.08 * row
    ax.text(x, height, text, transform=place, color=color, ha="center", fontsize="x-small")  # type: ignore[arg-type]


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


def _draw_noise_scale(ax: Axes, noise: np.ndarray, batch: float) -> None:
    """Node counts whose global batch is the noise scale: (seeds,) FOVs over FOVs per node."""
    at = noise / batch
    span = ax.axvspan(at.min(), at.max() * 1.03, color=ORANGE, alpha=0.35, linewidth=0)
    span.set_label("noise scale, range")
    ax.axvline(float(np.exp(np.log(at).mean())), color=ORANGE, label="noise scale")


def _draw_crossover(ax: Axes, difference: pd.DataFrame) -> str:
    """The crossover and its interval, as far as they lie in the range drawn; a note, if there is.

    Args:
        ax: with the differences on it.
        difference: F1 of linear minus square-root scaling, index seed, columns nodes.
    """
    found = crossover_bounds(difference.dropna())
    if found is None:
        return ""
    estimate, low, high = found
    nodes = difference.columns.to_numpy(dtype=float)
    smallest, largest = nodes.min() / _MARGIN, nodes.max() * _MARGIN
    if not smallest <= estimate <= largest:
        return ""
    ax.plot(estimate, 0, "D", color=VERMILION, zorder=5, label="crossover")
    said = "Crossover: where the mean crosses zero for good, dead runs counted with their score. "
    if low <= smallest and high >= largest:
        return f"{said}Its 95 % interval (test inversion) covers all node counts tried."
    ends = np.clip([low, high], smallest, largest)
    ax.plot(ends, [0, 0], color=VERMILION, linewidth=2.2, zorder=4)
    return f"{said}Line: its 95 % interval (test inversion), which may reach beyond the panel."


def _finish(ax: Axes, nodes: pd.Series, label: str) -> None:
    node_axis(ax, nodes)
    # Room for the points that stand beside their node count.
    ax.set_xlim(nodes.min() / _MARGIN, nodes.max() * _MARGIN)
    ax.set_ylabel(label)
