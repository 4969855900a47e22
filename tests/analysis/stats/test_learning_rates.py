import math

import numpy as np
import pandas as pd
import pytest

from analysis.reference import published
from analysis.stats.learning_rates import best_rates, fit_power_law, normalized_accuracy


def test_accuracy_is_over_the_best_mean_at_that_node_count():
    scan = pd.DataFrame(
        {
            "nodes": [1, 1, 1, 4, 4, 4],
            "lr_peak": [0.1, 0.1, 0.2, 0.1, 0.2, 0.4],
            "accuracy": [0.8, 0.6, 0.5, 0.45, 0.9, math.nan],
        }
    )
    table = normalized_accuracy(scan)
    assert table["normalized_accuracy"].tolist() == pytest.approx([1, 0.5 / 0.7, 0.5, 1])
    assert table["repeats"].tolist() == [2, 1, 1, 1]
    assert table["best"].tolist() == [True, False, False, True]


def test_best_rate_at_the_edge_of_the_scan_is_marked():
    scan = pd.DataFrame(
        {
            "nodes": [1, 1, 1, 4, 4, 4],
            "lr_peak": [0.1, 0.2, 0.4] * 2,
            "accuracy": [0.5, 0.9, 0.6, 0.5, 0.6, 0.9],
        }
    )
    best = best_rates(normalized_accuracy(scan))
    assert best["lr_peak"].tolist() == [0.2, 0.4]
    assert best["at_edge"].tolist() == [False, True]


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_scaling_rules_are_recovered(exponent):
    nodes = np.array([1, 2, 4, 8])
    law = fit_power_law(nodes, 1e-3 * nodes**exponent)
    assert law.exponent == pytest.approx(exponent)
    assert law.prefactor == pytest.approx(1e-3)
    assert law.exponent_low == pytest.approx(exponent)
    assert law.rate(16) == pytest.approx(1e-3 * 16**exponent)


def test_interval_of_a_line_by_hand():
    # Residuals (1, -2, 1)/6 around slope 1 in log2: se = sqrt(1/6 / 2), t(0.975, 1) = 12.7062.
    law = fit_power_law(np.array([1, 2, 4]), 2.0 ** np.array([0.0, 0.5, 2.0]))
    assert law.exponent == pytest.approx(1)
    assert law.exponent_high == pytest.approx(1 + 12.7062 * math.sqrt(1 / 12), rel=1e-4)


def test_two_points_give_no_interval_and_one_no_fit():
    assert math.isnan(fit_power_law(np.array([1, 4]), np.array([1.0, 2.0])).exponent_low)
    with pytest.raises(ValueError, match="at least two node counts"):
        fit_power_law(np.array([2, 2]), np.array([1.0, 2.0]))


def test_published_best_rates_follow_the_square_root_overall():
    scan = published.learning_rate_scan()
    best = scan[scan["best_at_node_count"] == 1].drop_duplicates("nodes")
    law = fit_power_law(best["nodes"].to_numpy(), best["learning_rate"].to_numpy())
    assert law.exponent == pytest.approx(0.5, abs=0.01)
    assert law.exponent_high < 1
