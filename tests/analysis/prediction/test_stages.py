"""A plan in stages: its modeled time by hand."""

import numpy as np
import pytest

from analysis.models.model_average import fit_throughput
from analysis.models.time_and_cost import seconds_of_stages
from analysis.prediction.stages import PlannedStage, describe_stages, parse_stages
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
    assert describe_stages(plan, throughput) == [
        "stage of 36000 FOVs on 1 nodes: 1 h",
        "stage of 36000 FOVs on 4 nodes: 0.25 h",
        "all stages: 72000 FOVs in 1.25 h, 2 node-hours",
        "as many FOVs on 1 nodes throughout: 2 h, 2 node-hours",
        "as many FOVs on 4 nodes throughout: 0.5 h, 2 node-hours",
    ]


@pytest.mark.parametrize("text", ["4", "4:", "4:0", "0:8", "a:8", "4:8,", "4:-8", "4:8:8"])
def test_what_is_no_plan_is_named(text):
    with pytest.raises(InputError, match="should be NODES:FOVS"):
        parse_stages(text)
