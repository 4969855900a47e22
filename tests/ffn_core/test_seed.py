import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffn_core.errors import InputError
from ffn_core.seed import SeedValues, logit


def test_logit_known_answers():
    assert logit(0.5) == 0.0
    assert logit(0.9) == pytest.approx(np.log(9))
    assert logit(0.05) == pytest.approx(-np.log(19))


@given(st.floats(1e-6, 1 - 1e-6))
def test_logit_inverts_the_logistic_function(probability):
    assert 1 / (1 + np.exp(-logit(probability))) == pytest.approx(probability)


def test_canvas_is_pad_but_for_the_center():
    seed = SeedValues().canvas((3, 5, 7))
    assert (seed.shape, seed.dtype) == ((3, 5, 7), np.float32)
    assert seed[1, 2, 3] == np.float32(np.log(19))
    seed[1, 2, 3] = -np.log(19)
    np.testing.assert_array_equal(seed, np.float32(-np.log(19)))


def test_each_probability_has_its_place():
    values = SeedValues(init=0.8, pad=0.2, move=0.75)
    assert values.move_logit == pytest.approx(np.log(3))
    seed = values.canvas((1, 1, 3))
    np.testing.assert_allclose(seed, [[[-np.log(4), np.log(4), -np.log(4)]]], rtol=1e-6)


@given(st.floats(0.01, 0.99))
def test_the_center_may_be_visited_even_when_init_equals_move(probability):
    values = SeedValues(init=probability, pad=0.005, move=probability)
    assert values.canvas((3, 3, 3))[1, 1, 1] >= values.move_logit


@pytest.mark.parametrize("name", ["init", "pad", "move"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 95, float("nan")])
def test_not_a_probability(name, value):
    with pytest.raises(
        InputError, match=f"seed_values.{name}={value} must be an? .*above 0 and below 1"
    ):
        SeedValues(**{name: value})


def test_a_seed_that_could_never_be_visited():
    with pytest.raises(InputError, match=r"seed_values.init=0.8 is below seed_values.move=0.9"):
        SeedValues(init=0.8)
