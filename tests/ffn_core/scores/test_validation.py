import numpy as np
import pytest

from ffn_core.geometry import Box, FovGeometry
from ffn_core.movement import POLICIES
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.partial_labels import PartialLabels
from ffn_core.scores.roc import LogitHistogram
from ffn_core.scores.validation import (
    HALF,
    Score,
    evaluate,
    flood,
    held_out_canvases,
    moved_at,
    moved_by_truth,
)
from ffn_core.scores.voxel_counts import VoxelCounts
from ffn_core.seed import SeedValues
from ffn_core.training.examples import CanvasSource, LabeledVolume
from ffn_core.volumes import ArrayVolume

GEOMETRY = FovGeometry((5, 5, 5), (2, 2, 2))  # canvas 9
SEED_VALUES = SeedValues()
THRESHOLD = SEED_VALUES.move_logit


def make_source(policy: str = "fixed", labeled: Box | None = None) -> CanvasSource:
    """Two half-spaces with noise over them; labeled everywhere, or in a box."""
    rng = np.random.default_rng(0)
    shape = (20, 20, 20)
    labels = np.ones(shape, np.uint8)
    labels[11:] = 2
    partitions = np.zeros(shape, np.uint8)
    partitions[4:-4, 4:-4, 4:-4] = 1
    coordinates = Coordinates.from_partitions(partitions, (4, 4, 4), (), 1, "test")
    image = ArrayVolume(rng.integers(0, 256, shape, np.uint8))
    known = ArrayVolume(labels) if labeled is None else PartialLabels(ArrayVolume(labels), labeled)
    volume = LabeledVolume(image, known, coordinates, mean=128.0, stddev=64.0)
    return CanvasSource([volume], GEOMETRY, SEED_VALUES, policy=policy, shuffle=False)


def copy_truth(image, seed, is_object):
    """A network that knows the answer, with loss 0.5 on every FOV."""
    return np.where(is_object, np.float32(4), np.float32(-4)), np.full(len(image), 0.5, np.float32)


def predict_from_input(image, seed, is_object):
    """Each row from its own image and seed; loss is the true share of object, in 1/128."""
    share = np.round(128 * is_object.mean(axis=(1, 2, 3, 4))) / 128
    return 1.5 * image + 0.2 * seed, share.astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_perfect_network_scores_one(batch_size):
    canvases = held_out_canvases([make_source()], seed=3, indices=range(6))
    score = evaluate(copy_truth, canvases, batch_size, THRESHOLD)
    objects = sum(np.count_nonzero(canvas.is_object) for canvas in canvases)
    assert objects < 6 * 9**3
    assert score.published == VoxelCounts(objects, 0, 0, 6 * 9**3 - objects, canvases=6)
    assert score.rates("validation") == {
        "validation/f1": 1.0,
        "validation/precision": 1.0,
        "validation/recall": 1.0,
        "validation/accuracy": 1.0,
        "validation/loss": 0.5,
    }


def test_a_blind_network_sees_one_fov_a_canvas():
    def nothing(image, seed, is_object):
        return np.full_like(image, -9.0), np.arange(len(image), dtype=np.float32)

    canvases = held_out_canvases([make_source()], seed=3, indices=range(5))
    score = evaluate(nothing, canvases, batch_size=3, threshold=THRESHOLD)
    assert score.fovs == 5
    assert score.loss_sum == (0 + 1 + 2) + (0 + 1)
    assert score.published.true_positive == score.published.false_positive == 0
    assert score.published.canvases == 5


@pytest.mark.parametrize("policy", POLICIES)
def test_same_as_one_canvas_after_another(policy):
    """Against the loop written out, without batches."""
    source = make_source(policy)
    expected, losses, fovs = VoxelCounts(), 0.0, 0
    for canvas in held_out_canvases([source], seed=3, indices=range(7)):
        window = canvas.next_window()
        while window is not None:
            row = [a[window][None, ..., None] for a in (canvas.image, canvas.seed)]
            truth = canvas.is_object[window][None, ..., None]
            logits, loss = predict_from_input(*row, truth)
            canvas.seed[window] = logits[0, ..., 0]
            losses, fovs = losses + float(loss[0]), fovs + 1
            window = canvas.next_window()
        expected += VoxelCounts.of_canvas(canvas.seed, canvas.is_object, THRESHOLD)
    assert fovs > 2 * 7
    assert 0 < expected.f1 < 1
    for batch_size in (1, 2, 3, 7, 16):
        canvases = held_out_canvases([source], seed=3, indices=range(7))
        score = evaluate(predict_from_input, canvases, batch_size, THRESHOLD)
        assert (score.published, score.loss_sum, score.fovs) == (expected, losses, fovs), batch_size


@pytest.mark.parametrize("shares", [[[0, 1, 2], [3, 4]], [[4], [0, 3], [1, 2], []]])
def test_sums_do_not_depend_on_how_canvases_are_shared(shares):
    source = make_source()

    def sums(indices):
        canvases = held_out_canvases([source], seed=3, indices=indices)
        subset = [canvas for i, canvas in zip(indices, canvases, strict=True) if i < 3]
        return evaluate(predict_from_input, canvases, 2, THRESHOLD, subset).as_array()

    np.testing.assert_array_equal(sum(sums(share) for share in shares), sums(range(5)))


def test_a_canvas_is_a_function_of_seed_and_index():
    source = make_source()
    everything = held_out_canvases([source], seed=3, indices=range(6))
    (alone,) = held_out_canvases([source], seed=3, indices=[4])
    np.testing.assert_array_equal(alone.image, everything[4].image)
    assert len({canvas.image.tobytes() for canvas in everything}) == 6
    (other,) = held_out_canvases([source], seed=4, indices=[4])
    assert not np.array_equal(other.image, alone.image)


def test_no_canvas():
    score = evaluate(copy_truth, [], 4, THRESHOLD)
    assert (score.published, score.half, score.fovs) == (VoxelCounts(), VoxelCounts(), 0)
    assert score.rates("validation") == {}


def test_score_array_round_trip():
    logits = LogitHistogram.of_canvas(np.array([-1.0, 0.5, 0.5]), np.array([False, True, False]))
    half = VoxelCounts(3, 1, 0, 4, 2)
    score = Score(VoxelCounts(1, 2, 3, 2**40 + 1, 5), 6.25, 7, half, logits)
    assert score.as_array().dtype == np.float64
    np.testing.assert_array_equal(Score.from_array(score.as_array()).as_array(), score.as_array())
    pooled = Score.from_array(score.as_array() * 2)
    assert pooled.published.canvases == 10
    rates = pooled.rates("averaged")
    assert rates["averaged/loss"] == 6.25 / 7
    assert rates["averaged/f1_half"] == 6 / 7
    assert rates["averaged/auc"] == 0.75


def test_baseline_calls_every_voxel_object():
    counts = VoxelCounts(true_positive=10, false_positive=3, false_negative=20, true_negative=67)
    score = Score(counts, 0.0, 0, VoxelCounts(), LogitHistogram.empty())
    assert score.baseline_f1 == pytest.approx(2 * 0.3 / (1 + 0.3))


def visited(canvas) -> list[tuple[int, int, int]]:
    """Centers of the FOVs from the canvas center, with a network that changes nothing."""
    seen = []
    while (window := canvas.next_window()) is not None:
        seen.append(tuple((s.start + s.stop) // 2 - 4 for s in window))
    return seen


def test_by_truth_exactly_the_centers_of_the_object_are_visited():
    (canvas,) = held_out_canvases([make_source()], seed=3, indices=[0])
    canvas.is_object[...] = False
    canvas.is_object[:5, :5, 4] = True  # around the center (4, 4, 4), two voxels to a move
    before = canvas.seed.copy()
    guided = moved_by_truth(canvas)
    assert visited(guided) == [(0, 0, 0), (-2, -2, 0), (-2, 0, 0), (0, -2, 0)]
    assert visited(canvas) == [(0, 0, 0)]  # the seed says nothing of the rest
    flood(copy_truth, [moved_by_truth(canvas)], 1)
    np.testing.assert_array_equal(canvas.seed, before)  # each way has a seed of its own


def test_each_threshold_moves_by_itself():
    """A network that says 0.6 everywhere: the published threshold stops at once, one half never."""

    def undecided(image, seed, is_object):
        return np.full_like(image, np.log(0.6 / 0.4)), np.ones(len(image), np.float32)

    canvases = held_out_canvases([make_source()], seed=3, indices=range(4))
    objects = sum(np.count_nonzero(canvas.is_object) for canvas in canvases[:3])
    score = evaluate(undecided, canvases, 5, THRESHOLD, canvases[:3])
    assert (score.fovs, score.loss_sum) == (4, 4.0)  # those of the other ways do not count
    assert score.published.recall == 0.0
    assert score.half == VoxelCounts(objects, 3 * 9**3 - objects, 0, 0, canvases=3)
    _, fovs = flood(undecided, [moved_at(canvas, HALF) for canvas in canvases], 5)
    assert fovs.tolist() == [27] * 4
    assert score.logits.counts.sum() == 3 * 9**3


def test_auc_is_of_canvases_moved_by_truth():
    """A network that is right wherever it looks, and too unsure to move by itself."""

    def right(image, seed, is_object):
        return np.where(is_object, np.float32(-1), np.float32(-5)), np.ones(len(image), np.float32)

    canvases = held_out_canvases([make_source()], seed=3, indices=range(3))
    rates = evaluate(right, canvases, 4, THRESHOLD, canvases).rates("validation")
    assert (rates["validation/f1"], rates["validation/f1_half"]) == (0.0, 0.0)
    guided = [moved_by_truth(canvas) for canvas in canvases]
    flood(right, guided, 4)
    objects = np.concatenate([c.seed[c.is_object] for c in guided])
    rest = np.concatenate([c.seed[~c.is_object] for c in guided])
    equal = np.mean(objects[:, None] == rest[None])
    expected = np.mean(objects[:, None] > rest[None]) + equal / 2
    assert rates["validation/auc"] == pytest.approx(expected, abs=1e-6)


def test_canvases_are_taken_from_the_sources_in_turn():
    class Named:
        def __init__(self, name):
            self.name = name

        def draw(self, rng):
            return self.name, rng.integers(10**9)

    first, second = Named("first"), Named("second")
    mixed = held_out_canvases([first, second], seed=3, indices=range(5))
    assert [name for name, _ in mixed] == ["first", "second", "first", "second", "first"]
    assert [draw for _, draw in mixed] == [
        draw for _, draw in held_out_canvases([first], seed=3, indices=range(5))
    ]


def test_unlabeled_voxels_count_in_no_score():
    """Labels end at y = 10: a network that is wrong wherever truth is not known is perfect."""
    source = make_source(labeled=Box((0, 0, 0), (20, 10, 20)))
    canvases = held_out_canvases([source], seed=3, indices=range(8))
    subset = held_out_canvases([source], seed=3, indices=range(8))
    labeled = sum(np.count_nonzero(canvas.labeled) for canvas in canvases)
    assert 0 < labeled < 8 * 9**3

    def wrong_beyond(image, seed, is_object, labeled):
        """Loss 1 for each labeled voxel."""
        logits = np.where(is_object == labeled, np.float32(4), np.float32(-4))
        return logits, labeled.mean(axis=(1, 2, 3, 4))

    score = evaluate(wrong_beyond, canvases, 4, THRESHOLD, subset)
    counts = score.published
    total = counts.true_positive + counts.true_negative + counts.false_positive
    assert total + counts.false_negative == labeled
    assert score.logits.counts.sum() == labeled
    assert score.loss_sum == pytest.approx(score.fovs), "a mean over labeled voxels"
    assert Score.from_array(score.as_array()).fovs == score.fovs
