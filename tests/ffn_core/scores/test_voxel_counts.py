import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffn_core.scores.voxel_counts import VoxelCounts

counts_of_any_size = st.builds(VoxelCounts, *[st.integers(0, 2**40)] * 5)


def test_counts_by_hand():
    logits = np.array([[[2.0, 1.5, 0.0, 1.0]], [[-9.0, 3.0, 1.49, -1.0]]], np.float32)
    is_object = np.array([[[1, 0, 1, 0]], [[0, 1, 1, 0]]], bool)
    # At 1.5, reached included: 2.0 and 3.0 are right, 1.5 is wrong, 0.0 and 1.49 are missed.
    assert VoxelCounts.of_canvas(logits, is_object, 1.5) == VoxelCounts(2, 1, 2, 3, 1)


def test_rates_by_hand():
    counts = VoxelCounts(6, 2, 4, 8, canvases=3)
    assert counts.rates("train") == {
        "train/f1": pytest.approx(12 / 18),
        "train/precision": pytest.approx(6 / 8),
        "train/recall": pytest.approx(6 / 10),
        "train/accuracy": pytest.approx(14 / 20),
    }


@given(counts_of_any_size)
def test_f1_is_the_harmonic_mean(counts):
    precision, recall = counts.precision, counts.recall
    if counts.true_positive:
        assert counts.f1 == pytest.approx(2 / (1 / precision + 1 / recall))
    else:
        assert counts.f1 == precision == recall == 0


def test_no_canvas_has_no_rates():
    assert VoxelCounts().rates("train") == {}
    assert VoxelCounts(true_negative=5, canvases=1).rates("v")["v/accuracy"] == 1.0


@given(counts_of_any_size, counts_of_any_size)
def test_addition_pools_and_arrays_hold_everything(a, b):
    total = a + b
    assert total.true_positive == a.true_positive + b.true_positive
    assert total.false_positive == a.false_positive + b.false_positive
    assert total.false_negative == a.false_negative + b.false_negative
    assert total.true_negative == a.true_negative + b.true_negative
    assert total.canvases == a.canvases + b.canvases
    assert total.as_array().dtype == np.int64
    assert VoxelCounts.from_array(total.as_array()) == total
