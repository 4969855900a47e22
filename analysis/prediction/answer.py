"""A prediction as a table, an answer and its assumptions, in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from analysis.models.critical_batch import CriticalBatch
from analysis.models.model_average import ThroughputModel
from analysis.models.predictor import Predictor, node_grid
from analysis.prediction.inputs import TrainingCost
from analysis.text import short_number


@dataclass(frozen=True)
class Question:
    """What is asked: F1 `f1` within `hours` on at most `most_nodes`; `price` of a node-hour."""

    f1: float
    hours: float
    price: float | None
    most_nodes: int


def prediction_table(table: pd.DataFrame, cost: TrainingCost, question: Question) -> Table:
    """One line per node count.

    Args:
        table: from `analysis.models.predictor.Predictor.table`.
        cost: of which experiment and target.
        question: adds the price and marks the counts in time.
    """
    written = Table(
        title=f"F1 {cost.target} with the recipes of {cost.experiment}",
        title_justify="left",
        caption="hours, node-hours: training alone, with the 95 % interval of one run; "
        f"*: within {question.hours:g} h",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    headings = ["nodes", "FOVs", "FOVs/s", "hours", "interval", "", "node-hours", "interval"]
    headings += [] if question.price is None else ["cost"]
    for heading in headings:
        written.add_column(heading, justify="right", no_wrap=True)
    written.add_column("outside what was tried")
    for row in table.to_dict("records"):
        cells = [
            str(row["nodes"]),
            short_number(float(f"{row['fovs']:.3g}")),
            f"{row['fovs_per_second']:.3g}",
            f"{row['hours']:.3g}",
            _interval(row["hours_low"], row["hours_high"]),
            "*" if row["hours"] <= question.hours else "",
            f"{row['node_hours']:.3g}",
            _interval(row["node_hours_low"], row["node_hours_high"]),
        ]
        cells += [] if question.price is None else [f"{question.price * row['node_hours']:.3g}"]
        written.add_row(*cells, _outside(row, cost))
    return written


def answer(predictor: Predictor, cost: TrainingCost, question: Question) -> list[str]:
    """The node count that keeps the time, one that keeps it with its interval, the critical one."""
    wanted = f"F1 {question.f1:g} within {question.hours:g} h"
    count = predictor.fewest_nodes(question.hours, question.most_nodes)
    if count is None:
        return [
            f"{wanted}: on no node count up to {question.most_nodes};"
            f" {_fastest(predictor, question)}",
            _critical(predictor),
        ]
    lines = [f"{wanted}: {_nodes(count)}, {_expected(predictor, count, cost, question)}."]
    sure = predictor.fewest_nodes(question.hours, question.most_nodes, "hours_high")
    if math.isnan(predictor.table([count])["hours_high"].item()):
        lines.append("No interval: that takes at least three runs that reached the target.")
    elif sure is None:
        lines.append(
            f"The whole 95 % interval stays within {question.hours:g} h on no node count up to"
            f" {question.most_nodes}."
        )
    elif sure != count:
        expected = _expected(predictor, sure, cost, question)
        lines.append(f"With the whole 95 % interval within: {_nodes(sure)}, {expected}.")
    return [*lines, _critical(predictor)]


def assumptions(throughput: ThroughputModel, cost: TrainingCost) -> list[str]:
    """What the prediction takes for granted, one sentence each."""
    fit, runs = cost.fit, cost.runs
    emulated = " (emulated nodes: training does not depend on who carries them)"
    lines = [
        f"FOVs to F1 {cost.target}: {_curve(fit)} (McCandlish et al. 2018), fitted to"
        f" {fit.count + fit.missed} runs of {cost.experiment} with B from {fit.smallest:g} to"
        f" {fit.largest:g}"
        f"{emulated if runs['emulated'].any() else ''}. F1 is {cost.score.words}; a run reaches "
        "the target where the nondecreasing curve nearest to its evaluations does.",
        "The recipe at every node count is the best of those tried there: other counts are taken "
        "to be tuned as well, on the same data and network.",
        _speed(throughput),
        "Hours are training time: queueing, start-up, evaluation and checkpoints come on top.",
        "Intervals are first-order, 95 %, for one new run; the errors of FOVs and FOVs/s are "
        "taken to be independent.",
    ]
    if cost.baseline is not None and cost.target <= cost.baseline:
        lines.insert(
            1,
            f"F1 {cost.target} takes no learning: calling every voxel object gives "
            f"{cost.baseline:.3f}.",
        )
    if cost.missed:
        counts = ", ".join(map(str, cost.missed))
        lines.insert(
            1,
            f"On {counts} nodes not every run reached the target; {fit.missed} such runs count as "
            "needing more FOVs than they had, how many is not known.",
        )
    return lines


def _curve(fit: CriticalBatch) -> str:
    if fit.unseen:
        return f"E = {fit.min_fovs:.3g} at any batch of B FOVs, no rise with B being seen"
    return f"E = {fit.min_fovs:.3g} (1 + B / {fit.batch_size:.3g}) for a batch of B FOVs"


def _speed(throughput: ThroughputModel) -> str:
    models = ", ".join(
        f"{fit.model.name} {weight:.2f}"
        for fit, weight in zip(throughput.average.fits, throughput.average.weights, strict=True)
        if weight >= 0.005
    )
    node = throughput.node_fovs_per_second
    baseline = _nodes(int(throughput.baseline_nodes))
    speed = f"{node:.3g} FOVs/s per node at {baseline}"
    given = "; that speed is given, the efficiency is not measured on your machine"
    return (
        f"FOVs/s: {throughput.source}, up to {_nodes(int(throughput.largest))}; {speed}"
        f"{given if throughput.scale != 1 else ''}. Scaling models averaged by Akaike weight: "
        f"{models}."
    )


def _expected(predictor: Predictor, nodes: int, cost: TrainingCost, question: Question) -> str:
    row = predictor.table([nodes]).to_dict("records")[0]
    words = (
        f"{row['hours']:.3g} h (95 % interval {_interval(row['hours_low'], row['hours_high'])}), "
    )
    words += f"{row['node_hours']:.3g} node-hours"
    words += "" if question.price is None else f", cost {question.price * row['node_hours']:.3g}"
    outside = _outside(row, cost)
    return f"{words}; outside what was tried: {outside}" if outside else words


def _fastest(predictor: Predictor, question: Question) -> str:
    rows = predictor.table(node_grid(question.most_nodes)).to_dict("records")
    best = min(rows, key=lambda row: row["hours"])
    return f"the shortest time is {best['hours']:.3g} h on {_nodes(best['nodes'])}."


def _critical(predictor: Predictor) -> str:
    fit = predictor.cost
    if fit.unseen:
        return "Larger batches cost no more FOVs as far as was tried."
    return (
        f"Critical batch size {fit.batch_size:.3g} FOVs = {predictor.critical_nodes():.3g} nodes: "
        "there a run needs twice the FOVs of a small batch; beyond it nodes mostly cost data."
    )


def _outside(row: Mapping[Hashable, Any], cost: TrainingCost) -> str:
    words = ["batch size"] if row["beyond_runs"] else []
    words += ["throughput"] if row["beyond_throughput"] else []
    words += ["missed the target"] if row["nodes"] in cost.missed else []
    return ", ".join(words)


def _interval(low: float, high: float) -> str:
    return "unknown" if math.isnan(low) else f"{low:.3g} to {high:.3g}"


def _nodes(count: int) -> str:
    return f"{count} node{'s' if count != 1 else ''}"
