import numpy as np
import pytest
import tensorflow as tf

from ffn_core.model_size import ModelSize
from ffn_core.training.noise_scale import SKETCH_SIZE, draw_sketch, gradient_moments
from ffn_core.training.train_step import fov_losses, make_train_step

SIZE = ModelSize(depth=2, features=2)
FOV = (3, 3, 3)


def make_step(
    fovs,
    micro_batch=1,
    clip=None,
    optimizer="sgd",
    zero=False,
    ranks_sum=None,
    first_stream=0,
    partly_labeled=False,
):
    """A step with its model; ``zero`` sets all weights to 0, so that logits equal seeds."""
    step = make_train_step(
        SIZE,
        0,
        optimizer,
        {},
        reduce_sum=ranks_sum or tf.identity,
        fovs_per_step=fovs,
        micro_batch=micro_batch,
        clip=clip,
        first_stream=first_stream,
        partly_labeled=partly_labeled,
    )
    if zero:
        step.model.assign([np.zeros(w.shape, np.float32) for w in step.model.weights])
    return step.model, step


def examples(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    image, seed = rng.normal(size=(2, count, *FOV, 1)).astype(np.float32)
    return image, seed, rng.random((count, *FOV, 1)) < 0.3


def flat_fovs(probabilities, is_object):
    """FOVs whose seed has one probability everywhere and whose voxels are all object or none."""
    seed = np.zeros((len(probabilities), *FOV, 1), np.float32)
    truth = np.zeros(seed.shape, bool)
    for row, (p, positive) in enumerate(zip(probabilities, is_object, strict=True)):
        seed[row], truth[row] = np.log(p / (1 - p)), positive
    return np.zeros_like(seed), seed, truth


def values(model):
    return [w.numpy() for w in model.weights]


# With all weights 0 the logits are the seed and only the bias of the last layer has a gradient:
# the mean of sigmoid(seed) - label. The two FOVs below give 0.5 - 0.05 and 0.9 - 0.95.
TWO_FOVS = flat_fovs([0.5, 0.9], [False, True])


def step_over_two_fovs(clip=None, rate=0.5, **options):
    model, step = make_step(2, clip=clip, zero=True, **options)
    for row in range(2):
        step.accumulate(*(array[row : row + 1] for array in TWO_FOVS))
    result = step.apply(step.reduce(), rate)
    return model, result


def test_losses_against_numpy():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (4, *FOV, 1)).astype(np.float32)
    is_object = rng.random(logits.shape) < 0.5
    label = np.where(is_object, 0.95, 0.05)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    cross_entropy = -(label * np.log(p) + (1 - label) * np.log(1 - p))
    np.testing.assert_allclose(
        fov_losses(tf.constant(logits), tf.constant(is_object)),
        cross_entropy.reshape(4, -1).mean(axis=1),
        rtol=1e-5,
    )


def test_one_step_by_hand():
    model, result = step_over_two_fovs(rate=0.5)
    losses = -np.log(0.5), -(0.95 * np.log(0.9) + 0.05 * np.log(0.1))
    assert result.loss == pytest.approx(np.mean(losses))
    assert result.gradient_norm == pytest.approx(0.2)
    assert result.stop_votes == result.done_votes == 0
    # tr(Sigma): sample variance of 0.45 and -0.05. |G|^2: their mean squared less half of that.
    assert result.moments.noise == pytest.approx(0.125)
    assert result.moments.squared_norm == pytest.approx(0.2**2 - 0.125 / 2)
    *others, last_bias = values(model)
    np.testing.assert_allclose(last_bias, [-0.5 * 0.2], rtol=1e-5)
    assert not any(w.any() for w in others)


def test_moments_of_wider_micro_batches_by_hand():
    """Gradients 0.45, -0.05 | 0.85, 0.45: micro-batch means 0.2 and 0.65, overall 0.425."""
    arrays = flat_fovs([0.5, 0.9, 0.9, 0.5], [False, True, False, False])
    _, step = make_step(4, micro_batch=2, zero=True)
    for row in (0, 2):
        step.accumulate(*(array[row : row + 2] for array in arrays))
    result = step.apply(step.reduce(), 0.0)
    # Sample variance of the two means, of two FOVs each: 2 * 0.225^2 = tr(Sigma) / 2.
    assert result.moments.noise == pytest.approx(2 * 2 * 0.225**2, rel=1e-5)
    assert result.moments.squared_norm == pytest.approx(0.425**2 - 0.225**2, rel=1e-5)
    assert result.gradient_norm == pytest.approx(0.425)


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        (0.3, 0.2),  # nothing to clip; before averaging it would be (0.3 - 0.05) / 2 = 0.125
        (0.15, 0.15),  # before averaging: (0.15 - 0.05) / 2 = 0.05
    ],
)
def test_clipping_acts_after_averaging(clip, expected):
    model, result = step_over_two_fovs(clip=clip, rate=1.0)
    np.testing.assert_allclose(values(model)[-1], [-expected], rtol=1e-5)
    assert result.gradient_norm == pytest.approx(0.2)  # as it was before clipping


def test_clipping_is_by_value_and_on_both_sides():
    model, step = make_step(1, clip=1e-3)
    before = values(model)
    step.accumulate(*examples(1))
    step.apply(step.reduce(), 1.0)
    moved = np.concatenate([(a - b).ravel() for a, b in zip(values(model), before, strict=True)])
    assert moved.max() == pytest.approx(1e-3, rel=1e-3)
    assert moved.min() == pytest.approx(-1e-3, rel=1e-3)
    assert np.any((moved != 0) & (np.abs(moved) < 9e-4))  # small entries keep their size


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_micro_batches_add_up_to_one_batch(optimizer):
    arrays = examples(4)
    whole, step = make_step(4, micro_batch=4, optimizer=optimizer)
    step.accumulate(*arrays)
    expected = step.apply(step.reduce(), 0.01)
    for micro_batch in (1, 2):
        model, step = make_step(4, micro_batch=micro_batch, optimizer=optimizer)
        for row in range(0, 4, micro_batch):
            step.accumulate(*(array[row : row + micro_batch] for array in arrays))
        result = step.apply(step.reduce(), 0.01)
        assert result.loss == pytest.approx(expected.loss, rel=1e-5)
        assert result.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-4)
        for a, b in zip(values(model), values(whole), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_gradient_is_the_slope_of_the_mean_loss():
    """A small step of plain SGD lowers the loss by rate times the squared gradient norm."""
    arrays = examples(4)
    _, step = make_step(4, micro_batch=4)
    before = step.predict(*arrays)[1].mean()
    step.accumulate(*arrays)
    result = step.apply(step.reduce(), 1e-3)
    after = step.predict(*arrays)[1].mean()
    assert result.loss == pytest.approx(before, rel=1e-5)
    assert before - after == pytest.approx(1e-3 * result.gradient_norm**2, rel=0.02)


def test_two_ranks_take_the_step_of_one():
    arrays = examples(4)
    alone, step = make_step(4, micro_batch=2)
    for row in (0, 2):
        step.accumulate(*(array[row : row + 2] for array in arrays))
    expected = step.apply(step.reduce(), 0.1)
    ranks = [make_step(4, micro_batch=2, first_stream=row) for row in (0, 2)]
    for row, (_, step) in zip((0, 2), ranks, strict=True):
        step.accumulate(*(array[row : row + 2] for array in arrays))
    total = ranks[0][1].reduce(stop=True, done=True) + ranks[1][1].reduce(done=True)
    for model, step in ranks:
        result = step.apply(total, 0.1)
        assert (result.stop_votes, result.done_votes) == (1, 2)
        assert result.loss == pytest.approx(expected.loss, rel=1e-6)
        assert result.moments.noise == pytest.approx(expected.moments.noise, rel=1e-4)
        for a, b in zip(values(model), values(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("ranks", "micro_batch"), [(1, 6), (1, 2), (2, 3), (4, 1), (4, 3)])
def test_the_noise_is_that_of_the_two_halves_on_any_number_of_ranks(ranks, micro_batch):
    """Twelve FOVs; the mean gradient of each half is what a step of plain SGD over it moves by."""
    arrays, share = examples(12), 12 // ranks
    halves = []
    for rows in (slice(0, 6), slice(6, 12)):
        model, step = make_step(6, micro_batch=6)
        before = values(model)
        step.accumulate(*(array[rows] for array in arrays))
        step.apply(step.reduce(), 1.0)
        change = [b - a for a, b in zip(values(model), before, strict=True)]
        halves.append(np.concatenate([c.ravel() for c in change]).astype(float))
    signs, places = draw_sketch(len(halves[0]))
    sketch = np.bincount(places, signs * (halves[0] - halves[1]), SKETCH_SIZE)
    expected = gradient_moments(6, 6, sketch @ sketch, np.sum(np.mean(halves, axis=0) ** 2))

    steps = [make_step(12, micro_batch, first_stream=r * share)[1] for r in range(ranks)]
    for _ in range(2):  # the second must not remember the first
        for rank, step in enumerate(steps):
            for row in range(rank * share, (rank + 1) * share, micro_batch):
                step.accumulate(*(array[row : row + micro_batch] for array in arrays))
        total = sum(step.reduce() for step in steps)
        result = steps[0].apply(total, 0.0)
        assert result.moments.noise == pytest.approx(expected.noise, rel=1e-3)
        assert result.moments.squared_norm == pytest.approx(expected.squared_norm, rel=1e-3)


def test_a_single_fov_has_no_noise_to_tell():
    _, step = make_step(1)
    step.accumulate(*examples(1))
    assert step.apply(step.reduce(), 0.1).moments is None


def test_what_is_reduced_goes_through_the_given_sum():
    model, step = make_step(6, zero=True, ranks_sum=lambda flat: 3.0 * flat)  # three equal ranks
    for row in range(2):
        step.accumulate(*(array[row : row + 1] for array in TWO_FOVS))
    result = step.apply(step.reduce(stop=True), 1.0)
    assert (result.stop_votes, result.done_votes) == (3, 0)
    assert result.gradient_norm == pytest.approx(0.2)
    np.testing.assert_allclose(values(model)[-1], [-0.2], rtol=1e-5)


def test_each_step_starts_empty_and_applies_its_own_rate():
    model, step = make_step(1, zero=True)
    bias = 0.0
    for rate, stop, done in ((0.5, True, False), (0.0, False, True), (0.125, False, False)):
        step.accumulate(*(array[:1] for array in TWO_FOVS))  # seed 0, no object
        result = step.apply(step.reduce(stop, done), rate)
        assert (result.stop_votes, result.done_votes) == (stop, done)
        bias -= rate * (1 / (1 + np.exp(-bias)) - 0.05)
        np.testing.assert_allclose(values(model)[-1], [bias], rtol=1e-5)


def test_the_average_follows_the_weights_after_each_step():
    step = make_train_step(
        SIZE,
        0,
        "adam",
        {},
        reduce_sum=tf.identity,
        fovs_per_step=2,
        micro_batch=2,
        clip=None,
        half_life_fovs=2,
    )
    seen = []
    for _ in range(3):
        step.accumulate(*examples(2))
        step.apply(step.reduce(), 0.01)
        seen.append(values(step.model))
    for first, second, third, found in zip(*seen, step.average.values(), strict=True):
        np.testing.assert_allclose(found, (first + 2 * second + 4 * third) / 7, atol=1e-6)
        assert np.abs(third - found).max() > 1e-3


def test_accumulating_returns_logits_and_changes_no_weight():
    arrays = examples(2)
    model, step = make_step(2, micro_batch=2)
    before = values(model)
    logits = step.accumulate(*arrays).numpy()
    np.testing.assert_allclose(logits, model(*arrays[:2]), rtol=1e-5, atol=1e-6)
    for a, b in zip(values(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_predict_returns_logits_and_the_loss_of_each_fov():
    logits, losses = make_step(2, zero=True)[1].predict(*TWO_FOVS)
    np.testing.assert_array_equal(logits, TWO_FOVS[1])
    expected = [-np.log(0.5), -(0.95 * np.log(0.9) + 0.05 * np.log(0.1))]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_unlabeled_voxels_have_no_loss():
    _, seed, truth = flat_fovs([0.5, 0.9], [False, True])
    labeled = np.zeros(truth.shape, bool)
    labeled[0, 0], labeled[1, :, 0, 0] = True, True  # 9 and 3 of 27 voxels
    losses = np.array([-np.log(0.5), -(0.95 * np.log(0.9) + 0.05 * np.log(0.1))])
    found = fov_losses(tf.constant(seed), tf.constant(truth), tf.constant(labeled))
    np.testing.assert_allclose(found, losses * [9 / 27, 3 / 27], rtol=1e-5)


def test_every_labeled_voxel_of_a_step_weighs_the_same():
    """Gradients of the bias are 0.45 and -0.05: 9 and 3 labeled voxels have a mean of 0.325."""
    arrays = flat_fovs([0.5, 0.9], [False, True])
    labeled = np.zeros(arrays[2].shape, bool)
    labeled[0, 0], labeled[1, :, 0, 0] = True, True
    model, step = make_step(2, zero=True, partly_labeled=True)
    for row in range(2):
        step.accumulate(*(array[row : row + 1] for array in (*arrays, labeled)))
    result = step.apply(step.reduce(), 1.0)
    assert result.gradient_norm == pytest.approx((9 * 0.45 - 3 * 0.05) / 12)
    losses = -np.log(0.5), -(0.95 * np.log(0.9) + 0.05 * np.log(0.1))
    assert result.loss == pytest.approx((9 * losses[0] + 3 * losses[1]) / 12, rel=1e-5)
    np.testing.assert_allclose(values(model)[-1], [-0.325], rtol=1e-5)


def test_a_step_that_is_labeled_everywhere_is_the_same_step():
    arrays = examples(4)
    plain, step = make_step(4, micro_batch=2)
    masked, other = make_step(4, micro_batch=2, partly_labeled=True)
    for row in (0, 2):
        rows = [array[row : row + 2] for array in arrays]
        step.accumulate(*rows)
        other.accumulate(*rows, np.ones(rows[2].shape, bool))
    expected, result = step.apply(step.reduce(), 0.1), other.apply(other.reduce(), 0.1)
    assert result.loss == pytest.approx(expected.loss, rel=1e-6)
    assert result.moments.noise == pytest.approx(expected.moments.noise, rel=1e-5)
    for a, b in zip(values(masked), values(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_a_step_without_a_labeled_voxel_changes_nothing():
    arrays = examples(1)
    model, step = make_step(1, partly_labeled=True)
    before = values(model)
    step.accumulate(*arrays, np.zeros(arrays[2].shape, bool))
    assert step.apply(step.reduce(), 1.0).loss == 0
    for a, b in zip(values(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_unlabeled_may_be_anything():
    image, seed, truth = examples(2)
    labeled = np.random.default_rng(3).random(truth.shape) < 0.5
    results = []
    for labels in (truth, np.where(labeled, truth, ~truth)):
        model, step = make_step(2, micro_batch=2, partly_labeled=True)
        step.accumulate(image, seed, labels, labeled)
        step.apply(step.reduce(), 0.5)
        results.append(values(model))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_ranks_take_the_step_of_one_where_labels_are_partial():
    """Their shares of labeled voxels differ."""
    arrays = examples(4)
    rows = np.arange(4).reshape(4, 1, 1, 1, 1)
    labeled = np.random.default_rng(2).random(arrays[2].shape) < 0.2 + 0.2 * rows
    alone, step = make_step(4, micro_batch=2, partly_labeled=True)
    ranks = [make_step(4, micro_batch=2, first_stream=row, partly_labeled=True) for row in (0, 2)]
    for row, (_, other) in zip((0, 2), ranks, strict=True):
        for each in (step, other):
            each.accumulate(*(array[row : row + 2] for array in (*arrays, labeled)))
    expected = step.apply(step.reduce(), 0.1)
    total = ranks[0][1].reduce() + ranks[1][1].reduce()
    for model, other in ranks:
        result = other.apply(total, 0.1)
        assert result.loss == pytest.approx(expected.loss, rel=1e-6)
        assert result.moments.noise == pytest.approx(expected.moments.noise, rel=1e-4)
        for a, b in zip(values(model), values(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
