"""What is done to training images, by hand."""

import numpy as np
import pytest

from ffn_core.training.image_augmentation import ImageAugmentation

SHAPE = (6, 15, 17)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def drawn(image: np.ndarray, count: int = 200, **options: float) -> list[np.ndarray]:
    changes = ImageAugmentation(**options)
    assert changes.is_on
    before = image.copy()
    found = [changes.apply(image, np.random.default_rng(seed)) for seed in range(count)]
    np.testing.assert_array_equal(image, before)
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    return found


def test_all_is_off_by_default():
    assert not ImageAugmentation().is_on
    assert not ImageAugmentation(shift_voxels=5).is_on


def test_contrast_is_a_factor_of_the_whole_canvas(image):
    factors = np.array([np.median(array / image) for array in drawn(image, contrast=0.25)])
    assert (factors.min() > 0.75, factors.max() < 1.25) == (True, True)
    assert factors.min() < 0.77
    assert factors.max() > 1.23
    changed = drawn(image, count=1, contrast=0.25)[0]
    np.testing.assert_allclose(changed, factors[0] * image, rtol=1e-5)


def test_brightness_is_added(image):
    added = [array - image for array in drawn(image, brightness=0.5)]
    assert max(np.ptp(each) for each in added) < 1e-6
    means = [each.mean() for each in added]
    assert (min(means), max(means)) == pytest.approx((-0.5, 0.5), abs=0.02)


def test_noise_has_a_strength_of_its_own(image):
    strengths = np.array([(array - image).std() for array in drawn(image, noise=0.3)])
    assert strengths.max() == pytest.approx(0.3, abs=0.02)
    assert strengths.min() < 0.02
    assert np.mean(strengths) == pytest.approx(0.15, abs=0.02)


def test_blur_stays_within_sections():
    dot = np.zeros(SHAPE, np.float32)
    dot[2, 7, 8] = 1
    for array in drawn(dot, count=20, blur=1.5):
        assert not array[[0, 1, 3, 4, 5]].any()
        assert array.sum() == pytest.approx(1, abs=0.01)
        np.testing.assert_allclose(array[2], array[2, ::-1], atol=1e-6)
    widest = min(array.max() for array in drawn(dot, blur=1.5))
    # The peak of a Gaussian in two dimensions is 1 / (2 pi sigma^2).
    assert widest == pytest.approx(1 / (2 * np.pi * 1.5**2), rel=0.05)


def test_lost_sections_are_gray(image):
    lost = np.array([~array.any(axis=(1, 2)) for array in drawn(image, missing_sections=0.25)])
    assert lost.mean() == pytest.approx(0.25, abs=0.05)  # 4 binomial standard deviations
    for array, gone in zip(drawn(image, missing_sections=0.25), lost, strict=True):
        np.testing.assert_array_equal(array[~gone], image[~gone])


def test_shifted_sections_repeat_their_border(image):
    shifts = set()
    for array in drawn(image, shifted_sections=0.5, shift_voxels=2):
        for before, after in zip(image, array, strict=True):
            padded = np.pad(before, 2, mode="edge")
            found = [
                (down, right)
                for down in range(-2, 3)
                for right in range(-2, 3)
                if np.array_equal(padded[2 - down : 17 - down, 2 - right : 19 - right], after)
            ]
            assert len(found) == 1
            shifts |= set(found)
    assert len(shifts) == 25
    assert np.array_equal(drawn(image, 1, shifted_sections=1.0, shift_voxels=0)[0], image)


def test_the_same_random_state_gives_the_same_image(image):
    options = {
        "contrast": 0.2,
        "brightness": 0.2,
        "noise": 0.2,
        "blur": 1.0,
        "missing_sections": 0.2,
        "shifted_sections": 0.2,
    }
    for first, second in zip(drawn(image, 5, **options), drawn(image, 5, **options), strict=True):
        np.testing.assert_array_equal(first, second)
