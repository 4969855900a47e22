"""Runs in stages against constant node counts."""

import numpy as np
import pytest
from matplotlib import style

from analysis.figures.cost_to_target import growing_batch
from analysis.figures.style import STYLE
from analysis.reference import published
from analysis.runs.study import NothingToDraw, Study

PLAN = "4 nodes 8000 FOVs lr 0.001, 64 nodes 8000 FOVs lr 0.004"


@pytest.fixture(autouse=True)
def _paper_style():
    with style.context(STYLE):
        yield


def point(nodes, seed, plan="none"):
    fovs = np.arange(1000, 16_001, 1000)
    batch = np.where(fovs <= 8000, 4, 64) if plan != "none" else np.full(fovs.size, nodes)
    columns = {"nodes": nodes, "ranks": 1, "seed": seed, "stages": plan}
    return columns, {
        "averaged/f1": [(int(f), f / 20_000 + 0.01 * seed) for f in fovs],
        "validation/f1": [(int(f), f / 30_000) for f in fovs],
        "optimizer_step": list(zip(fovs.tolist(), np.cumsum(1000 / batch).tolist(), strict=True)),
        "throughput/fovs_per_second": [(16_000, 10.0)],
    }


@pytest.fixture
def study(make_runs):
    points = [point(nodes, seed) for nodes in (4, 64) for seed in (1, 2)]
    return Study("study", make_runs(*points, *(point(4, seed, PLAN) for seed in (1, 2))))


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def test_scores_against_fovs_and_modeled_time_with_the_end_of_a_stage(study):
    drawing = growing_batch(study)
    by_fovs, by_time = drawing.figure.axes
    assert {one.get_label() for one in by_fovs.lines} >= {"4", "64", PLAN}
    np.testing.assert_allclose(line(by_fovs, PLAN).get_xdata()[-1], 16_000)
    np.testing.assert_allclose(line(by_fovs, PLAN).get_ydata()[-1], 16 / 20 + 0.015)
    (end,) = {one.get_xdata()[0] for one in by_fovs.lines if len(set(one.get_xdata())) == 1}
    assert end == 8000
    table = published.throughput().set_index("nodes")["fovs_per_second"]
    four, many = (10 * table[n] / table[1] for n in (4, 64))
    for label, minutes in (
        ("4", 16_000 / four / 60),
        ("64", 16_000 / many / 60),
        (PLAN, (8000 / four + 8000 / many) / 60),
    ):
        last = line(by_time, label).get_xdata()[-1]
        assert last == pytest.approx(minutes, rel=0.1), label  # a model through the table
    assert "batch 4 to 8000 FOVs, 64 to 16000" in " ".join(drawing.details)
    assert drawing.caption.startswith("Validation F1 of the averaged weights")


def test_a_run_in_stages_belongs_to_no_node_count(study):
    assert len(study.staged) == 2
    for table in (study.points, study.best, study.finished):
        assert len(table) == 4
        assert not table["run_id"].isin(study.staged["run_id"]).any()
    assert len(study.summary) == 6


def test_there_is_nothing_to_draw_without_stages(make_runs):
    with pytest.raises(NothingToDraw, match="no finished run went through stages"):
        growing_batch(Study("study", make_runs(point(4, 1))))
    older = make_runs(({"nodes": 4}, {"validation/f1": [(1, 0.5)]}))
    assert len(Study("study", older).best) == 1
