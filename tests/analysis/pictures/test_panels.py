"""Panels of a segmentation: everything that is written on them can be read."""

import numpy as np
import pytest

from analysis.pictures.panels import section_figure


@pytest.mark.parametrize("shape", [(30, 120), (120, 120), (120, 30)])
def test_titles_and_labels_of_a_section_of_any_shape_are_inside_the_picture(shape):
    ids = np.ones(shape, np.uint32)
    figure = section_figure(ids.astype(np.uint8), ids, ids, 15)
    figure.draw_without_rendering()
    assert len(figure.axes) == 3
    for axes in figure.axes:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            box = text.get_window_extent()
            if text.get_text():
                assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
                assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
