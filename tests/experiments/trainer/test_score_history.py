import json

import pytest

from experiments.reporting.point_summary import score_line
from experiments.trainer.score_history import ScoreHistory

VALUES = {1000: 0.5, 2000: 0.9, 3000: 0.6, 4000: 0.7, 5000: 0.9}


def history(values, name="averaged/f1", last=3) -> ScoreHistory:
    scores = ScoreHistory(name, last)
    for fovs, value in values.items():
        scores.add(fovs, {name: value, "averaged/auc": 0.0})
    return scores


def test_final_is_the_mean_of_the_last_and_best_the_first_of_the_highest():
    expected = {"score/final": 2.2 / 3, "score/best": 0.9, "score/best_fovs": 2000.0}
    assert history(VALUES).metrics() == pytest.approx(expected)


def test_fewer_evaluations_than_asked_for():
    assert history({1000: 0.4, 2000: 0.2}).metrics()["score/final"] == pytest.approx(0.3)


def test_of_a_loss_the_lowest_is_best():
    assert history(VALUES, "validation/loss").metrics()["score/best_fovs"] == 1000.0


def test_each_new_best_is_printed():
    scores = ScoreHistory("averaged/f1", 4)
    assert [scores.add(f, {"averaged/f1": v}) for f, v in VALUES.items()] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_without_evaluations_there_is_no_score():
    scores = ScoreHistory("averaged/auc", 4)
    assert not scores.add(1000, {"averaged/f1": 0.3})
    assert (scores.metrics(), scores.summary(), score_line(scores.summary())) == ({}, None, "")


def test_restored_it_continues_as_if_never_stopped():
    first, rest = dict(list(VALUES.items())[:3]), dict(list(VALUES.items())[3:])
    state = json.loads(json.dumps(history(first).state()))
    resumed = ScoreHistory("averaged/f1", 3)
    resumed.restore(state)
    assert not any(resumed.add(fovs, {"averaged/f1": value}) for fovs, value in rest.items())
    assert resumed.summary() == history(VALUES).summary()


@pytest.mark.parametrize("state", [None, history(VALUES, "validation/f1").state()])
def test_what_an_older_run_or_another_score_left_is_not_taken(state):
    scores = ScoreHistory("averaged/f1", 3)
    scores.restore(state)
    scores.keep_best(state)
    assert scores.metrics() == {}


def test_a_best_newer_than_the_checkpoint_is_not_lost_or_found_twice():
    """Killed after the best was written at 2000 and before the next checkpoint."""
    resumed = history({1000: 0.5})
    resumed.keep_best(history({1000: 0.5, 2000: 0.9}).state())
    assert not resumed.add(2000, {"averaged/f1": 0.9})
    assert resumed.metrics()["score/best_fovs"] == 2000.0
    assert resumed.metrics()["score/final"] == pytest.approx(0.7)
    resumed.keep_best(history({1000: 0.5}).state())
    assert resumed.best == 0.9


def test_in_words():
    assert score_line(history(VALUES).summary()) == (
        "averaged/f1 0.733, mean of the last 3; best 0.900 at 2,000 FOVs"
    )
