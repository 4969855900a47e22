import numpy as np
import pytest

from ffn_core.inference.contingency import Contingency


def test_counts_every_pair_of_ids_that_occurs():
    first = np.array([[1, 1, 2], [2, 2, 0]])
    second = np.array([[5, 5, 5], [9, 9, 0]])
    table = Contingency.of(first, second)
    cells = zip(table.first.tolist(), table.second.tolist(), table.voxels.tolist(), strict=True)
    assert list(cells) == [(0, 0, 1), (1, 5, 2), (2, 5, 1), (2, 9, 2)]
    rows, columns = table.totals()
    assert rows.tolist() == [1, 2, 3, 3]
    assert columns.tolist() == [1, 3, 3, 2]


def test_ids_of_any_size_and_sign_of_type():
    huge = np.array([2**63, 2**63, 7], np.uint64)
    table = Contingency.of(huge, np.array([1, 2, 2], np.uint8))
    assert table.first.tolist() == [7, 2**63, 2**63]
    assert table.voxels.tolist() == [1, 1, 1]


def test_selection_and_nothing():
    table = Contingency.of(np.array([0, 1, 1]), np.array([3, 0, 4]))
    foreground = table.where((table.first != 0) & (table.second != 0))
    assert foreground.voxels.tolist() == [1]
    empty = foreground.where(np.array([False]))
    assert [total.tolist() for total in empty.totals()] == [[], []]


@pytest.mark.parametrize("parts", [1, 2, 5, 40])
def test_the_total_of_parts_is_the_table_of_the_whole(parts):
    first, second = np.random.default_rng(parts).integers(0, 9, (2, 40))
    whole = Contingency.of(first, second)
    pieces = zip(np.array_split(first, parts), np.array_split(second, parts), strict=True)
    total = Contingency.total(Contingency.of(*piece) for piece in pieces)
    assert total.voxels.dtype == np.int64
    for name in ("first", "second", "voxels"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))


def test_the_total_of_nothing_is_empty():
    assert Contingency.total([]).voxels.tolist() == []
