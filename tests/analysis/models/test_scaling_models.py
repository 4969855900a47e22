import math

import numpy as np
import pytest

from analysis.models import scaling_models
from analysis.models.model_average import leave_largest_out
from analysis.models.scaling_models import MODELS, fit_model

FITTED_NODES = 2.0 ** np.arange(9)
BY_NAME = {model.name: model for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_each_model_recovers_its_own_parameters(model):
    shape = (0.02, 0.005)[: len(model.parameters)]
    rates = 3.0 * FITTED_NODES * model.efficiency(FITTED_NODES, *shape)
    fit = fit_model(model, FITTED_NODES, rates)
    assert fit.base_rate == pytest.approx(3, rel=1e-5)
    assert fit.shape == pytest.approx(shape, rel=1e-3)
    assert fit.throughput([1024])[0] == pytest.approx(
        3 * 1024 * model.efficiency(np.array([1024.0]), *shape)[0], rel=1e-4
    )
    assert leave_largest_out(model, FITTED_NODES, rates) == pytest.approx(0, abs=1e-4)


def test_ideal_scaling_holds_the_parameter_at_its_bound():
    fit = fit_model(BY_NAME["Amdahl"], FITTED_NODES, 3.0 * FITTED_NODES)
    assert fit.shape[0] == pytest.approx(0, abs=1e-7)
    assert fit.covariance[1, 1] == 0
    assert fit.predict([1024])["fovs_per_second"].item() == pytest.approx(3072, rel=1e-6)


def test_interval_covers_the_curve_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    model, covered, covered_new = BY_NAME["Amdahl"], 0, 0
    truth = 3.0 * 256 * model.efficiency(np.array([256.0]), 0.01)[0]
    for _ in range(100):
        noise = np.exp(rng.normal(0, 0.05, 2 * FITTED_NODES.size))
        rates = np.tile(3.0 * FITTED_NODES * model.efficiency(FITTED_NODES, 0.01), 2) * noise
        fit = fit_model(model, np.tile(FITTED_NODES, 2), rates)
        curve = fit.predict([256]).iloc[0]
        covered += curve["low"] <= truth <= curve["high"]
        new = truth * np.exp(rng.normal(0, 0.05))
        measured = fit.predict([256], measured=True).iloc[0]
        covered_new += measured["low"] <= new <= measured["high"]
    assert 88 <= covered <= 100
    assert 88 <= covered_new <= 100


def test_aicc_by_hand():
    # Two parameters and the noise: K = 3. One point off by log residuals +-d around the fit.
    rates = 3.0 * FITTED_NODES * np.exp(0.1 * (-1.0) ** np.arange(9))
    fit = fit_model(BY_NAME["Amdahl"], FITTED_NODES, rates)
    squares = np.sum(np.log(fit.throughput(FITTED_NODES) / rates) ** 2)
    expected = 9 * math.log(squares / 9) + 6 + 2 * 3 * 4 / 5
    assert fit.aicc == pytest.approx(expected)


def test_parameters_have_intervals_unless_held_at_their_bound():
    rates = 3.0 * FITTED_NODES * BY_NAME["USL"].efficiency(FITTED_NODES, 0.02, 0.0)
    wiggle = np.exp(0.01 * (-1.0) ** np.arange(9))
    held = fit_model(BY_NAME["USL"], FITTED_NODES, rates * wiggle * FITTED_NODES**0.01).parameters()
    assert held["name"].tolist() == ["contention", "coherency"]
    contention = held.iloc[0]
    assert 0 <= contention["low"] < contention["estimate"] < contention["high"]
    assert held.iloc[1]["estimate"] == pytest.approx(0, abs=1e-9)
    assert math.isnan(held.iloc[1]["low"])


def test_parameter_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    model, covered = BY_NAME["ring allreduce"], 0
    for _ in range(100):
        noise = np.exp(rng.normal(0, 0.02, FITTED_NODES.size))
        fit = fit_model(
            model,
            FITTED_NODES,
            3.0 * FITTED_NODES * model.efficiency(FITTED_NODES, 1e-3, 0.1) * noise,
        )
        latency = fit.parameters().iloc[0]
        covered += latency["low"] <= 1e-3 <= latency["high"]
    assert 88 <= covered <= 100


def test_too_few_points():
    with pytest.raises(ValueError, match="USL needs at least 3 points, not 2"):
        fit_model(BY_NAME["USL"], FITTED_NODES[:2], FITTED_NODES[:2])


NODES = np.array([1.0, 2.0, 10.0, 1000.0])


def test_formulas_by_hand():
    assert scaling_models.amdahl(NODES, 0.1)[2] == pytest.approx(1 / 1.9)
    assert scaling_models.gustafson(NODES, 0.1)[2] == pytest.approx(0.91)
    assert scaling_models.usl(NODES, 0.1, 0.01)[2] == pytest.approx(1 / (1 + 0.9 + 0.9))
    assert scaling_models.ring_allreduce(NODES, 0.01, 0.1)[2] == pytest.approx(
        1 / (1 + 0.18 + 0.18)
    )
    assert scaling_models.tree_allreduce(np.array([8.0]), 0.05)[0] == pytest.approx(1 / 1.3)
    assert scaling_models.straggler(NODES, 0.1)[1] == pytest.approx(
        1 / (1 + 0.1 / math.sqrt(math.pi))
    )


def test_amdahl_speedup_is_bounded_and_gustafson_efficiency_levels_off():
    many = np.array([1e9])
    assert (many * scaling_models.amdahl(many, 0.05))[0] == pytest.approx(20)
    assert scaling_models.gustafson(many, 0.05)[0] == pytest.approx(0.95)


@pytest.mark.parametrize("model", scaling_models.MODELS, ids=lambda model: model.name)
def test_one_node_is_the_baseline_and_efficiency_never_rises(model):
    values = model.efficiency(NODES, *[0.01] * len(model.parameters))
    assert values[0] == pytest.approx(1)
    assert (np.diff(values) < 0).all()
    assert model.efficiency(NODES, *[0.0] * len(model.parameters)) == pytest.approx(np.ones(4))
    assert len(model.upper) == len(model.parameters)


def test_usl_without_coherency_is_amdahl():
    assert scaling_models.usl(NODES, 0.1, 0.0) == pytest.approx(scaling_models.amdahl(NODES, 0.1))


def test_expected_maximum_of_normals():
    # Closed forms for 2 and 3; tabulated order statistics (Harter 1961) for 10, 100, 1000.
    root_pi = math.sqrt(math.pi)
    expected = [0, 1 / root_pi, 3 / (2 * root_pi), 1.53875, 2.50759, 3.24144]
    values = scaling_models.expected_maximum(np.array([1, 2, 3, 10, 100, 1000]))
    assert values == pytest.approx(expected, abs=1e-5)
    assert float(scaling_models.expected_maximum(2)) == pytest.approx(1 / root_pi)
