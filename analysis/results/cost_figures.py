"""Figures over several studies of what a target costs: data, time on real nodes, node-hours."""

from __future__ import annotations

from typing import Final

import pandas as pd

from analysis.claims import data_cost
from analysis.claims.data_cost import cost_table, published_rate, reached_table
from analysis.figures.style import (
    BLUE,
    VERMILION,
    Drawing,
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
from analysis.runs.score import targets_above
from analysis.runs.study import NothingToDraw
from analysis.text import capitalized
from analysis.verdicts.plan import PRIMARY
from analysis.verdicts.scored_runs import Studies, describe, ended, scored_points
from ffn_core.errors import InputError

STUDY: Final = data_cost.STUDY
MOST_NODES: Final = 2048
_LEAST_COUNTS: Final = 3
_MARGIN: Final = 1.35


def data_and_time(studies: Studies, target: float | None = None, metric: str = PRIMARY) -> Drawing:
    """FOVs to the target and the time they take on real nodes, against nodes.

    Args:
        studies: of which `data_cost` is shown.
        target: F1; None for the highest that every seed of three node counts reached.
        metric: which F1.
    """
    points, rows, target = cost_rows(studies, target, metric)
    if target is None or rows.empty:
        raise NothingToDraw("no F1 target is reached by every seed of three node counts")
    cost = rows["fovs"].fillna(rows["fovs_done"])
    table = cost_table(rows.assign(arm=rows["nodes"], cost=cost, missed=rows["fovs"].isna()))
    table = table.rename(columns={"arm": "nodes", "cost": "fovs"})
    rate = published_rate(table["nodes"].to_numpy())
    table["modeled_hours"] = table["fovs"] / rate / 3600
    figure, (data, time) = panels(2, height_in=2.4)
    met = table["reached"] == table["seeds"]
    for ax, column, color in ((data, "fovs", BLUE), (time, "modeled_hours", VERMILION)):
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
        node_axis(ax, table["nodes"])
        ax.set_xlim(table["nodes"].min() / _MARGIN, table["nodes"].max() * _MARGIN)
        log_axis(ax, "y")
    data.plot(rows["nodes"], rows["fovs"], "o", color=BLUE, alpha=0.4, ms=2, mew=0, label="seed")
    legend_below(figure, data.get_legend_handles_labels()[0])
    data.set_ylabel(f"FOVs to F1 {target:g}")
    time.set_ylabel(f"Modeled hours to F1 {target:g}")
    data.set_title("data: measured")
    time.set_title("time: modeled")
    return Drawing(
        figure,
        f"Left: FOVs to F1 {target:g}. Right: the time they would take at the published"
        " throughput, of which only ratios mean anything.",
        notes(
            "FOVs: geometric means over seeds.",
            "Modeled time: throughput of as many KNL nodes, with a larger network on other data.",
            f"{capitalized(describe(points))}.",
        ),
    )


def predicted(studies: Studies, target: float | None = None, hours: float = 0.2) -> Drawing:
    """FOVs, time and cost to a target, against nodes, at published throughput.

    Args:
        studies: of which `data_cost` gives the FOVs.
        target: F1; None for the highest that every seed of three node counts reached.
        hours: time allowed; short, since the network of this study is small.
    """
    _, _, target = cost_rows(studies, target)
    if STUDY not in studies or target is None:
        raise NothingToDraw(f"`{STUDY}` has no target F1 that three node counts reach")
    try:
        cost = training_cost(studies[STUDY], STUDY, target)
    except InputError as reason:
        raise NothingToDraw(str(reason)) from reason
    predictor = Predictor(published_throughput(), cost.fit, cost.local_batch_size)
    return prediction(predictor, cost, Question(MOST_NODES, hours))


def cost_rows(
    studies: Studies, target: float | None, metric: str = PRIMARY
) -> tuple[pd.DataFrame, pd.DataFrame, float | None]:
    """Points, FOVs to the target for each, and the target; no rows where none is reached."""
    points = scored_points(studies, STUDY, metric=metric)
    if points.empty:
        return points, pd.DataFrame(), None
    known = points["baseline"].dropna()
    wanted = targets_above(None if known.empty else float(known.max()))
    if target is not None:
        wanted = (target,)
    rows = reached_table(ended(studies[STUDY]), points, wanted, metric)
    chosen = best_target(rows) if target is None else target
    if chosen is None:
        return points, rows.iloc[:0], None
    return points, rows[rows["target"] == chosen], chosen


def best_target(rows: pd.DataFrame) -> float | None:
    """The highest target that every seed of at least three node counts reaches; None if none."""
    for target in sorted(rows["target"].unique(), reverse=True):
        here = rows[rows["target"] == target]
        complete = here["fovs"].notna().groupby(here["nodes"]).all()
        if int(complete.sum()) >= _LEAST_COUNTS:
            return float(target)
    return None
