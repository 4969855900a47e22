"""A plan in stages: its modeled time by hand."""

import numpy as np
import pytest

from analysis.models.critical_batch import fit_critical_batch
from analysis.models.model_average import fit_throughput
from analysis.models.predictor import Predictor
from analysis.models.time_and_cost import seconds_of_stages
from analysis.prediction.question import Question
from analysis.prediction.stages import (
    PlannedStage,
    best_stages,
    describe_stages,
    parse_stages,
    stages_option,
)
from ffn_core.errors import InputError


def test_seconds_add_up_over_stages():
    """400 FOVs at 4/s, then 320 at 64/s."""
    ends, rate = np.array([400.0, 720.0]), np.array([4.0, 64.0])
    asked = np.array([0, 200, 400, 560, 720])
    assert seconds_of_stages(ends, rate, asked).tolist() == [0, 50, 100, 102.5, 105]


def test_a_plan_in_words():
    """On nodes of 10 FOVs/s each: 36,000 FOVs on 1 node are an hour, and as many on 4 a quarter."""
    nodes = 2.0 ** np.arange(7)
    throughput = fit_throughput("made up", nodes, 10 * nodes)
    plan = parse_stages("1:36000, 4:36000")
    assert plan == [PlannedStage(1, 36_000), PlannedStage(4, 36_000)]
    assert describe_stages(plan, throughput, Question(8, price=3, currency="EUR")) == [
        "stage of 36000 FOVs on 1 node: 1 h",
        "stage of 36000 FOVs on 4 nodes: 15 min",
        "all stages: 72000 FOVs in 1 h 15 min, 2 node-hours, 6.00 EUR",
        "as many FOVs on 1 node throughout: 2 h, 2 node-hours, 6.00 EUR",
        "as many FOVs on 4 nodes throughout: 30 min, 2 node-hours, 6.00 EUR",
    ]


@pytest.mark.parametrize("text", ["4", "4:", "4:0", "0:8", "a:8", "4:8,", "4:-8", "4:8:8"])
def test_what_is_no_plan_is_named(text):
    with pytest.raises(InputError, match="should be NODES:FOVS"):
        parse_stages(text)


@pytest.fixture(scope="module")
def predictors():
    """10 FOVs/s per node; first target: 3600 (1 + B/4) FOVs, second: 7200 (1 + B/16) FOVs."""
    nodes, batch = 2.0 ** np.arange(7), np.array([1.0, 4, 16, 64])
    throughput = fit_throughput("made up", nodes, 10 * nodes)

    def predictor(least, critical):
        fit = fit_critical_batch(batch, least / batch * (1 + batch / critical))
        return Predictor(throughput, fit, 1.0)

    return predictor(3600, 4), predictor(7200, 16)


def test_the_best_plan_is_the_cheapest_of_all_that_keep_the_time(predictors):
    """From target to target a batch of B takes 3600 - 450 B FOVs, but no fewer than one of 1."""
    hours = 0.06
    plan = best_stages(predictors, Question(8, hours=hours))
    counts = [1, 2, 4, 8]
    first = {n: 3600 * (1 + n / 4) for n in counts}
    second = dict.fromkeys(counts, 3150)
    options = {
        (a, b): (first[a] + second[b], first[a] / (10 * a) / 3600 + second[b] / (10 * b) / 3600)
        for a in counts
        for b in counts
    }
    in_time = {pair: fovs for pair, (fovs, time) in options.items() if time <= hours}
    cheapest = min(in_time, key=lambda pair: in_time[pair])  # node-hours are FOVs / 36000
    fovs = [first[cheapest[0]], second[cheapest[1]]]
    needed = [(n, f) for n, f in zip(cheapest, fovs, strict=True) if f > 0]
    assert [(s.nodes, pytest.approx(s.fovs, abs=2)) for s in plan] == needed


def test_without_a_time_the_plan_is_the_fastest_that_the_budget_pays_for(predictors):
    everything = best_stages(predictors, Question(8))
    assert [(s.nodes, pytest.approx(s.fovs, abs=2)) for s in everything] == [(8, 10800 + 3150)]
    frugal = best_stages(predictors, Question(8, price=1.0, budget=0.213))
    assert [(s.nodes, pytest.approx(s.fovs, abs=2)) for s in frugal] == [(1, 4500), (8, 3150)]
    assert best_stages(predictors, Question(8, price=1.0, budget=0.1)) is None


def test_a_plan_as_an_option():
    plan = [PlannedStage(4, 8000), PlannedStage(16, 8000)]
    assert stages_option(plan) == "'stages=[{nodes:4,fovs:8000},{nodes:16,fovs:8000}]'"


def test_a_budget_needs_a_price():
    with pytest.raises(InputError, match="--budget 5 needs the price of a node-hour"):
        Question(8, budget=5.0)
