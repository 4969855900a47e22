"""The figure of the node counts that a target takes, from recorded runs and published scaling."""

from __future__ import annotations

from typing import Final

from analysis.claims.data_cost import batch_points, best_target, reached_table
from analysis.claims.points import Studies
from analysis.figures.style import Drawing
from analysis.prediction.answer import Question
from analysis.prediction.figure import prediction
from analysis.prediction.inputs import training_cost
from analysis.runs.study import NothingToDraw
from analysis.stats.model_average import published_throughput
from analysis.stats.predictor import Predictor
from ffn_core.errors import InputError

STUDY: Final = "batch_size"
MOST_NODES: Final = 2048


def predicted(studies: Studies, hours: float = 0.1) -> Drawing:
    """FOVs, time and cost to the highest target reached, against nodes, at published throughput.

    Args:
        studies: of which `batch_size` gives the FOVs.
        hours: time allowed; short, since the network of this study is small.
    """
    target = best_target(reached_table(studies, batch_points(studies)))
    if STUDY not in studies or target is None:
        raise NothingToDraw(f"`{STUDY}` has no target F1 that three node counts reach")
    try:
        cost = training_cost(studies[STUDY], STUDY, target)
    except InputError as reason:
        raise NothingToDraw(str(reason)) from reason
    predictor = Predictor(published_throughput(), cost.fit, cost.local_batch_size)
    return prediction(predictor, cost, Question(target, hours, None, MOST_NODES))
