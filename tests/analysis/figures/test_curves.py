import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curve


def curves(*runs):
    frames = [
        pd.DataFrame({"run_id": f"r{i}", "x": x, "value": value})
        for i, (x, value) in enumerate(runs)
    ]
    return pd.concat(frames)


@pytest.fixture
def ax():
    return Figure().subplots()


def band(ax):
    """(x, low, high) corners of the drawn band."""
    path = ax.collections[0].get_paths()[0].vertices
    return {
        x: (path[path[:, 0] == x, 1].min(), path[path[:, 0] == x, 1].max())
        for x in np.unique(path[:, 0])
    }


def test_shared_evaluations_are_averaged_where_they_are(ax):
    draw_curve(ax, curves(([1, 2, 4], [0, 2, 4]), ([1, 2, 4], [2, 2, 8])), "x", "k", "a", False)
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 4]
    assert ax.lines[0].get_ydata().tolist() == [1, 2, 6]
    assert band(ax) == {1: (0, 2), 2: (2, 2), 4: (4, 8)}


def test_other_evaluations_meet_over_the_range_both_cover(ax):
    draw_curve(ax, curves(([0, 4], [0, 4]), ([2, 6], [4, 8])), "x", "k", "a", True)
    x, y = ax.lines[0].get_data()
    assert (x[0], x[-1]) == (2, 4)
    assert y == pytest.approx(x + 1)
    assert ax.lines[0].get_linestyle() == "--"


def test_one_run_has_no_band_and_undefined_values_are_skipped(ax):
    draw_curve(ax, curves(([1, 2, 3], [1, np.nan, 3])), "x", "k", "a", False)
    assert ax.lines[0].get_xdata().tolist() == [1, 3]
    assert not ax.collections
