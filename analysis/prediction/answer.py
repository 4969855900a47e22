"""A prediction as a table, an answer and its assumptions, in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from analysis.models.critical_batch import CriticalBatch
from analysis.models.model_average import ThroughputModel
from analysis.models.predictor import Predictor
from analysis.prediction.inputs import TrainingCost
from analysis.prediction.question import Question
from analysis.text import duration, node_words, short_number, time_unit


def prediction_table(table: pd.DataFrame, cost: TrainingCost, question: Question) -> Table:
    """One line per node count.

    Args:
        table: from `analysis.models.predictor.Predictor.table`.
        cost: of which experiment and target.
        question: adds the price, and marks the counts that keep time and budget.
    """
    unit, an_hour = time_unit(float(table["hours"].median()))
    limits = _limits(question)
    written = Table(
        title=f"F1 {cost.target:g} with the recipes of {cost.experiment}",
        title_justify="left",
        caption="time, node-hours: training alone, with the 95 % interval of one run"
        + (f"; *: within {' and '.join(limits)}" if limits else ""),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    headings = ["nodes", "FOVs", "FOVs/s", f"time ({unit})", "interval"]
    headings += ["", "node-hours", "interval"]
    headings += [] if question.price is None else [f"cost {question.currency}".rstrip()]
    for heading in headings:
        written.add_column(heading, justify="right", no_wrap=True)
    written.add_column("outside what was tried")
    plain = replace(question, currency="")
    for row in table.to_dict("records"):
        allowed = row["hours"] <= (question.hours or math.inf)
        allowed &= row["node_hours"] <= question.node_hours
        cells = [
            str(row["nodes"]),
            short_number(float(f"{row['fovs']:.3g}")),
            f"{row['fovs_per_second']:.3g}",
            f"{row['hours'] * an_hour:.3g}",
            _interval(row["hours_low"] * an_hour, row["hours_high"] * an_hour),
            "*" if limits and allowed else "",
            f"{row['node_hours']:.3g}",
            _interval(row["node_hours_low"], row["node_hours_high"]),
        ]
        cells += [] if question.price is None else [plain.cost(row["node_hours"])]
        written.add_row(*cells, _outside(row, cost))
    return written


def answer(predictor: Predictor, cost: TrainingCost, question: Question) -> list[str]:
    """What to choose: in time, within the budget, the cheapest, the fastest, the critical count."""

    def choice(what: str, count: int | None, otherwise: str) -> str:
        if count is None:
            return f"{what}: on no node count up to {question.most_nodes}{otherwise}."
        return f"{what}: {node_words(count)}, {_expected(predictor, count, cost, question)}."

    most, lines = question.most_nodes, []
    cheapest, fastest = predictor.cheapest(most), predictor.fastest(most)
    if question.hours is not None:
        lines += _in_time(predictor, cost, question, question.hours, choice)
    if question.budget is not None:
        least = predictor.table([cheapest])["node_hours"].item()
        affordable = least <= question.node_hours
        paid = predictor.fastest(most, question.node_hours) if affordable else None
        what = f"Fastest for {question.money(question.budget)}"
        lines.append(choice(what, paid, f"; the least it costs is {question.cost(least)}"))
    lines.append(choice("Cheapest", cheapest, ""))
    lines.append(choice("Fastest", fastest, ""))
    return [*lines, _critical(predictor)]


def _in_time(
    predictor: Predictor,
    cost: TrainingCost,
    question: Question,
    hours: float,
    choice: Callable[[str, int | None, str], str],
) -> list[str]:
    """The fewest nodes that keep the time, and those that keep it with their interval."""
    most, allowed = question.most_nodes, duration(hours)
    count = predictor.fewest_nodes(hours, most)
    best = predictor.table([predictor.fastest(most)]).to_dict("records")[0]
    shortest = f"; the shortest time is {duration(best['hours'])} on {node_words(best['nodes'])}"
    lines = [choice(f"F1 {cost.target:g} within {allowed}", count, shortest)]
    if count is None:
        return lines
    if math.isnan(predictor.table([count])["hours_high"].item()):
        return [*lines, "No interval: that takes at least three runs that reached the target."]
    sure = predictor.fewest_nodes(hours, most, "hours_high")
    if sure != count:
        lines.append(choice(f"With the whole 95 % interval within {allowed}", sure, ""))
    return lines


def _limits(question: Question) -> list[str]:
    limits = [] if question.hours is None else [duration(question.hours)]
    return limits if question.budget is None else [*limits, question.money(question.budget)]


def assumptions(
    throughput: ThroughputModel, cost: TrainingCost, lacking: str | None = None
) -> list[str]:
    """What the prediction takes for granted, one sentence each; ``lacking`` of `throughput_of`."""
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
        _speed(throughput) if lacking is None else f"{_speed(throughput)} {lacking}",
        "Times are training time: queueing, start-up, evaluation and checkpoints come on top.",
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
            f"On {counts} nodes not every run reached the target: {fit.missed} in all, taken to"
            " need more FOVs than they had.",
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
    baseline = node_words(int(throughput.baseline_nodes))
    speed = f"{node:.3g} FOVs/s per node at {baseline}"
    given = "; that speed is given, the efficiency is not measured on your machine"
    return (
        f"FOVs/s: {throughput.source}, up to {node_words(int(throughput.largest))}; {speed}"
        f"{given if throughput.scale != 1 else ''}. Scaling models averaged by Akaike weight: "
        f"{models}."
    )


def _expected(predictor: Predictor, nodes: int, cost: TrainingCost, question: Question) -> str:
    row = predictor.table([nodes]).to_dict("records")[0]
    words = duration(row["hours"])
    if not math.isnan(row["hours_low"]):
        ends = duration(row["hours_low"]), duration(row["hours_high"])
        words += f" (95 % interval {ends[0]} to {ends[1]})"
    words += f", {row['node_hours']:.3g} node-hours"
    words += "" if question.price is None else f", {question.cost(row['node_hours'])}"
    outside = _outside(row, cost)
    return f"{words}; outside what was tried: {outside}" if outside else words


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
