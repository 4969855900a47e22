import numpy as np
import pytest
from scipy.stats import rankdata

from ffn_core.scores.roc import BINS, LIMIT, LogitHistogram


def exact_auc(logits: np.ndarray, is_object: np.ndarray) -> float:
    """From the ranks of all voxels (Mann and Whitney 1947)."""
    ranks, objects = rankdata(logits.ravel()), np.count_nonzero(is_object)
    smaller = ranks[is_object.ravel()].sum() - objects * (objects + 1) / 2
    return smaller / objects / (logits.size - objects)


def canvas(logits, is_object) -> LogitHistogram:
    return LogitHistogram.of_canvas(np.float32(logits), np.array(is_object, bool))


@pytest.mark.parametrize(
    ("logits", "is_object", "auc"),
    [
        ([-3, -2, 1, 2], [0, 0, 1, 1], 1.0),
        ([-3, -2, 1, 2], [1, 1, 0, 0], 0.0),
        ([1, 1, 1, 1], [1, 0, 0, 1], 0.5),
        ([0, 1, 1, 2], [0, 1, 0, 1], 3.5 / 4),  # one of four pairs is equal
        ([-99, np.nan, -np.inf, np.inf], [0, 0, 1, 1], (0.5 + 0.5 + 1 + 1) / 4),
    ],
)
def test_by_hand(logits, is_object, auc):
    assert canvas(logits, is_object).auc == auc


@pytest.mark.parametrize("is_object", [[0, 0], [1, 1], []])
def test_one_kind_of_voxel_is_no_comparison(is_object):
    assert canvas(np.zeros(len(is_object)), is_object).auc is None


@pytest.mark.parametrize(
    ("gap", "spread"),
    [
        (3.0, 1.5),  # a trained network
        (0.5, 4.0),
        (0.01, 0.02),  # hardly trained: all logits close to those the seed starts from
        (12.0, 9.0),  # many beyond the limit on either side
    ],
)
def test_against_ranks_to_less_than_a_thousandth(gap, spread):
    rng = np.random.default_rng(0)
    is_object = rng.random((40, 40, 40)) < 0.3
    logits = rng.normal(-2.944 + gap * is_object, spread).astype(np.float32)
    logits[:8] = np.log(0.05 / 0.95)  # never visited: equal, and to be counted as such
    expected = exact_auc(np.clip(logits, -LIMIT, LIMIT), is_object)
    assert canvas(logits, is_object).auc == pytest.approx(expected, abs=1e-3)
    assert 0.5 < expected < 0.99


def test_canvases_add_up_on_any_rank():
    rng = np.random.default_rng(1)
    logits, is_object = rng.normal(size=(6, 5, 5, 5)), rng.random((6, 5, 5, 5)) < 0.5
    parts = [canvas(a, b) for a, b in zip(logits, is_object, strict=True)]
    total = sum(parts, LogitHistogram.empty())
    np.testing.assert_array_equal(total.counts, canvas(logits, is_object).counts)
    assert total.counts.shape == (2, BINS)
    assert total.counts.sum() == logits.size
