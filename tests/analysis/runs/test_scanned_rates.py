from itertools import product

import pandas as pd
import pytest

from analysis.models.learning_rate_law_fits import fit_law
from analysis.models.learning_rate_laws import POWER, rate_points
from analysis.models.rate_scans import AT_HIGHEST, AT_LOWEST, BEFORE_FAILURE, INSIDE
from analysis.reference import published
from analysis.runs.scanned_rates import own_scans, published_scan, scanned
from analysis.runs.study import Study


def test_most_published_best_rates_are_at_an_end_of_their_grid():
    status = published_scan().best.set_index("nodes")["status"]
    assert status[status == AT_LOWEST].index.tolist() == [1, 2]
    assert status[status == AT_HIGHEST].index.tolist() == [4, 8, 16, 128, 256]
    assert status[status == INSIDE].index.tolist() == [32, 64, 512, 1024]


def test_published_best_rates_saturate():
    scan = published_scan()
    best = scan.laws.iloc[0]
    assert best["law"] == "saturating"
    assert best["shape"] == pytest.approx(28.7, abs=0.1)
    assert "95 % interval 15.2 to 53.8" in best["parameters"]
    assert best["left_out_error"] == pytest.approx(-0.22, abs=0.01)
    assert scan.laws["law"].iloc[1] == "square root"
    assert scan.laws["delta_aicc"].iloc[1] == pytest.approx(10.1, abs=0.1)
    assert "square root is 10.1 behind" in scan.finding()
    assert "no best rate inside the grid at nodes 1, 2, 4, 8, 16, 128, 256" in scan.finding()


def test_published_bounds_leave_the_same_law_first_and_say_less():
    laws = published_scan(bounds=True).laws
    assert laws["law"].iloc[0] == "saturating"
    assert "95 % interval 9.1 to 240" in laws["parameters"].iloc[0]
    assert laws["delta_aicc"].iloc[1] == pytest.approx(2.9, abs=0.1)


@pytest.mark.parametrize(
    ("smallest", "largest", "exponent"), [(1, 16, 1.0), (1, 1024, 0.48), (16, 1024, 0.12)]
)
def test_published_slope_falls_along_the_node_counts(smallest, largest, exponent):
    best = published_scan().best
    kept = best[best["nodes"].between(smallest, largest)]
    fit = fit_law(POWER, rate_points(kept["nodes"].to_numpy(), kept["rate"].to_numpy()))
    assert fit.shape == pytest.approx(exponent, abs=0.01)


def test_rates_of_zero_and_single_node_counts_are_said_in_words():
    scan = published.learning_rate_scan().rename(columns={"learning_rate": "lr_peak"})
    alone = scan[scan["nodes"] == 64].assign(score=scan["normalized_accuracy"])
    nothing = alone.head(1).assign(lr_peak=0.0)
    for rows in (alone, pd.concat([alone, nothing])):
        one = scanned("one count", rows)
        assert one.finding().startswith("one count: none, with the best rate inside the grid at")
        assert "nan" not in one.finding()


def test_rates_at_which_runs_diverged_end_the_scan(make_runs):
    points = []
    for nodes, (rate, score) in product(
        (1, 4), [(1e-3, 0.5), (2e-3, 0.62), (4e-3, 0.7), (8e-3, None)]
    ):
        columns = {"nodes": nodes, "ranks": 1, "lr_rule": "none", "lr_base": rate, "lr_peak": rate}
        if score is None:
            points.append((columns | {"status": "FAILED", "outcome": "diverged"}, {}))
            continue
        metrics = {m: [(10, score)] for m in ("validation/f1", "validation/accuracy")}
        points.append((columns, metrics))
    (scan,) = own_scans(Study("study", make_runs(*points)))
    assert scan.tried["lr_peak"].max() == 8e-3
    assert set(scan.best["status"]) == {BEFORE_FAILURE}
