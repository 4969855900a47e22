"""Effects of what a sweep varied, with known answers."""

import pytest

from analysis.report.effects import (
    HIGHER,
    LOWER,
    NO_INTERVAL,
    OPEN,
    effects,
    judged_points,
    score_name,
    varied_options,
)
from analysis.report.statements import effect_words, headline
from ffn_core.metric_names import BASELINE_F1, SCORE_FINAL


@pytest.fixture
def study(make_runs):
    """Points at 2 and 8 nodes by two rules: sqrt gains 0.1, 8 nodes lose 0.2, seeds scatter."""

    def build(seeds=(1, 2, 3), gain=0.1, **columns):
        points = []
        for seed in seeds:
            for nodes in (2, 8):
                for rule in ("linear", "sqrt"):
                    noise = 0.01 * seed * (2 if rule == "sqrt" else 1) * (nodes == 8)
                    score = 0.6 + gain * (rule == "sqrt") - 0.2 * (nodes == 8) + noise
                    metrics = {SCORE_FINAL: [(400, score)], BASELINE_F1: [(0, 0.55)]}
                    what = {"nodes": nodes, "lr_rule": rule, "seed": seed, "lr_peak": nodes * 0.1}
                    points.append((what | columns, metrics))
        return make_runs(*points)

    return build


def test_the_effect_of_a_rule_is_paired_and_its_interval_is_over_seeds(study):
    points = judged_points(study())
    assert varied_options(points) == ["nodes", "lr_rule"]
    nodes, rule = effects(points)
    assert (rule.option, rule.value, rule.other) == ("lr_rule", "sqrt", "linear")
    # Differences by seed: the mean of 0.1 and 0.1 + 0.01 * seed.
    assert rule.estimate.value == pytest.approx(0.11)
    assert rule.estimate.error == pytest.approx(0.005 / 3**0.5)
    assert (rule.estimate.count, rule.pairs) == (3, 6)
    assert (rule.lowest, rule.highest) == pytest.approx((0.1, 0.13))
    assert (rule.verdict, nodes.verdict) == (HIGHER, LOWER)
    assert nodes.estimate.value == pytest.approx(-0.17)
    assert rule.adjusted > nodes.adjusted / 2, "corrected for two effects"
    assert "learning-rate rule sqrt against linear: higher, +0.110 (" in effect_words(rule)


def test_one_seed_gives_no_interval_and_says_so(study):
    _, rule = effects(judged_points(study(seeds=(1,))))
    assert rule.verdict == NO_INTERVAL
    said = effect_words(rule)
    assert "+0.105, no interval (one seed shows no spread; 2 pairs from +0.100 to +0.110)" in said


def test_no_difference_is_claimed_within_the_scatter(study):
    _, rule = effects(judged_points(study(gain=-0.01)))
    assert rule.verdict == OPEN


def test_dead_points_are_counted_apart(make_runs):
    alive = {SCORE_FINAL: [(400, 0.5)]}
    runs = make_runs(
        *(({"lr_rule": "sqrt", "seed": s, "outcome": "finished"}, alive) for s in (1, 2)),
        ({"lr_rule": "linear", "seed": 1, "outcome": "finished"}, alive),
        ({"lr_rule": "linear", "seed": 2, "outcome": "diverged", "status": "FAILED"}, {}),
    )
    points = judged_points(runs)
    (rule,) = effects(points)
    assert (rule.died, rule.other_died) == ("0 of 2", "1 of 2")
    assert rule.pairs == 1
    assert "died: 0 of 2 against 1 of 2" in effect_words(rule)
    assert any(line.startswith("Died: 1 of 4") for line in headline(points, score_name(runs)))


def test_an_option_that_follows_from_another_is_no_effect_of_its_own(make_runs):
    runs = make_runs(
        *(({"nodes": n, "local_batch_size": 16 // n, "seed": 1}, {}) for n in (1, 2, 4))
    )
    assert varied_options(judged_points(runs)) == ["nodes"]


def test_scores_that_calling_everything_object_beats_are_named(study):
    points = judged_points(study())
    said = headline(points, "averaged/f1")
    assert any("scores 0.550: 7 of 12 points score more than that" in line for line in said)
