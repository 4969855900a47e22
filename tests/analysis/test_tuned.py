"""What the pilot sets: best rates by a vertex, and the target."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.claims.optimizers import RIVALS
from analysis.claims.pilot import TOO_FEW, best_rates, target
from analysis.models.rate_scans import AT_HIGHEST, AT_LOWEST, FLAT, INSIDE
from analysis.runs.presets import CONF, tuned_values
from analysis.runs.sources import RECORDED, load_studies
from analysis.tuned import main, tuned, with_values
from ffn_core.errors import InputError

GRID = 2.5e-4 * 2.0 ** np.arange(8)


def scores(best, rates=GRID, curvature=0.05):
    return 0.8 - curvature * np.log(rates / best) ** 2


def points_of(scores, dead=False):
    return pd.DataFrame({"nodes": 4, "lr_peak": GRID, "score": scores, "dead": dead})


@pytest.mark.parametrize(
    ("given", "rate", "status"),
    [
        (scores(1.3e-3), 1.3e-3, INSIDE),
        (scores(0.1, curvature=0.01), None, AT_HIGHEST),
        (scores(1e-4, curvature=0.01), None, AT_LOWEST),
        (np.full(8, 0.7), None, FLAT),
    ],
)
def test_the_best_rate_is_the_vertex_of_a_parabola(given, rate, status):
    best = best_rates(points_of(given)).iloc[0]
    assert best["status"] == status
    assert best[["rates", "runs"]].tolist() == [8, 8]
    if rate is not None:
        assert best["lr_peak"] == pytest.approx(rate, rel=0.01)


def test_dead_runs_have_no_place_on_the_parabola():
    points = points_of(scores(1.3e-3))
    points.loc[6:, ["score", "dead"]] = [0.5, True]
    assert best_rates(points)["lr_peak"].item() == pytest.approx(1.3e-3, rel=0.01)
    best = best_rates(points_of(scores(1.3e-3), dead=True)).iloc[0]
    assert np.isnan(best["lr_peak"])
    assert best["status"] == TOO_FEW


def test_the_target_is_what_all_have_and_lies_above_the_baseline():
    reached = pd.Series([0.812, 0.789, 0.85])
    assert target(reached, reached, baseline=0.69) == 0.78
    assert target(reached.iloc[:0], reached.iloc[:0], 0.5) is None


def test_where_not_all_have_learned_half_way_the_target_is_just_above_the_baseline():
    half_way, at_all = pd.Series([0.56, 0.67]), pd.Series([0.645, 0.74])
    assert target(half_way, at_all, baseline=0.6146) == 0.62
    assert target(half_way, at_all, baseline=0.62) == 0.63
    assert target(half_way, at_all, baseline=0.641) is None


@pytest.fixture
def pilot(make_runs):
    points = []
    for nodes, rate, seed in product((1, 4, 16, 64), GRID, (101, 102)):
        score = float(scores(1e-3 * nodes**0.5, np.array([rate]))[0])
        curve = [(1000 * i, min(score, 0.2 * i)) for i in range(1, 13)]
        columns = {"experiment": "tune_rates", "nodes": nodes, "ranks": 1, "seed": seed}
        columns |= {"lr_peak": float(rate), "lr_base": float(rate), "lr_rule": "none"}
        points.append((columns, {"averaged/f1": curve, "baseline/f1": [(1000, 0.69)]}))
    return {"tune_rates": make_runs(*points)}


def test_the_pilot_sets_rates_and_the_target(pilot):
    values, doubts = tuned(pilot)
    for nodes in (1, 4, 16, 64):
        assert values[f"rate_{nodes}"] == pytest.approx(1e-3 * nodes**0.5, rel=0.01)
    assert values["low_base"] == pytest.approx(values["rate_1"] / 4)
    assert values["target"] == 0.8
    assert doubts == []
    assert set(values) <= set(tuned_values())


def test_a_best_rate_at_the_edge_is_named(make_runs):
    points = [
        (
            {"experiment": "tune_rates", "seed": 101, "lr_base": rate, "lr_peak": rate},
            {"averaged/f1": [(1000, 0.5 + rate)], "baseline/f1": [(1000, 0.69)]},
        )
        for rate in (0.1, 0.2, 0.3)
    ]
    values, doubts = tuned({"tune_rates": make_runs(*points)})
    assert values["rate_1"] == 0.3
    assert "rate_1: censored: at least the highest rate tried" in doubts[0]
    assert "target" in doubts[1]


def test_the_file_keeps_its_comments_and_gets_the_values(pilot, tmp_path, capsys):
    pilot["tune_rates"].to_parquet(tmp_path / "store" / "tune_rates")
    file = tmp_path / "study.yaml"
    text = (CONF / "tuned" / "study.yaml").read_text()
    file.write_text(text)
    assert main(["--store", str(tmp_path / "store"), "--write", "--file", str(file)]) == 0
    assert "target: 0.8" in capsys.readouterr().out
    written = file.read_text()
    assert "rate_1: 0.001\n" in written
    assert "low_base: 0.00025 # a quarter of rate_1" in written
    assert [line for line in written.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith("#")
    ]
    with pytest.raises(InputError, match="no line other"):
        with_values(text, {"other": 1.0})


def test_a_store_without_a_pilot(make_runs, tmp_path, capsys):
    make_runs(({}, {})).to_parquet(tmp_path / "study")
    assert main(["--store", str(tmp_path)]) == 2
    assert "no finished point of tune_rates" in capsys.readouterr().err


def test_the_third_stage_has_the_rates_of_the_recorded_pilot():
    values, _ = tuned(load_studies(str(RECORDED)))
    preset = (CONF / "experiment" / "optimizers_again.yaml").read_text()
    pairs = re.findall(r"optimizer\.name:(\w+)[^\n]*base:([^}]+)\}", preset)
    assert {name: float(rate) for name, rate in pairs} == {
        name: float(f"{values[f'{prefix}_64']:.4g}")
        for name, prefix in [("adam", "rate"), *((one, one) for one in RIVALS)]
    }
