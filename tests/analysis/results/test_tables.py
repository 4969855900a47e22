"""Tables of the results page, from scans whose law and runs whose efficiencies are known."""

from itertools import product

import numpy as np
import pytest

from analysis.models.learning_rate_laws import saturating
from analysis.results.tables import (
    laws_text,
    precision_words,
    scaling_rows,
    segmentation_rows,
)
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


def point(experiment, nodes, seed, rate, coupling=None):
    columns = {"experiment": experiment, "nodes": nodes, "ranks": nodes, "seed": seed}
    columns |= {"emulated": False, "local_batch_size": 8, "global_batch_size": 8 * nodes}
    metrics = {"throughput/fovs_per_second": [(100, rate)]}
    if coupling is not None:
        metrics["scaling/coupling_efficiency"] = [(100, coupling)]
    return columns, metrics


def test_efficiencies_of_curves_and_of_coupling(make_runs):
    weak = [
        point("weak", n, s, r) for n, s, r in ((1, 1, 99), (1, 2, 101), (2, 1, 159), (2, 2, 161))
    ]
    tried = [point("both", 2, seed, 150, coupling) for seed, coupling in ((1, 0.88), (2, 0.92))]
    emulated = [(weak[0][0] | {"nodes": 64, "emulated": True}, weak[0][1])]
    table = scaling_rows({"weak": make_runs(*weak, *emulated), "both": make_runs(*tried)})
    curve = table[table["study"] == "`weak`"]
    assert curve["nodes"].tolist() == [1, 2]
    assert curve["FOVs/s"].tolist() == [100, 160]
    efficiency = curve["efficiency (95 % interval)"].tolist()
    assert efficiency[0] == "1"
    assert efficiency[1].startswith("0.8 (")
    (coupled,) = table[table["scaling"].str.startswith("coupled")].to_dict("records")
    assert (coupled["nodes"], coupled["runs"]) == (2, 2)
    assert coupled["scaling"] == "coupled over uncoupled, 8 FOVs per node"
    assert coupled["efficiency (95 % interval)"].startswith("0.9 (0.646 to 1.15")


def test_without_real_runs_there_is_no_table():
    assert scaling_rows({}).empty


def test_what_bfloat16_changes_is_paired_by_seed(make_runs):
    """Differences 0.01, 0.02 and 0.03; the seeds themselves are 0.2 apart. t(2) is 4.303."""
    points = []
    for seed, (start, change) in enumerate(((0.3, 0.01), (0.5, 0.02), (0.7, 0.03)), 1):
        for precision, score in (("float32", start), ("bfloat16", start + change)):
            columns = {"nodes": 8, "seed": seed, "precision": precision, "experiment": "formats"}
            metrics = {"averaged/f1": [(1, score)], "averaged/auc": [(1, 0.9)]}
            points.append((columns, metrics))
    words = precision_words(Study("formats", make_runs(*points)))
    half = 4.3027 * 0.01 / 3**0.5
    assert (
        f"- F1 in bfloat16 minus in float32: 0.02 ({0.02 - half:.3g} to {0.02 + half:.3g})" in words
    )
    assert "- AUC in bfloat16 minus in float32: 0 (0 to 0), 3 pairs." in words


def test_without_pairs_nothing_is_said_of_bfloat16(make_runs):
    one = (
        {"seed": 1, "precision": "float32", "experiment": "formats"},
        {"averaged/f1": [(1, 0.5)]},
    )
    with pytest.raises(NothingToDraw, match="`formats` has no pairs"):
        precision_words(Study("formats", make_runs(one)))


def test_a_segmentation_is_a_row_with_its_scores():
    scores = {"are": 0.25, "voi_split": 0.5, "voi_merge": 0.125}
    one = {"region_zyx": [10, 20, 30], "precision": "float32", "fovs": 7, "segments": 3}
    one |= {"truth_objects": 4, "coverage": 0.9, "assigned": scores, "foreground": scores}
    (row,) = segmentation_rows([one]).to_dict("records")
    assert (row["voxels"], row["FOVs"], row["coverage"]) == ("10 x 20 x 30", 7, 0.9)
    assert row["ARE, assigned"] == 0.25
    assert row["VOI, foreground"] == "0.5 + 0.125"
