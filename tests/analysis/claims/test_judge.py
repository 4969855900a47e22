"""Verdicts on constructed studies whose truth is known."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.claims.crossover import (
    crossover_nodes,
    crossover_verdicts,
    late_noise_of_runs,
    log2_crossover,
)
from analysis.claims.data_cost import data_cost_verdicts, published_rate
from analysis.claims.efficiency import efficiency_verdicts, modelled_efficiency
from analysis.claims.judge import effect_text, judge, verdict_sentence, verdict_table
from analysis.claims.learning_rate_rules import rule_verdicts
from analysis.claims.optimizers import optimizer_verdicts, survival_table
from analysis.claims.rate_growth import best_rate_table, rate_growth_verdicts, scan_points
from analysis.claims.scored_runs import ended, scored_points
from analysis.claims.segmentation import in_common, segmentation_verdicts
from analysis.claims.training import accuracy_verdict
from analysis.claims.verdict import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from analysis.runs.runs import Runs
from analysis.stats.critical_batch import CriticalBatch
from analysis.stats.intervals import Interval

NODES = (1, 4, 16, 64, 256)
SEEDS = (1, 2, 3)
WARM = "0.1 fraction"
# Seeds differ by this much in every recipe, so that paired differences do not.
OF_SEED = {1: -0.01, 2: 0.0, 3: 0.01, 4: -0.005, 5: 0.005}


def flat(score, evaluations=6):
    """A run at its final score from the first evaluation on."""
    return {"validation/f1": [(1000 * i, score) for i in range(1, evaluations + 1)]}


@pytest.fixture
def make_study(make_runs):
    """Runs of `lr_rules`-like points: score(nodes, rule, warm) plus the seed's own offset."""

    def build(score, seeds=SEEDS, noise=None, experiment="lr_rules"):
        points = []
        for seed, nodes, rule, warm in product(
            seeds, NODES, ("none", "linear", "sqrt"), (True, False)
        ):
            columns = {
                "experiment": experiment,
                "nodes": nodes,
                "ranks": 1,
                "seed": seed,
                "lr_rule": rule,
                "warmup": WARM if warm else "none",
                "lr_peak": 1e-3 * nodes ** {"none": 0, "linear": 1, "sqrt": 0.5}[rule],
            }
            metrics = flat(score(nodes, rule, warm) + OF_SEED[seed])
            if noise is not None:
                metrics["noise_scale/simple"] = [(1000, 1.0), (5000, noise), (6000, noise)]
            points.append((columns, metrics))
        return make_runs(*points)

    return build


def as_published(nodes, rule, warm):
    """Linear ahead by 0.1 to 16 nodes, behind by 0.1 from 64 on; warm-up gives 0.05 beyond 16."""
    score = {"linear": 0.8 if nodes <= 16 else 0.6, "sqrt": 0.7, "none": 0.5}[rule]
    return score - (0.05 if nodes > 16 and not warm else 0)


def by_key(verdicts):
    return {one.key: one for one in verdicts}


def test_rules_as_published_are_supported_with_their_size(make_study):
    found = by_key(rule_verdicts({"lr_rules": make_study(as_published)}))
    assert {k: v.verdict for k, v in found.items()} == dict.fromkeys(found, SUPPORTED)
    for key, size in (("linear_small", 0.1), ("sqrt_large", 0.1), ("warmup_sqrt", 0.05)):
        effect = found[key].effect
        assert (effect.estimate, effect.low, effect.high) == pytest.approx((size,) * 3)
        assert effect.count == 3
    assert found["linear_small"].evidence["nodes"].tolist() == [4, 16]
    assert found["sqrt_large"].evidence["nodes"].tolist() == [64, 256]
    assert "mean over nodes 4, 16" in found["linear_small"].measure
    assert found["warmup_linear"].evidence["difference"].tolist() == pytest.approx(
        [0, 0, 0, 0.05, 0.05]
    )


def test_the_opposite_is_not_supported(make_study):
    def opposite(nodes, rule, warm):
        return 1.4 - as_published(nodes, rule, not warm)

    found = by_key(rule_verdicts({"lr_rules": make_study(opposite)}))
    assert found["linear_small"].verdict == NOT_SUPPORTED
    assert found["sqrt_large"].verdict == NOT_SUPPORTED


def test_no_effect_is_not_supported_and_one_seed_is_undecided(make_study):
    none = by_key(rule_verdicts({"lr_rules": make_study(lambda *_: 0.7)}))
    assert {one.verdict for one in none.values()} == {NOT_SUPPORTED}
    single = by_key(rule_verdicts({"lr_rules": make_study(as_published, seeds=(1,))}))
    assert {one.verdict for one in single.values()} == {UNDECIDED}
    assert single["linear_small"].effect.estimate == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ({4: 0.1, 16: 0.1, 64: -0.1, 256: -0.3}, 32.0),  # half way in log2
        ({4: 0.1, 16: 0.3, 64: -0.1}, 2 ** (4 + 2 * 0.75)),
        ({4: -0.1, 16: 0.1, 64: -0.1}, 32.0),  # the last crossing counts
        ({4: -0.1, 16: -0.1}, 0.0),
        ({4: -0.1, 16: 0.0}, math.inf),
    ],
)
def test_crossover_of_one_curve(differences, expected):
    assert crossover_nodes(pd.Series(differences)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("noise", "verdict"), [(32.0, SUPPORTED), (50.0, SUPPORTED), (320.0, NOT_SUPPORTED)]
)
def test_crossover_and_its_prediction(make_study, noise, verdict):
    studies = {"lr_rules": make_study(as_published, seeds=range(1, 6), noise=noise)}
    crossover, predicted = crossover_verdicts(studies)
    assert crossover.verdict == SUPPORTED
    assert crossover.effect.estimate == pytest.approx(32)
    assert predicted.verdict == verdict
    assert predicted.effect.estimate == pytest.approx(32 / noise)
    assert predicted.evidence["noise_scale_fovs"].tolist() == pytest.approx([noise] * 5)


def test_a_curve_that_never_crosses_does_so_at_no_node_or_beyond_all(make_study):
    for score, at in ((0.9, math.inf), (0.1, 0.0)):

        def constant(nodes, rule, warm, score=score):
            return score if rule == "linear" else 0.6

        study = make_study(constant, seeds=range(1, 6), noise=30.0)
        crossover, predicted = crossover_verdicts({"lr_rules": study})
        assert (crossover.verdict, predicted.verdict) == (NOT_SUPPORTED, NOT_SUPPORTED)
        assert crossover.effect == Interval(at, at, at, 5)


def test_few_seeds_do_not_bound_the_crossover(make_study):
    crossover, predicted = crossover_verdicts({"lr_rules": make_study(as_published, noise=30.0)})
    assert (crossover.verdict, predicted.verdict) == (UNDECIDED, UNDECIDED)
    assert crossover.effect.estimate == pytest.approx(32)
    none, _ = crossover_verdicts({})
    assert "no seed has both rules" in none.basis


def test_crossover_of_scattered_seeds_is_bounded_by_resampling_them():
    """Three of eight seeds never cross by themselves; their mean does, between 16 and 64."""
    rng = np.random.default_rng(1)
    columns = pd.Index([4, 16, 64, 256], name="nodes")
    truth = np.array([0.1, 0.1, -0.1, -0.3])
    difference = pd.DataFrame(truth + rng.normal(0, 0.1, (8, 4)), columns=columns)
    bounds = log2_crossover(difference)
    assert 4 < bounds.low < bounds.estimate < bounds.high < 7
    assert bounds.low < 5 < bounds.high
    noise = pd.Series(3.0, index=difference.index)
    shifted = log2_crossover(difference, noise)
    assert shifted.estimate == pytest.approx(bounds.estimate - 3)
    assert shifted.low == pytest.approx(bounds.low - 3)


def test_late_noise_is_the_median_of_the_last_quarter(make_runs):
    values = [(100, 5.0), (760, 10.0), (800, 20.0), (900, 900.0), (950, -3.0), (1000, math.inf)]
    runs = make_runs(({}, {"noise_scale/simple": values}))
    assert late_noise_of_runs(runs).tolist() == [20.0]


@pytest.fixture
def make_costs(make_runs):
    """`batch_size` runs that reach F1 0.8 where the hyperbola says, and go on to `budget`."""

    def build(critical, budget=40_000, noise=None, min_fovs=8000.0):
        fit = CriticalBatch(min_fovs / critical, min_fovs, critical, *[math.nan] * 2, 0.0, 0, 0,
                            *[0.0] * 2, np.full((2, 2), np.nan))  # fmt: skip
        points = []
        for seed, nodes in product(SEEDS, NODES):
            at = float(fit.fovs(nodes)) * (1 + 3 * OF_SEED[seed])
            grid = np.arange(500, budget + 1, 500)
            columns = {
                "experiment": "batch_size",
                "nodes": nodes,
                "ranks": 1,
                "seed": seed,
                "lr_rule": "sqrt",
                "warmup": WARM,
            }
            # The mean of three evaluations, which lags by one, passes 0.8 at `at`.
            f1 = [(int(f), float(0.8 * (f + 500) / at)) for f in grid]
            points.append((columns, {"validation/f1": f1}))
        if noise is not None:
            for _, metrics in points:
                metrics["noise_scale/simple"] = [(budget - 500, noise), (budget, noise)]
        return {"batch_size": make_runs(*points)}

    return build


def test_cost_of_a_known_hyperbola(make_costs):
    data, time, critical = data_cost_verdicts(make_costs(critical=100.0, noise=120.0))
    # E = E_min (1 + B / 100) at 256 and at 1.
    expected = (1 + 256 / 100) / (1 + 1 / 100)
    assert data.verdict == SUPPORTED
    assert data.effect.estimate == pytest.approx(expected, rel=0.05)
    assert "F1 0.8" in data.measure or "F1 0.9" in data.measure
    one, many = published_rate(np.array([1, 256]))
    speedup = many / one
    assert time.verdict == SUPPORTED
    assert time.effect.estimate == pytest.approx(speedup / expected, rel=0.05)
    assert time.kind.startswith("modelled")
    assert critical.verdict == SUPPORTED
    assert critical.effect.estimate == pytest.approx(100 / 120, rel=0.15)


def test_a_target_missed_within_the_budget_bounds_the_cost_from_below(make_costs):
    data, time, _ = data_cost_verdicts(make_costs(critical=60.0, budget=30_000))
    row = data.evidence.set_index("nodes").loc[256]
    assert row["reached"] == 0
    assert row["fovs"] == 30_000
    assert "lower bound" in data.measure
    assert data.verdict == SUPPORTED
    assert "at 64, the most" in time.measure


def test_a_seed_that_ran_on_few_nodes_only_shortens_no_comparison(make_costs):
    runs = make_costs(critical=100.0)["batch_size"]
    table = runs.table
    partial = runs.select((table["seed"] != SEEDS[0]) | (table["nodes"] == 1))
    data, time, _ = data_cost_verdicts({"batch_size": partial})
    assert "at 1 node over that at 256" in time.measure
    assert (data.effect.count, time.effect.count) == (len(SEEDS) - 1,) * 2
    assert (data.verdict, time.verdict) == (SUPPORTED, SUPPORTED)


def test_no_target_is_undecided(make_costs):
    verdicts = data_cost_verdicts(make_costs(critical=1.0, budget=3000))
    assert {one.verdict for one in verdicts} == {UNDECIDED}


def optimizer_points(scores):
    for (name, by_nodes), seed in product(scores.items(), SEEDS):
        for nodes, score in by_nodes.items():
            columns = {
                "experiment": "optimizers",
                "optimizer": name,
                "nodes": nodes,
                "ranks": 1,
                "seed": seed,
                "warmup": WARM,
            }
            yield columns, flat(score + (OF_SEED[seed] if score else 0))


def test_optimizers(make_runs):
    scores = {
        "sgd": {4: 0.6, 256: 0.0},
        "momentum": {4: 0.7, 256: 0.1},
        "adagrad": {4: 0.8, 256: 0.6},
        "rmsprop": {4: 0.8, 256: 0.7},
        "adam": {4: 0.85, 256: 0.8},
        "lamb": {4: 0.8, 256: 0.7},
    }
    studies = {"optimizers": make_runs(*optimizer_points(scores))}
    adam, adaptive = optimizer_verdicts(studies)
    assert adam.verdict == SUPPORTED
    assert adam.effect.estimate == pytest.approx(0.1)
    assert adaptive.verdict == SUPPORTED
    assert adaptive.effect.estimate == pytest.approx(0.7 - 0.05, abs=0.011)
    table = survival_table(scored_points(studies, "optimizers")).set_index(["nodes", "optimizer"])
    survives = table["survives"].loc[256].to_dict()
    # Above and below 0.8 * 0.85 = 0.68; 0.7 +- 0.01 cannot be told from it by three seeds.
    assert (survives["adam"], survives["sgd"], survives["adagrad"]) == ("yes", "no", "no")
    assert survives["lamb"] == "undecided"

    swapped = scores | {"adam": scores["sgd"], "sgd": scores["adam"]}
    adam, _ = optimizer_verdicts({"optimizers": make_runs(*optimizer_points(swapped))})
    assert adam.verdict == NOT_SUPPORTED
    alone = {"adam": scores["adam"]}
    verdicts = optimizer_verdicts({"optimizers": make_runs(*optimizer_points(alone))})
    assert {one.verdict for one in verdicts} == {UNDECIDED}
    assert "no point yet: adagrad, lamb" in verdicts[1].basis


@pytest.mark.parametrize(
    ("exponent", "verdict"), [(0.5, SUPPORTED), (1.0, NOT_SUPPORTED), (0.75, UNDECIDED)]
)
def test_the_slope_of_the_best_rate(make_runs, exponent, verdict):
    points = []
    for nodes, step in product(NODES, range(-2, 3)):
        rate = 1e-3 * nodes**exponent * 10 ** (0.2 * step)
        columns = {"experiment": "lr_scan", "nodes": nodes, "ranks": 1}
        columns |= {"lr_rule": "linear", "lr_base": rate / nodes, "lr_peak": rate}
        # The middle rate is best.
        points.append((columns, flat(0.8 - 0.05 * abs(step))))
    studies = {"lr_scan": make_runs(*points)}
    (found,) = rate_growth_verdicts(studies)
    assert found.effect.estimate == pytest.approx(exponent)
    if exponent != 0.75:  # exactly half way the rounding of the fit decides
        assert found.verdict == verdict
    best = best_rate_table(scan_points(studies), "score")
    assert not best["at_edge"].any()
    assert set(found.evidence["source"]) == {"this study", "published"}


def test_a_best_rate_at_the_edge_is_named(make_runs):
    points = [
        (
            {"experiment": "lr_scan", "nodes": n, "ranks": 1, "lr_base": rate, "lr_peak": rate},
            flat(0.5 + rate),
        )
        for n, rate in product((1, 4, 16), (0.1, 0.2, 0.3))
    ]
    (found,) = rate_growth_verdicts({"lr_scan": make_runs(*points)})
    assert "at the edge of those tried at nodes 1, 4, 16" in found.basis
    (few,) = rate_growth_verdicts({"lr_scan": make_runs(*points[:6])})
    assert few.verdict == UNDECIDED


def test_efficiency_of_a_known_law():
    nodes = [2**p for p in range(11)]

    def throughput(efficiency):
        return pd.DataFrame(
            {"nodes": nodes, "fovs_per_second": [0.7 * n * efficiency(n) for n in nodes]}
        )

    exact = throughput(lambda n: 1 / (1 + 2 * 0.02 * math.log2(n)))
    table = modelled_efficiency(exact, [1024, 2048])
    assert table["efficiency"].tolist() == pytest.approx([1 / 1.4, 1 / 1.44], rel=1e-3)
    at_1024, at_2048 = efficiency_verdicts(exact)
    assert at_1024.verdict == SUPPORTED
    assert at_2048.effect.estimate == pytest.approx(1 / 1.44, rel=1e-3)
    # 0.69 with hardly any uncertainty misses the published 0.68.
    assert at_2048.verdict == NOT_SUPPORTED
    assert at_2048.evidence["published"].iloc[-1] == 0.68


def test_segmentation(make_runs):
    def points(last):
        for seed, nodes in product(SEEDS, (1, 64)):
            end = last[nodes] + OF_SEED[seed]
            values = [(1000 * i, 0.9 + (end - 0.9) * min(i - 1, 4) / 4) for i in range(1, 7)]
            columns = {"experiment": "checkpoints", "nodes": nodes, "ranks": 1, "seed": seed}
            yield columns, {"segmentation/are": values}

    falls, as_well = segmentation_verdicts({"checkpoints": make_runs(*points({1: 0.2, 64: 0.21}))})
    assert (falls.verdict, as_well.verdict) == (SUPPORTED, SUPPORTED)
    assert as_well.effect.estimate == pytest.approx(-0.01)
    _, worse = segmentation_verdicts({"checkpoints": make_runs(*points({1: 0.2, 64: 0.5}))})
    assert worse.verdict == NOT_SUPPORTED


def test_accuracy_is_judged_on_most_nodes_and_falling_short_refutes_nothing(make_runs):
    def study(level):
        columns = {"experiment": "training_curve", "ranks": 1}
        return make_runs(
            *(
                (
                    columns | {"seed": seed, "nodes": nodes, "optimizer": optimizer},
                    {"validation/accuracy": [(f, value + seed / 1000) for f in (10, 20, 30)]},
                )
                for seed in (1, 2, 3)
                for nodes, optimizer, value in (
                    (1, "adam", 0.99),
                    (8, "adam", level),
                    (8, "sgd", 0),
                )
            )
        )

    short = accuracy_verdict({"training_curve": study(0.7)})
    assert short.verdict == UNDECIDED
    assert short.effect.estimate == pytest.approx(0.702 - 0.95)
    assert short.evidence["nodes"].tolist() == [8, 8, 8]
    assert accuracy_verdict({"training_curve": study(0.96)}).verdict == SUPPORTED
    assert accuracy_verdict({}).verdict == UNDECIDED


def test_a_checkpoint_that_only_an_interrupted_run_has_does_not_count():
    rows = [("a", 4, 1, fovs, 0.5) for fovs in (10, 20, 30)]
    rows += [("b", 4, 2, fovs, 0.5) for fovs in (3, 10, 20, 30)]
    rows += [("c", 64, 1, fovs, 0.5) for fovs in (12, 24)]
    errors = pd.DataFrame(rows, columns=["run_id", "nodes", "seed", "fovs", "value"])
    kept = in_common(errors)
    assert kept.groupby("run_id")["fovs"].apply(list).to_dict() == {
        "a": [10, 20, 30],
        "b": [10, 20, 30],
        "c": [12, 24],
    }


def test_diverged_runs_score_zero_and_failed_ones_are_left_out(make_runs):
    runs = make_runs(
        ({"seed": 1, "outcome": "finished"}, flat(0.8)),
        ({"seed": 2, "outcome": "diverged", "status": "FAILED"}, flat(0.6)),
        ({"seed": 3, "outcome": "failed", "status": "FAILED"}, flat(0.6)),
    )
    points = scored_points({"study": runs}, "study")
    assert points.set_index("seed")["score"].to_dict() == pytest.approx({1: 0.8, 2: 0.0})
    unknown = Runs(runs.table.drop(columns="outcome"), runs.history)
    assert ended(unknown).table["seed"].tolist() == [1]


def test_points_shared_by_studies_count_once(make_study):
    studies = {
        "lr_rules": make_study(as_published),
        "batch_size": make_study(as_published, experiment="batch_size"),
    }
    both = scored_points(studies, "lr_rules", "batch_size")
    assert len(both) == len(scored_points(studies, "lr_rules")) == 90


def test_without_any_run_everything_measured_is_undecided():
    verdicts = judge({})
    measured = [one for one in verdicts if not one.key.startswith("efficiency")]
    assert {one.verdict for one in measured} == {UNDECIDED}
    assert all(one.basis for one in verdicts)
    table = verdict_table(verdicts)
    assert len(table) == 18
    assert table["key"].is_unique
    assert (
        verdict_sentence(measured[0])
        == f"**Undecided**: {measured[0].claim}. *({measured[0].basis}; measured.)*"
    )


def test_effects_in_words():
    assert effect_text(Interval(0.1234, 0.05, 0.2, 3)) == "0.123 (0.05 to 0.2)"
    assert effect_text(Interval(0.5, math.nan, math.nan, 1)) == "0.5 (no interval)"
    assert effect_text(Interval(math.nan, math.nan, math.nan, 0)) == "-"
