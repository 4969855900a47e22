import pytest
from matplotlib.figure import Figure

from analysis.figures.style import log_axis, node_axis, node_colors
from analysis.text import short_number


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (20, "20"), (7500, "7.5k"), (2e6, "2M"), (1e-4, "1e-4")],
)
def test_short_numbers(value, text):
    assert short_number(value) == text


def test_node_axis_has_at_most_nine_whole_numbers():
    ax = Figure().subplots()
    node_axis(ax, [2**i for i in range(12)])
    assert ax.get_xticks().tolist() == [1, 4, 16, 64, 256, 1024]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "4", "16", "64", "256", "1024"]


@pytest.mark.parametrize("limits", [(55, 95), (3, 20), (2, 150), (1, 5000), (1e-6, 1e-2)])
def test_log_axis_always_shows_two_labels_or_more(limits):
    figure = Figure()
    ax = figure.subplots()
    ax.set_ylim(limits)
    log_axis(ax, "y")
    figure.draw_without_rendering()
    shown = [t for t in ax.get_yticks() if limits[0] <= t <= limits[1]]
    assert 2 <= len(shown) <= 9


def test_node_counts_have_distinct_colors_in_order():
    colors = node_colors([8, 1, 2, 1])
    assert list(colors) == [1, 2, 8]
    assert len(set(colors.values())) == 3
