import numpy as np
import pytest

from ffn_core.training.noise_scale import (
    SKETCH_SIZE,
    GradientMoments,
    NoiseScale,
    decay_per_step,
    draw_sketch,
    first_group,
    gradient_moments,
)


def test_moments_by_hand():
    # Gradients 1 and 3 of two examples: mean 2, sample variance 2; the mean's square less its own
    # variance, 4 - 2 / 2 = 3.
    assert gradient_moments(1, 1, 4.0, 4.0) == GradientMoments(squared_norm=3.0, noise=2.0)
    # Mean 1 of one example, 3 of two: 7/3 overall. 4 = tr(Sigma) (1 + 1/2).
    moments = gradient_moments(1, 2, 4.0, 49 / 9)
    assert moments.noise == pytest.approx(8 / 3)
    assert moments.squared_norm == pytest.approx(49 / 9 - 8 / 9)


def test_one_group_alone_tells_nothing_apart():
    assert gradient_moments(0, 1, 1.0, 1.0) is None
    assert gradient_moments(3, 0, 1.0, 1.0) is None


@pytest.mark.parametrize(
    ("examples", "first"),
    [(1, 0), (2, 1), (3, 1), (8, 4), (9, 3), (15, 5), (25, 10), (7, 3), (48, 24), (35, 14)],
)
def test_size_of_the_first_group(examples, first):
    assert first_group(examples) == first


SIGMA = np.geomspace(0.1, 1.5, 24)
GRADIENT = np.linspace(-1.0, 2.0, 24)


def simulated(first: int, examples: int, steps: int) -> list[GradientMoments]:
    """Per-example gradients with normal noise of covariance diag(SIGMA^2) about GRADIENT."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(steps):
        gradients = GRADIENT + SIGMA * rng.standard_normal((examples, 24))
        difference = gradients[:first].mean(axis=0) - gradients[first:].mean(axis=0)
        difference2, norm2 = difference @ difference, (gradients.mean(axis=0) ** 2).sum()
        moments = gradient_moments(first, examples - first, float(difference2), float(norm2))
        assert moments is not None
        found.append(moments)
    return found


@pytest.mark.parametrize(("first", "examples"), [(4, 8), (1, 8), (5, 15), (16, 32)])
def test_recovers_known_signal_and_noise_with_the_stated_variance(first, examples):
    """4,000 steps: standard errors are 1 % of the noise and of the signal, 3 % of variances."""
    moments = simulated(first, examples, 4000)
    noise = np.array([m.noise for m in moments])
    norm2 = np.array([m.squared_norm for m in moments])
    true_noise, true_norm2 = float((SIGMA**2).sum()), float((GRADIENT**2).sum())
    assert noise.mean() == pytest.approx(true_noise, rel=0.04)
    assert norm2.mean() == pytest.approx(true_norm2, rel=0.04)
    trace2 = float((SIGMA**4).sum())
    assert noise.var() == pytest.approx(2 * trace2, rel=0.15)
    along = float((GRADIENT**2 * SIGMA**2).sum())
    assert norm2.var() == pytest.approx(4 * trace2 / examples**2 + 4 * along / examples, rel=0.15)
    scale = NoiseScale(decay=0.999)
    for m in moments:
        scale.add(m)
    assert scale.simple == pytest.approx(true_noise / true_norm2, rel=0.04)


def test_stated_scatter_of_the_noise_scale():
    """A noise scale of 250 times the batch: 400 averages over as many steps as four half-lives."""
    batch, steps, directions = 4, 4 * 2.9 * 20, 24
    signal = np.full(directions, np.sqrt(0.001))  # noise 1 in each direction: tr(Sigma) = 24
    rng = np.random.default_rng(3)
    shape = (400, round(steps), directions)
    first, second = (signal + rng.standard_normal(shape) / np.sqrt(batch / 2) for _ in range(2))
    moments = [
        gradient_moments(2, 2, float(np.mean(d)), float(np.mean(g)))
        for d, g in zip(
            ((first - second) ** 2).sum(axis=2),
            ((first + second) ** 2 / 4).sum(axis=2),
            strict=True,
        )
    ]
    estimates = np.array([m.squared_norm for m in moments if m is not None]) / (signal @ signal)
    assert estimates.mean() == pytest.approx(1, abs=1.0)
    assert estimates.std() == pytest.approx(2 / np.sqrt(steps * directions) * 250, rel=0.15)


def test_a_sketch_keeps_lengths_and_adds_up():
    rng = np.random.default_rng(5)
    signs, places = draw_sketch(5000)
    assert set(signs) == {-1, 1}
    assert (places.min(), places.max()) == (0, SKETCH_SIZE - 1)

    def sketched(vectors):
        out = np.zeros((len(vectors), SKETCH_SIZE))
        for row, vector in zip(out, vectors, strict=True):
            np.add.at(row, places, signs * vector)
        return out

    vectors = rng.standard_normal((200, 5000)) * np.geomspace(0.01, 10, 5000)
    ratio = (sketched(vectors) ** 2).sum(axis=1) / (vectors**2).sum(axis=1)
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert 0.02 < ratio.std() < 0.08
    one = np.zeros((1, 5000))
    one[0, 17] = 3.0
    assert (sketched(one) ** 2).sum() == 9.0
    np.testing.assert_allclose(
        sketched(vectors[:1] + vectors[1:2]), sketched(vectors[:1]) + sketched(vectors[1:2])
    )
    again, _ = draw_sketch(5000)
    np.testing.assert_array_equal(again, signs)


def test_parts_are_smoothed_apart():
    scale = NoiseScale(decay=0.5)
    scale.add(GradientMoments(squared_norm=2.0, noise=8.0))
    assert scale.simple == 4.0  # no pull toward the start at zero
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
