import math

import numpy as np
import pytest

from analysis.models.critical_batch import fit_critical_batch
from analysis.models.model_average import fit_throughput
from analysis.models.predictor import Predictor, node_grid
from analysis.models.time_and_cost import pareto_front

NODES = 2.0 ** np.arange(7)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """E = 3600 (1 + B/64) FOVs, 10 FOVs/s per node at every count, 2 FOVs per node and step."""
    batch = np.array([2.0, 8, 32, 128])
    cost = fit_critical_batch(batch, 3600 / batch * (1 + batch / 64))
    return Predictor(fit_throughput("made up", NODES, 10 * NODES), cost, 2.0)


def test_hours_and_node_hours_by_hand(predictor):
    table = predictor.table([1, 32, 128])
    # 32 nodes: batch 64 is critical, 7200 FOVs at 320 FOVs/s are 22.5 s.
    assert table["fovs"].tolist() == pytest.approx([3600 * 66 / 64, 7200, 18000], rel=1e-4)
    assert table["hours"].tolist()[1] == pytest.approx(22.5 / 3600, rel=1e-4)
    assert table["node_hours"].tolist()[1] == pytest.approx(0.2, rel=1e-4)
    assert table["beyond_runs"].tolist() == [False, False, True]
    assert table["beyond_throughput"].tolist() == [False, False, True]
    assert predictor.critical_nodes() == pytest.approx(32, rel=1e-4)


def test_fewest_nodes_is_the_first_count_in_time(predictor):
    # hours(N) = 0.1 (1/N + 1/32): within 0.01 h from N = 14.55 on, never within 0.003.
    assert predictor.fewest_nodes(0.01, 2048) == 15
    assert predictor.fewest_nodes(1.0, 2048) == 1
    assert predictor.fewest_nodes(0.003, 2048) is None
    assert predictor.fewest_nodes(0.01, 10) is None
    assert predictor.fewest_nodes(0.01, 2048, "hours_high") == 15  # exact data: no width


def test_the_cheapest_and_the_fastest_count(predictor):
    # hours(N) = 0.1 (1/N + 1/32), node-hours = 0.1 (1 + N/32): both are monotone.
    assert predictor.cheapest(2048) == 1
    assert predictor.fastest(2048) == 2048
    assert predictor.fastest(2048, node_hours=0.2001) == 32
    assert predictor.fastest(2048, node_hours=0.01) == 1, "the fewest node-hours are 0.103"


def test_halves_add_in_quadrature():
    rng = np.random.default_rng(0)
    batch = np.repeat([1.0, 4, 16, 64], 3)
    cost = fit_critical_batch(batch, 100 * (1 + 50 / batch) * np.exp(rng.normal(0, 0.1, 12)))
    noisy = 10 * NODES * np.exp(rng.normal(0, 0.05, NODES.size))
    both = Predictor(fit_throughput("made up", NODES, noisy), cost, 1.0)
    row = both.table([8]).iloc[0]
    parts = cost.half_width(8.0), both.throughput.half_width([8])[0]
    width = math.log(row["hours_high"] / row["hours"])
    assert width == pytest.approx(math.hypot(*parts))
    assert row["node_hours_low"] == pytest.approx(8 * row["hours_low"])


def test_two_runs_bound_nothing(predictor):
    cost = fit_critical_batch(np.array([1.0, 64]), np.array([100.0, 10]))
    table = Predictor(predictor.throughput, cost, 1.0).table([1, 8])
    assert table["hours_high"].isna().all()
    assert table["hours"].notna().all()


def test_grid_ends_at_the_largest_count():
    assert node_grid(1) == [1]
    assert node_grid(8) == [1, 2, 4, 8]
    assert node_grid(12) == [1, 2, 4, 8, 12]


def test_pareto_front_by_hand():
    hours = np.array([4.0, 3.0, 3.5, 1.0, np.nan])
    cost = np.array([4.0, 6.0, 6.0, 8.0, 1.0])
    assert pareto_front(hours, cost).tolist() == [True, True, False, True, False]
