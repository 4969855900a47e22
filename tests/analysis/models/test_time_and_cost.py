import numpy as np
import pandas as pd
import pytest

from analysis.models.model_average import fit_throughput
from analysis.models.time_and_cost import published_time_and_cost, time_and_cost

IDEAL = fit_throughput("made up", 2.0 ** np.arange(6), 10 * 2.0 ** np.arange(6))


def rows(nodes, emulated, fovs, elapsed_s):
    return {
        "nodes": nodes,
        "target": 0.5,
        "emulated": emulated,
        "fovs": fovs,
        "elapsed_s": elapsed_s,
        "optimizer_step": fovs / nodes,
    }


def test_measured_and_modeled_are_kept_apart():
    reached = pd.DataFrame(
        [
            rows(1, False, 3600.0, 720.0),
            rows(2, False, 4000.0, 450.0),
            rows(8, True, 7200.0, 9999.0),  # the time of the ranks that carried them
            rows(16, True, np.nan, np.nan),
        ]
    )
    table = time_and_cost(reached, IDEAL).set_index(["kind", "nodes"])
    measured, modeled = table.loc["measured"], table.loc["modeled"]
    assert measured["hours"].tolist() == pytest.approx([0.2, 0.125])
    assert measured["speedup"].tolist() == pytest.approx([1, 1.6])
    assert measured["cost_ratio"].tolist() == pytest.approx([1, 1.25])
    # 10 FOVs/s per node: 360 s on one, 90 s on eight.
    assert modeled.index.tolist() == [1, 2, 8]
    assert modeled["hours"].tolist() == pytest.approx([0.1, 200 / 3600, 0.025], rel=1e-4)
    assert modeled["cost_ratio"].tolist() == pytest.approx([1, 4000 / 3600, 2], rel=1e-4)
    assert modeled["pareto"].all()


def test_published_node_hours_by_hand():
    vertices = pd.DataFrame(
        {"nodes": [32, 32, 64, 64], "hours": [1.0, 2.0, 1.0, 2.0], "f1": [0.4, 0.6, 0.6, 0.6]}
    )
    table = published_time_and_cost(vertices, (0.5, 0.9))
    assert table["nodes"].tolist() == [32, 64]
    assert table["hours"].tolist() == pytest.approx([1.5, 1.0])
    assert table["node_hours"].tolist() == pytest.approx([48, 64])
    assert table["pareto"].tolist() == [True, True]
