"""Efficiencies of finished run directories, against numbers worked out by hand."""

import csv

import pandas as pd
import pytest

from analysis.runs.runs import runs_from_records
from analysis.runs.summary import summarize
from analysis.stats.scaling import scaling_series
from experiments.reporting import run_files
from experiments.reporting.records import Record, append, read_records
from experiments.reporting.run_files import IDENTITY
from experiments.sweep.efficiency import TABLE, SweepScaling, measured_run
from ffn_core.parallel_efficiency import WORK


@pytest.fixture
def made(tmp_path):
    """Write the directory of a run that has ended; returns it."""

    def make(name, nodes, rates, batch=8, outcome="finished", **tags):
        run_dir = tmp_path / name
        run_dir.mkdir()
        params = dict.fromkeys(WORK, "same") | {
            "cluster.nodes": nodes,
            "cluster.local_batch_size": batch,
        }
        tags = {"cluster.emulated": "false", "sweep.parallel": "1"} | tags
        run_files.write_json(run_dir / IDENTITY, {"params": params, "tags": tags})
        run_files.write_json(run_dir / run_files.RESULT, {"outcome": outcome})
        for i, rate in enumerate(rates, start=1):
            metrics = {"throughput/fovs_per_second": rate}
            append(run_dir / run_files.METRICS, Record(i, 100 * i, 1.0 * i, 50.0, metrics))
        return run_dir

    return make


def values(run_dir):
    (record,) = read_records(run_dir / run_files.SCALING)
    return record.metrics


def test_points_are_compared_with_the_mean_of_the_baseline(made, tmp_path):
    one, again = made("a", 1, [9.0]), made("b", 1, [11.0])
    two = made("c", 2, [10.0, 40.0])  # 16 a second: FOVs over seconds
    scaling = SweepScaling(tmp_path, [one, again, two])
    assert scaling.keep() == [one, again, two]
    assert values(two) == {
        "scaling/parallel_efficiency": pytest.approx(0.8),
        "scaling/speedup": pytest.approx(1.6),
        "scaling/fovs_per_second": pytest.approx(16.0),
        "scaling/baseline_nodes": 1.0,
    }
    assert values(one)["scaling/parallel_efficiency"] == pytest.approx(0.9)
    (record,) = read_records(two / run_files.SCALING)
    assert (record.step, record.fovs) == (2, 200), "it belongs to the end of its run"
    best = scaling.best()
    assert best.metrics == {
        "scaling/best_speedup": pytest.approx(1.6),
        "scaling/best_speedup_nodes": 2.0,
        "scaling/best_parallel_efficiency": pytest.approx(0.8),
        "scaling/best_parallel_efficiency_nodes": 2.0,
    }


def test_repeating_it_changes_nothing_and_new_repeats_change_the_values(made, tmp_path):
    one, two = made("a", 1, [10.0]), made("b", 2, [16.0])
    for _ in range(2):
        SweepScaling(tmp_path, [one, two]).keep()
    assert values(two)["scaling/speedup"] == pytest.approx(1.6)
    made("c", 1, [6.0])
    SweepScaling(tmp_path, [one, two]).keep()
    newest = read_records(two / run_files.SCALING)[-1]
    assert newest.metrics["scaling/speedup"] == pytest.approx(2.0)


def test_a_strong_curve_and_a_declared_baseline(made, tmp_path):
    run_dirs = [made(f"n{n}", n, [rate], 8 // n) for n, rate in ((1, 12.0), (2, 21.0), (4, 36.0))]
    scaling = SweepScaling(tmp_path, run_dirs, baseline_nodes=2)
    scaling.keep()
    found = [values(run_dir)["scaling/parallel_efficiency"] for run_dir in run_dirs]
    assert found == pytest.approx([12 / 10.5, 1.0, 36 / 42])
    assert values(run_dirs[0])["scaling/baseline_nodes"] == 2
    ((title, rows),) = scaling.tables()
    assert title == "strong scaling, 8 FOVs a step in all, against 2 nodes"
    assert rows[2] == ["4", "1", "36.0", "1.71", "85.7%"]


def test_what_takes_no_part(made, tmp_path):
    one = made("one", 1, [10.0])
    others = [
        made("emulated", 2, [10.0], **{"cluster.emulated": "true"}),
        made("beside", 2, [10.0], **{"sweep.parallel": "2"}),
        made("diverged", 2, [10.0], outcome="diverged"),
        made("silent", 2, []),
    ]
    damaged = made("damaged", 2, [10.0])
    (damaged / IDENTITY).write_text("{")
    compared = made("compared", 2, [10.0])
    last = read_records(compared / run_files.METRICS)[-1]
    own = Record(1, 100, 1.0, 50.0, {"scaling/parallel_efficiency": 0.5})
    append(compared / run_files.METRICS, own)
    assert last.step == own.step
    others += [damaged, compared]
    assert [measured_run(run_dir) for run_dir in others] == [None] * len(others)
    scaling = SweepScaling(tmp_path, [one, *others])
    assert (scaling.curves, scaling.keep(), scaling.best()) == ([], [], None)


def test_runs_of_other_sweeps_count_but_get_nothing(made, tmp_path):
    before, mine = made("before", 1, [10.0]), made("mine", 2, [15.0])
    made("elsewhere", 4, [10.0], batch=1)
    assert SweepScaling(tmp_path, [mine]).keep() == [mine]
    assert values(mine)["scaling/parallel_efficiency"] == pytest.approx(0.75)
    assert not (before / run_files.SCALING).exists()


def test_the_table_is_that_of_the_figures(made, tmp_path):
    """One definition: the same runs by way of the analysis give the same rows."""
    runs, history = [], []
    for i, (nodes, rates) in enumerate([(1, [9.0, 12.0]), (1, [11.0]), (2, [14.0, 20.0, 17.0])]):
        made(f"r{i}", nodes, rates)
        runs.append({"run_id": i, "nodes": nodes, "local_batch_size": 8, "experiment": "e"})
        history += [(i, "throughput/fovs_per_second", 100 * k, r) for k, r in enumerate(rates, 1)]
    scaling = SweepScaling(tmp_path, sorted(tmp_path.iterdir()))
    scaling.write_table(tmp_path / TABLE)
    with (tmp_path / TABLE).open() as file:
        ours = list(csv.DictReader(file))
    columns = ["run_id", "metric", "fovs", "value"]
    loaded = runs_from_records(runs, pd.DataFrame(history, columns=columns))
    (series,) = scaling_series(summarize(loaded))
    assert series.kind == ours[0]["kind"]
    for name in ("nodes", "repeats", "fovs_per_second", "speedup", "parallel_efficiency"):
        assert [float(row[name]) for row in ours] == pytest.approx(series.table[name].tolist())
