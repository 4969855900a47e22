import numpy as np
import pytest

from ffn_core.training.noise_scale import (
    GradientMoments,
    NoiseScale,
    decay_per_step,
    gradient_moments,
)


def test_moments_by_hand():
    # Gradients 1 and 3 of two examples: mean 2, so |G_1|^2 = (1 + 9) / 2 = 5 and |G_2|^2 = 4.
    # Sample variance 2; the mean's square less its own variance, 4 - 2 / 2 = 3.
    assert gradient_moments(1, 5.0, 2, 4.0) == GradientMoments(squared_norm=3.0, noise=2.0)


@pytest.mark.parametrize("big", [1, 2, 4])
def test_equal_batches_cannot_be_told_apart(big):
    assert gradient_moments(4, 1.0, big, 1.0) is None


@pytest.mark.parametrize(("small", "big"), [(1, 8), (2, 8), (4, 32)])
def test_recovers_known_signal_and_noise(small, big):
    """Per-example gradients of a quadratic with noise of covariance diag(sigma^2) about G.

    The standard errors over 4,000 steps are below 1 % of both true values; 4 % is allowed.
    """
    rng = np.random.default_rng(7)
    gradient = np.linspace(-1.0, 2.0, 24)
    sigma = np.geomspace(0.1, 1.5, 24)
    moments = []
    for _ in range(4000):
        examples = gradient + sigma * rng.standard_normal((big, 24))
        micro_means = examples.reshape(big // small, small, 24).mean(axis=1)
        small_norm2 = float((micro_means**2).sum(axis=1).mean())
        big_norm2 = float((examples.mean(axis=0) ** 2).sum())
        moments.append(gradient_moments(small, small_norm2, big, big_norm2))
    true_noise, true_norm2 = float((sigma**2).sum()), float((gradient**2).sum())
    assert np.mean([m.noise for m in moments]) == pytest.approx(true_noise, rel=0.04)
    assert np.mean([m.squared_norm for m in moments]) == pytest.approx(true_norm2, rel=0.04)
    scale = NoiseScale(decay=0.999)
    for m in moments:
        scale.add(m)
    assert scale.simple == pytest.approx(true_noise / true_norm2, rel=0.04)


def test_parts_are_smoothed_apart():
    scale = NoiseScale(decay=0.5)
    scale.add(GradientMoments(squared_norm=2.0, noise=8.0))
    assert scale.simple == 4.0  # no pull towards the start at zero
    scale.add(GradientMoments(squared_norm=4.0, noise=2.0))
    assert scale.simple == (0.25 * 8 + 0.5 * 2) / (0.25 * 2 + 0.5 * 4)
    assert (scale.noise, scale.squared_norm, scale.weight) == (3.0, 2.5, 0.75)


def test_a_step_without_moments_changes_nothing():
    scale = NoiseScale(decay=0.5)
    scale.add(None)
    assert scale.simple is None
    assert scale == NoiseScale(decay=0.5)


def test_no_ratio_without_signal():
    scale = NoiseScale(decay=0.5)
    scale.add(GradientMoments(squared_norm=-1.0, noise=2.0))
    assert scale.simple is None
    scale.add(GradientMoments(squared_norm=3.0, noise=2.0))
    assert scale.simple == pytest.approx((0.25 * 2 + 0.5 * 2) / (0.25 * -1 + 0.5 * 3))


def test_state_round_trip():
    scale = NoiseScale(decay=0.9)
    scale.add(GradientMoments(1.0, 2.0))
    again = NoiseScale(**scale.state())
    for s in (scale, again):
        s.add(GradientMoments(3.0, 1.0))
    assert again == scale


def test_an_average_forgets_half_of_itself_after_its_half_life():
    """The noise steps from 0 to 1: 400 FOVs later, with a half-life of 400, the average is 1/2."""
    for fovs_per_step in (1, 4, 100):
        scale = NoiseScale(decay_per_step(fovs_per_step, 400.0))
        for _ in range(8000 // fovs_per_step):
            scale.add(GradientMoments(squared_norm=1.0, noise=0.0))
        for _ in range(400 // fovs_per_step):
            scale.add(GradientMoments(squared_norm=1.0, noise=1.0))
        assert scale.simple == pytest.approx(0.5, rel=1e-5)
