import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures.curves import MOST_THIN, describe_lines, draw_curve


def curves(*runs):
    frames = [
        pd.DataFrame({"run_id": f"r{i}", "x": x, "value": value})
        for i, (x, value) in enumerate(runs)
    ]
    return pd.concat(frames)


@pytest.fixture
def ax():
    return Figure().subplots()


def mean_line(ax):
    return ax.lines[-1]


def test_shared_evaluations_are_averaged_where_they_are(ax):
    draw_curve(ax, curves(([1, 2, 4], [0, 2, 4]), ([1, 2, 4], [2, 2, 8])), "x", "k", "a", False)
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1, 2, 4]
    assert line.get_ydata().tolist() == [1, 2, 6]


def test_seeds_are_thin_lines_behind_their_mean(ax):
    two = curves(([1, 2], [0, 2]), ([1, 2], [4, 4]))
    draw_curve(ax, two, "x", "k", "a", False, seeds=True)
    *seeds, mean = ax.lines
    assert [line.get_ydata().tolist() for line in seeds] == [[0, 2], [4, 4]]
    assert all(line.get_linewidth() < mean.get_linewidth() / 2 for line in seeds)
    assert all(line.get_zorder() < mean.get_zorder() for line in seeds)
    assert not ax.collections, "no band"


def test_other_evaluations_meet_over_the_range_both_cover(ax):
    draw_curve(ax, curves(([0, 4], [0, 4]), ([2, 6], [4, 8])), "x", "k", "a", True)
    x, y = mean_line(ax).get_data()
    assert (x[0], x[-1]) == (2, 4)
    assert y == pytest.approx(x + 1)
    assert mean_line(ax).get_linestyle() == "--"


def test_one_run_is_one_line_and_undefined_values_are_skipped(ax):
    draw_curve(ax, curves(([1, 2, 3], [1, np.nan, 3])), "x", "k", "a", False, seeds=True)
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1, 3]


def test_of_very_many_seeds_some_are_drawn_and_all_are_averaged(ax):
    count = MOST_THIN + 20
    draw_curve(ax, curves(*(([1, 2], [i, i]) for i in range(count))), "x", "k", "a", False, True)
    *seeds, mean = ax.lines
    assert len(seeds) == MOST_THIN
    assert mean.get_ydata() == pytest.approx((count - 1) / 2)


@pytest.mark.parametrize(("count", "said"), [(MOST_THIN, False), (MOST_THIN + 1, True)])
def test_details_say_where_not_every_seed_is_drawn(count, said):
    runs = {"run_id": [f"{i}" for i in range(count)], "seed": range(count)}
    lines = describe_lines(pd.DataFrame(runs | {"nodes": 1, "recipe": "adam"}))
    assert (f"the first {MOST_THIN} runs" in lines) == said
