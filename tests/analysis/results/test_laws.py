"""The law of the best rate beside the measured noise scale, from a scan whose law is known."""

from itertools import product

import numpy as np
import pytest

from analysis.models.learning_rate_laws import saturating
from analysis.results.laws import laws_text
from analysis.runs.study import NothingToDraw, Study

NOISE_NODES = 12.0
RATES = [2.5e-4 * 2**i for i in range(8)]


@pytest.fixture
def scan(make_runs):
    points = []
    gain = dict(
        zip((1, 4, 16, 64), saturating(np.array([1.0, 4, 16, 64]), NOISE_NODES), strict=True)
    )
    for (nodes, factor), rate, seed in product(gain.items(), RATES, (1, 2)):
        off = np.log2(rate / (1e-3 * factor))
        score = 0.8 - 0.02 * off**2 + 0.0005 * (-1) ** seed
        columns = {"experiment": "scan", "nodes": nodes, "seed": seed, "lr_peak": rate}
        columns |= {"lr_base": rate, "lr_rule": "none", "local_batch_size": 2}
        columns["global_batch_size"] = 2 * nodes
        values = [(1000 * i, score) for i in range(1, 6)]
        noise = [(5000, 2 * NOISE_NODES)]
        metrics = {"averaged/f1": values, "averaged/accuracy": values, "noise_scale/simple": noise}
        points.append((columns, metrics))
    return Study("scan", make_runs(*points))


def test_the_scale_of_the_law_is_compared_with_the_noise_scale(scan):
    text = laws_text(scan)
    assert "- This study, " in text
    assert ": saturating, " in text.splitlines()[0]
    assert "Measured gradient noise scale at convergence: 24 FOVs, the batch of 12 nodes" in text
    (line,) = [one for one in text.splitlines() if "that the law `saturating` takes" in one]
    scale = float(line.partition("takes: ")[2].partition(" nodes")[0])
    assert scale == pytest.approx(NOISE_NODES, rel=0.1)
    assert "which includes the measured one" in line
    assert text.count("| published, at face value | ") == 5


def test_without_a_scan_there_is_no_law(make_runs):
    with pytest.raises(NothingToDraw, match="a best rate takes 3 learning rates"):
        laws_text(Study("one", make_runs(({"nodes": 1}, {"averaged/f1": [(1, 0.5)]}))))
