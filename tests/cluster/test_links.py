"""What is said about measured allreduce times; measuring them needs root and a quiet host."""

import links_figure
import numpy as np
import pandas as pd
import pytest
from prove_links import FITTED, MODEL_BYTES, PAYLOAD, SIZES, compare, fit, predicted_s

ALPHA_S, RATE_MBIT = 0.001, 100.0
BETA_S = 8 / (RATE_MBIT * 1e6 * PAYLOAD)


def exact(size: int) -> float:
    """Two hosts: each of two messages waits alpha, and half the buffer crosses twice."""
    return 2 * ALPHA_S + size * BETA_S


@pytest.fixture
def rows():
    return compare(RATE_MBIT, {size: [exact(size)] * 3 for size in SIZES})


def test_model_of_two_hosts_is_two_latencies_and_the_buffer_once():
    assert predicted_s(1_000_000, ALPHA_S, BETA_S) == pytest.approx(exact(1_000_000), rel=1e-6)


def test_fit_finds_latency_and_rate():
    assert fit({size: exact(size) for size in FITTED}, FITTED) == pytest.approx((ALPHA_S, BETA_S))


def test_small_buffers_faster_than_the_rate_mean_no_negative_latency():
    alpha, beta = fit(dict(zip(FITTED, (0.01, 1.6), strict=True)), FITTED)
    assert alpha == 0
    assert beta == pytest.approx(1.6 / FITTED[1])


def test_times_that_follow_the_model_are_predicted(rows):
    assert [row["link_error"] for row in rows] == pytest.approx([0] * len(SIZES), abs=1e-6)
    assert [row["fit_error"] for row in rows] == pytest.approx([0] * len(SIZES), abs=1e-6)
    assert MODEL_BYTES in {row["bytes"] for row in rows}


def test_figure_shows_times_predictions_and_only_errors_of_what_was_predicted(rows):
    time, error = links_figure.draw(pd.DataFrame(rows)).axes
    measured, link, fitted = time.lines[0], *time.lines[-2:]
    assert measured.get_ydata() == pytest.approx([exact(size) for size in SIZES])
    for line in (link, fitted):
        assert line.get_ydata() == pytest.approx([exact(x) for x in line.get_xdata()])
    of_link, of_fit = (set(line.get_xdata()) for line in error.lines[:2])
    assert of_link == set(SIZES) - {min(SIZES)}
    assert of_fit == of_link - set(FITTED)
    assert np.abs(error.lines[0].get_ydata()).max() < 1e-3
