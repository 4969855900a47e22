import math

import numpy as np
import pytest

from analysis import models

NODES = np.array([1.0, 2.0, 10.0, 1000.0])


def test_formulas_by_hand():
    assert models.amdahl(NODES, 0.1)[2] == pytest.approx(1 / 1.9)
    assert models.gustafson(NODES, 0.1)[2] == pytest.approx(0.91)
    assert models.usl(NODES, 0.1, 0.01)[2] == pytest.approx(1 / (1 + 0.9 + 0.9))
    assert models.ring_allreduce(NODES, 0.01, 0.1)[2] == pytest.approx(1 / (1 + 0.18 + 0.18))
    assert models.tree_allreduce(np.array([8.0]), 0.05)[0] == pytest.approx(1 / 1.3)
    assert models.straggler(NODES, 0.1)[1] == pytest.approx(1 / (1 + 0.1 / math.sqrt(math.pi)))


def test_amdahl_speedup_is_bounded_and_gustafson_efficiency_levels_off():
    many = np.array([1e9])
    assert (many * models.amdahl(many, 0.05))[0] == pytest.approx(20)
    assert models.gustafson(many, 0.05)[0] == pytest.approx(0.95)


@pytest.mark.parametrize("model", models.MODELS, ids=lambda model: model.name)
def test_one_node_is_the_baseline_and_efficiency_never_rises(model):
    values = model.efficiency(NODES, *[0.01] * len(model.parameters))
    assert values[0] == pytest.approx(1)
    assert (np.diff(values) < 0).all()
    assert model.efficiency(NODES, *[0.0] * len(model.parameters)) == pytest.approx(np.ones(4))
    assert len(model.upper) == len(model.parameters)


def test_usl_without_coherency_is_amdahl():
    assert models.usl(NODES, 0.1, 0.0) == pytest.approx(models.amdahl(NODES, 0.1))


def test_expected_maximum_of_normals():
    # Closed forms for 2 and 3; tabulated order statistics (Harter 1961) for 10, 100, 1000.
    root_pi = math.sqrt(math.pi)
    expected = [0, 1 / root_pi, 3 / (2 * root_pi), 1.53875, 2.50759, 3.24144]
    values = models.expected_maximum(np.array([1, 2, 3, 10, 100, 1000]))
    assert values == pytest.approx(expected, abs=1e-5)
    assert float(models.expected_maximum(2)) == pytest.approx(1 / root_pi)
