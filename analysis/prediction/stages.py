"""Plans in stages: the modeled time of one, and the best one to several targets. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, product

import numpy as np

from analysis.models.model_average import ThroughputModel
from analysis.models.predictor import Predictor, node_grid
from analysis.models.time_and_cost import seconds_of_stages
from analysis.prediction.question import Question
from analysis.text import duration, node_words
from ffn_core.errors import InputError


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a plan: FOVs, and the nodes that process them."""

    nodes: int
    fovs: int


def parse_stages(text: str) -> list[PlannedStage]:
    """Stages of ``4:8000,16:8000``: nodes and FOVs of each.

    Raises:
        InputError: it does not read like that.
    """
    stages = []
    for word in text.split(","):
        nodes, _, fovs = word.partition(":")
        if not (nodes.strip().isdecimal() and fovs.strip().isdecimal() and int(nodes) * int(fovs)):
            raise InputError(
                f"--stages {text}: {word!r} should be NODES:FOVS, both above 0, "
                "as in 4:8000,16:8000"
            )
        stages.append(PlannedStage(int(nodes), int(fovs)))
    return stages


def describe_stages(
    stages: Sequence[PlannedStage], throughput: ThroughputModel, question: Question
) -> list[str]:
    """Time and cost of a plan, and of its FOVs on its fewest and most nodes throughout.

    What it says is time, not how far the plan brings the score: that takes runs in stages.
    """
    nodes = np.array([stage.nodes for stage in stages], dtype=float)
    ends = np.cumsum([stage.fovs for stage in stages]).astype(float)
    rate = np.asarray(throughput.throughput(nodes))
    until = seconds_of_stages(ends, rate, ends) / 3600
    hours = np.diff(np.concatenate([[0.0], until]))
    lines = [
        f"stage of {stage.fovs} FOVs on {node_words(stage.nodes)}: {duration(time)}"
        for stage, time in zip(stages, hours, strict=True)
    ]
    spent = _spent(until[-1], float(hours @ nodes), question)
    lines.append(f"all stages: {ends[-1]:g} FOVs in {spent}")
    for count in sorted({int(nodes.min()), int(nodes.max())}):
        constant = ends[-1] / float(np.asarray(throughput.throughput([count]))[0]) / 3600
        spent = _spent(constant, count * constant, question)
        lines.append(f"as many FOVs on {node_words(count)} throughout: {spent}")
    return lines


def best_stages(predictors: Sequence[Predictor], question: Question) -> list[PlannedStage] | None:
    """A stage up to each of several rising targets: the cheapest plan in time, or else the fastest.

    What a batch needs from one target to the next is taken to be the difference of what it needs
    to either from the start, and no less than what a smaller batch needs: training on another node
    count loses nothing. Without a time allowed, the plan is the fastest that the budget pays for.

    Args:
        predictors: one per target, rising.
        question: the time and money allowed.

    Returns:
        Stages, those of one node count joined; None where no plan keeps time and budget.
    """
    counts = node_grid(question.most_nodes)
    tables = [predictor.table(counts) for predictor in predictors]
    total = np.array([table["fovs"].to_numpy() for table in tables])
    fovs = np.diff(total, axis=0, prepend=np.zeros((1, len(counts))))
    fovs = np.maximum.accumulate(fovs.clip(min=0), axis=1)
    hours = fovs / tables[0]["fovs_per_second"].to_numpy() / 3600
    plans = np.array(list(product(range(len(counts)), repeat=len(predictors))))
    stage = np.arange(len(predictors))
    time = hours[stage, plans].sum(axis=1)
    node_hours = (hours * counts)[stage, plans].sum(axis=1)
    allowed = (time <= (question.hours or np.inf)) & (node_hours <= question.node_hours)
    if not allowed.any():
        return None
    aim = time if question.hours is None else node_hours
    best = plans[np.where(allowed, aim, np.inf).argmin()]
    needed = [(counts[at], fovs[number, at]) for number, at in enumerate(best)]
    joined = [(n, sum(f for _, f in part)) for n, part in groupby(needed, lambda one: one[0])]
    return [PlannedStage(nodes, math.ceil(some)) for nodes, some in joined if some > 0]


def stages_option(stages: Sequence[PlannedStage]) -> str:
    """The plan as the option of a training command."""
    parts = ",".join(f"{{nodes:{stage.nodes},fovs:{stage.fovs}}}" for stage in stages)
    return f"'stages=[{parts}]'"


def _spent(hours: float, node_hours: float, question: Question) -> str:
    cost = question.cost(node_hours)
    return f"{duration(hours)}, {node_hours:.3g} node-hours" + (f", {cost}" if cost else "")
