import pytest
from matplotlib import style
from matplotlib.figure import Figure

from analysis.figures.style import (
    WIDTHS_IN,
    legend_below,
    log_axis,
    node_axis,
    node_color,
    node_colors,
    node_handles,
    panels,
    styles,
)
from analysis.text import short_number


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (20, "20"), (7500, "7.5k"), (2e6, "2M"), (1e-4, "1e-4")],
)
def test_short_numbers(value, text):
    assert short_number(value) == text


def test_node_axis_has_at_most_nine_whole_numbers():
    ax = Figure(figsize=(7, 2)).subplots()
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


def test_a_node_count_has_one_color_whatever_is_drawn_beside_it():
    colors = node_colors([8, 1, 2, 1])
    assert list(colors) == [1, 2, 8]
    assert colors == {n: node_color(n) for n in (1, 2, 8)}
    assert node_colors([8, 32])[8] == colors[8]
    assert len({node_color(2**i) for i in range(12)}) == 12
    assert node_color(4096) == node_color(2048), "beyond the scale"
    assert node_color(48) not in (node_color(32), node_color(64))


@pytest.mark.parametrize(("width", "columns"), [("page", 3), ("column", 2)])
def test_panels_wrap_to_the_width_of_the_style(width, columns):
    with style.context(styles(width)):
        figure, axes = panels(5)
        legend_below(figure, node_handles(node_colors([1, 2, 4, 8, 16, 32, 64])))
    assert len(axes) == len(figure.axes) == 5
    assert figure.get_figwidth() == WIDTHS_IN[width]
    assert axes[0].get_subplotspec().get_gridspec().ncols == columns
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
