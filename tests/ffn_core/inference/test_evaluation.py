import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information

from ffn_core.errors import InputError
from ffn_core.inference.contingency import Contingency
from ffn_core.inference.evaluation import agreement, evaluate, evaluate_volumes
from ffn_core.volumes import ArrayVolume

TWO_HALVES = np.array([1, 1, 2, 2])


def score(truth, segmentation):
    return agreement(Contingency.of(np.array(truth), np.array(segmentation)))


def test_the_same_partition_under_other_names_is_perfect():
    scores = score(TWO_HALVES, [7, 7, 3, 3])
    assert (scores.are, scores.precision, scores.recall) == (0.0, 1.0, 1.0)
    assert scores.voi == 0.0


def test_a_merger_costs_precision():
    # 6 pairs are joined, 2 of them truly; the merged half is 1 bit short.
    scores = score(TWO_HALVES, [1, 1, 1, 1])
    assert scores.precision == pytest.approx(2 / 6)
    assert scores.recall == 1.0
    assert scores.are == pytest.approx(1 - 2 * (1 / 3) / (4 / 3))
    assert (scores.voi_split, scores.voi_merge) == (0.0, 1.0)


def test_a_split_costs_recall():
    scores = score([1, 1, 1, 1], TWO_HALVES)
    assert (scores.precision, scores.recall) == (1.0, pytest.approx(2 / 6))
    assert (scores.voi_split, scores.voi_merge) == (1.0, 0.0)


def test_uneven_split_and_merger_by_hand():
    # Cells: (1,1):3, (1,2):1, (2,2):4. Pairs: joint 3+0+6=9, segments 3+10, truth 6+6.
    scores = score([1] * 4 + [2] * 4, [1] * 3 + [2] * 5)
    assert scores.precision == pytest.approx(9 / 13)
    assert scores.recall == pytest.approx(9 / 12)
    split = (3 * np.log2(4 / 3) + np.log2(4)) / 8
    merge = (np.log2(5) + 4 * np.log2(5 / 4)) / 8
    assert scores.voi_split == pytest.approx(split)
    assert scores.voi_merge == pytest.approx(merge)


def test_agrees_with_scikit_image_whose_rates_are_swapped():
    rng = np.random.default_rng(3)
    truth, segmentation = rng.integers(0, 5, (2, 6, 7, 8))
    scores = evaluate(truth, segmentation).foreground
    # scikit-image documents (error, precision, recall) but returns recall before precision.
    are, recall, precision = adapted_rand_error(truth, segmentation, ignore_labels=(0,))
    split, merge = variation_of_information(
        truth[truth != 0], segmentation[truth != 0], ignore_labels=()
    )
    assert scores.are == pytest.approx(are)
    assert (scores.precision, scores.recall) == (pytest.approx(precision), pytest.approx(recall))
    assert (scores.voi_split, scores.voi_merge) == (pytest.approx(split), pytest.approx(merge))


def test_background_of_truth_is_ignored_and_that_of_the_segmentation_is_one_segment():
    truth = np.array([0, 0, 1, 1, 2, 2])
    segmentation = np.array([5, 6, 1, 1, 0, 0])
    result = evaluate(truth, segmentation)
    assert result.foreground.are == 0.0
    assert result.foreground.voxels == 4
    assert result.assigned.voxels == 2
    assert (result.coverage, result.truth_objects, result.segments) == (0.5, 2, 3)


def test_an_empty_segmentation_is_one_big_merger():
    result = evaluate(TWO_HALVES, np.zeros(4, int))
    assert (result.coverage, result.segments) == (0.0, 0)
    assert result.foreground.voi_merge == 1.0
    assert result.assigned.voxels == 0


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"shape \(4,\)"):
        evaluate(TWO_HALVES, np.zeros(3, int))
    with pytest.raises(InputError, match="background"):
        evaluate(np.zeros(3, int), np.zeros(3, int))


@pytest.mark.parametrize("sections", [1, 7, 20])
def test_volumes_read_slab_by_slab_score_the_same(sections):
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 30, (22, 9, 10)).astype(np.uint64)
    ids = rng.integers(0, 30, (20, 6, 8)).astype(np.uint32)
    volume = ReadsCounted(ids)
    scores = evaluate_volumes(ArrayVolume(truth), volume, (2, 1, 0), sections * 6 * 8 * 4)
    assert scores == evaluate(truth[2:, 1:7, :8], ids)
    assert volume.depths == [min(sections, 20 - z) for z in range(0, 20, sections)]


class ReadsCounted(ArrayVolume):
    """A volume that remembers how many sections each read took."""

    def __init__(self, array):
        super().__init__(array)
        self.depths = []

    def read(self, start_zyx, shape_zyx):
        self.depths.append(shape_zyx[0])
        return super().read(start_zyx, shape_zyx)


@pytest.mark.parametrize("start", [(1, 0, 0), (0, 0, -1)])
def test_a_segmentation_must_lie_in_the_truth(start):
    volume = ArrayVolume(np.ones((2, 3, 4), np.uint32))
    with pytest.raises(InputError, match="do not lie in the ground truth memory"):
        evaluate_volumes(volume, volume, start)
