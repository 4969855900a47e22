import itertools

import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.training.augmentation import Augmentation, check_permutable, draw_augmentation


def test_no_change_by_default():
    array = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(Augmentation().apply(array), array)


def test_reflection_comes_before_permutation():
    array = np.arange(8).reshape(2, 2, 2)
    augmented = Augmentation((True, False, False), (2, 1, 0)).apply(array)
    for z, y, x in itertools.product(range(2), repeat=3):
        assert augmented[x, y, z] == array[1 - z, y, x]


def test_channels_stay_last():
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    augmented = Augmentation((False, True, False), (0, 2, 1)).apply(array)
    assert augmented.shape == (2, 4, 3, 5)
    np.testing.assert_array_equal(augmented[1, 3, 0], array[1, 2, 3])


def test_all_48_symmetries_are_drawn_evenly():
    rng = np.random.default_rng(0)
    draws = [draw_augmentation(rng, (0, 1, 2), (0, 1, 2)) for _ in range(4800)]
    counts = {augmentation: draws.count(augmentation) for augmentation in set(draws)}
    assert len(counts) == 48
    assert max(abs(count - 100) for count in counts.values()) < 50  # 5 standard deviations


def test_only_the_named_axes_change():
    rng = np.random.default_rng(0)
    drawn = {draw_augmentation(rng, (2,), (1, 2)) for _ in range(200)}
    assert drawn == {
        Augmentation((False, False, flip), order)
        for flip in (False, True)
        for order in ((0, 1, 2), (0, 2, 1))
    }
    assert {draw_augmentation(rng, (), ()) for _ in range(20)} == {Augmentation()}


def test_every_choice_of_axes_takes_the_same_reflections():
    for axes in [(), (0,), (0, 1, 2)]:
        flips = draw_augmentation(np.random.default_rng(7), axes, ()).reflect
        full = draw_augmentation(np.random.default_rng(7), (0, 1, 2), ()).reflect
        assert flips == tuple(flip and axis in axes for axis, flip in enumerate(full))


def test_permuted_axes_need_equal_extents():
    check_permutable((33, 33, 33), (0, 1, 2))
    check_permutable((17, 33, 33), (1, 2))
    check_permutable((17, 33, 35), ())
    check_permutable((17, 33, 35), (1,))
    with pytest.raises(InputError, match=r"axes zx .*\(17, 33, 33\) differ"):
        check_permutable((17, 33, 33), (0, 2))


@pytest.mark.parametrize("axes", [(1, 3), (1, 1), (-1, 0)])
def test_impossible_axes(axes):
    with pytest.raises(InputError, match="permute_axes"):
        check_permutable((33, 33, 33), axes)
