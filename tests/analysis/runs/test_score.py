import pytest

from analysis.runs.score import OF_AVERAGED, OF_RAW, baseline_f1, ranking, score_of, targets_above
from analysis.runs.study import Study
from analysis.runs.summary import summarize, summary_table

# Averaged weights rise slowly; the raw ones end on a lucky evaluation.
RISING = {
    "averaged/f1": [(f, 0.1 * f) for f in range(1, 7)],
    "averaged/accuracy": [(f, 0.5 + 0.05 * f) for f in range(1, 7)],
    "validation/f1": [(f, 0.99 if f == 6 else 0.2) for f in range(1, 7)],
    "validation/accuracy": [(6, 0.99)],
    "baseline/f1": [(0, 0.69)],
}
OLD = {"validation/f1": [(f, 0.1 * f) for f in range(1, 5)], "validation/accuracy": [(4, 0.9)]}


def test_averaged_weights_are_the_score_where_any_run_has_them(make_runs):
    assert score_of(make_runs(({}, RISING), ({}, OLD))) is OF_AVERAGED
    assert score_of(make_runs(({}, OLD))) is OF_RAW
    assert score_of(make_runs(({}, {}))) is OF_RAW


def test_outcomes_are_of_the_score(make_runs):
    row = summarize(make_runs(({}, RISING))).iloc[0]
    assert row["best_f1"] == pytest.approx(0.6)
    assert row["final_f1"] == pytest.approx(0.45), "mean of the last four"
    assert row["final_accuracy"] == pytest.approx(0.725)
    assert (row["baseline_f1"], row["f1_is"]) == (0.69, "averaged/f1")
    old = summarize(make_runs(({}, OLD))).iloc[0]
    assert old["final_f1"] == pytest.approx(0.3), "mean of the last three"
    assert old["f1_is"] == "validation/f1"


def test_the_table_says_what_its_scores_are(make_runs):
    caption = summary_table(summarize(make_runs(({}, RISING))), "study").caption
    assert caption == "best, final: averaged/f1; everything object: 0.690"
    assert summary_table(summarize(make_runs(({}, OLD))), "s").caption.endswith("validation/f1")


def test_the_best_recipe_is_that_of_the_final_score(make_runs):
    def run(rule, final, lucky, name="averaged/auc"):
        curve = {"averaged/f1": [(1, lucky)], "score/final": [(1, final)]}
        return {"lr_rule": rule, "score_name": name}, curve

    def best(*points):
        return Study("study", make_runs(*points)).best["lr_rule"].tolist()

    assert best(run("linear", 0.9, 0.2), run("sqrt", 0.8, 0.7)) == ["linear"]
    # Scores of different names do not compare, nor does one that a run lacks: then F1 decides.
    assert best(run("linear", 0.9, 0.2), run("sqrt", 0.8, 0.7, "averaged/f1")) == ["sqrt"]
    lacking = {"lr_rule": "sqrt", "score_name": "averaged/auc"}, {"averaged/f1": [(1, 0.7)]}
    assert best(run("linear", 0.9, 0.2), lacking) == ["sqrt"]
    # The lower loss wins.
    losses = run("linear", 0.9, 0.2, "averaged/loss"), run("sqrt", 0.8, 0.1, "averaged/loss")
    assert best(*losses) == ["sqrt"]


def test_ranking_without_any_score_is_empty(make_runs):
    assert ranking(make_runs(({}, {})), OF_RAW).empty


def test_targets_lie_above_the_trivial_baseline(make_runs):
    runs = make_runs(({}, RISING), ({}, OLD))
    assert baseline_f1(runs) == 0.69
    assert baseline_f1(make_runs(({}, OLD))) is None
    assert targets_above(0.69) == (0.7, 0.8, 0.9)
    assert targets_above(None) == (0.5, 0.7, 0.8, 0.9)
    assert targets_above(0.95) == ()
