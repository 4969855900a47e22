import numpy as np
import pytest
import tensorflow as tf

from ffn_core.training.averaging import AveragedWeights

HALF_LIFE_FOVS = 24


def run(values, fovs_per_step=8):
    """The average after each of the values that a weight of two entries takes."""
    weights = [tf.Variable([[0.0, 0.0]]), tf.Variable([7.0])]
    average = AveragedWeights(weights, fovs_per_step, HALF_LIFE_FOVS)
    found = []
    for value in values:
        weights[0].assign([[value, -2.0 * value]])
        average.update(tf.constant(average.next_share(), tf.float32))
        found.append(average.values())
    return average, found


def test_against_the_weighted_mean_written_out():
    values = [3.0, -1.0, 4.0, 1.5, -5.0]
    decay = 0.5 ** (8 / HALF_LIFE_FOVS)
    for steps, (first, second) in enumerate(run(values)[1], start=1):
        shares = decay ** np.arange(steps)[::-1]
        expected = np.average(values[:steps], weights=shares)
        np.testing.assert_allclose(first, [[expected, -2 * expected]], rtol=1e-6)
        np.testing.assert_array_equal(second, [7.0])


def test_the_first_step_is_the_average_of_itself_however_small_the_step():
    average, ((first, _),) = run([3.0], fovs_per_step=1)
    np.testing.assert_array_equal(first, [[3.0, -6.0]])
    assert average.correction == pytest.approx(1 - 0.5 ** (1 / HALF_LIFE_FOVS))


@pytest.mark.parametrize("fovs_per_step", [1, 4, 24])
def test_half_is_forgotten_in_a_half_life_whatever_the_batch(fovs_per_step):
    """From 1 to 0 after very many steps at 1: half a life later sqrt(1/2) is left, then 1/2."""
    before = [1.0] * (1000 // fovs_per_step)
    _, found = run([*before, *[0.0] * (HALF_LIFE_FOVS // fovs_per_step)], fovs_per_step)
    assert found[-1][0][0, 0] == pytest.approx(0.5, rel=1e-5)


def test_before_the_first_step_it_is_the_weights():
    average, _ = run([])
    assert [value.tolist() for value in average.values()] == [[[0.0, 0.0]], [7.0]]


def test_restored_it_continues_to_the_last_bit():
    values = np.random.default_rng(0).normal(size=20).astype(np.float32)
    _, whole = run(values)
    first, found = run(values[:7])
    weights = [tf.Variable([[9.0, 9.0]]), tf.Variable([7.0])]
    second = AveragedWeights(weights, 8, HALF_LIFE_FOVS)
    second.restore(found[-1], first.correction)
    for value in values[7:]:
        weights[0].assign([[value, -2.0 * value]])
        second.update(tf.constant(second.next_share(), tf.float32))
    np.testing.assert_array_equal(second.values()[0], whole[-1][0])


def test_restarted_it_forgets():
    weights = [tf.Variable([1.0])]
    average = AveragedWeights(weights, 8, HALF_LIFE_FOVS)
    for value in (5.0, 6.0):
        weights[0].assign([value])
        average.update(tf.constant(average.next_share(), tf.float32))
    weights[0].assign([2.0])
    average.restart()
    assert (average.values()[0].tolist(), average.correction) == ([2.0], 0.0)
    assert average.next_share() == 1.0
