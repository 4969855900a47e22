import numpy as np
import pytest

from ffn_core.scores.course import (
    DIVERGED,
    FELL,
    PLATEAU,
    RISING,
    TOO_FEW,
    TRIVIAL,
    course_of,
)

FOVS = 1000 * np.arange(1, 13)
NOISE = 0.04 * np.resize([1, -1, -1, 1], 12)
"""Of each pair of neighbors and of each four in sum zero."""


def kind(scores, **options) -> str:
    return course_of("f1", FOVS[: len(scores)], scores, **options).kind


def test_a_line_rises_and_a_constant_does_not():
    assert kind(0.05 * np.arange(12)) == RISING
    assert kind(np.full(12, 0.7)) == PLATEAU


def test_a_rise_within_the_scatter_is_a_plateau():
    saturated = 0.7 * (1 - np.exp(-np.arange(12) / 2))
    assert kind(saturated + NOISE) == PLATEAU
    assert kind(0.05 * np.arange(12) + NOISE) == RISING


def test_what_leveled_off_is_no_rise_because_of_how_it_began():
    assert kind([0, 0.2, 0.5, 0.68, 0.7, 0.7, 0.701, 0.7, 0.701, 0.7, 0.7, 0.701]) == PLATEAU


def test_a_fall_from_the_best():
    scores = [0.1, 0.3, 0.5, 0.7, 0.8, 0.8, 0.8, 0.8, 0.5, 0.4, 0.4, 0.4]
    found = course_of("f1", FOVS, scores)
    assert found.kind == FELL
    assert found.words.startswith("f1 was 0.800 around 6,000 FOVs and ended at 0.400")


def test_worse_than_calling_everything_object():
    assert kind(np.full(12, 0.2), trivial=0.3) == TRIVIAL
    assert kind(np.full(12, 0.3), trivial=0.3) == TRIVIAL
    assert kind(np.full(12, 0.4), trivial=0.3) == PLATEAU
    assert "stay near zero" in course_of("f1", FOVS, np.full(12, 0.1), trivial=0.3).advice
    assert "stay near zero" not in course_of("f1", FOVS, np.full(12, 0.2), trivial=0.3).advice
    rising = course_of("f1", FOVS, 0.02 * np.arange(12), trivial=0.3)
    assert (rising.kind, rising.advice) == (TRIVIAL, "a larger budget")


@pytest.mark.parametrize("scale", [1, 1000])
def test_of_a_loss_less_is_better(scale):
    falling = scale * (1.0 - 0.05 * np.arange(12))
    assert kind(falling, falling=True) == RISING
    assert kind(falling[::-1], falling=True) == FELL
    assert kind(np.full(12, scale), falling=True) == PLATEAU


def test_few_evaluations_and_none_that_can_be_judged():
    assert kind([0.1, 0.2, 0.3, 0.4]) == TOO_FEW
    assert kind([0.1, 0.2, 0.3, 0.4, 0.5]) == RISING
    assert kind([0.4, 0.3]) == TOO_FEW  # less than they may scatter
    assert kind([0.82, 0.16]) == FELL
    assert kind([0.5, 0.4], falling=True) == TOO_FEW
    assert kind([0.5, 0.8], falling=True) == FELL
    assert kind([], diverged=True) == DIVERGED


def test_what_is_said_and_what_to_try():
    assert str(course_of("averaged/f1", FOVS, 0.05 * np.arange(12))) == (
        "averaged/f1 was still rising: from 0.350 to 0.500 over the last 5,000 FOVs. Try a larger"
        " budget: the same command with budget.fovs=24000 continues here."
    )
