import math

import pandas as pd
import pytest

from analysis.runs.runs import Runs
from ffn_core.errors import InputError


@pytest.fixture
def two(make_runs):
    return make_runs(
        ({"nodes": 1}, {"validation/f1": [(10, 0.1), (20, 0.3), (30, 0.5)]}),
        ({"nodes": 2, "status": "FAILED"}, {"validation/f1": [(10, math.nan)]}),
    )


def test_last_is_the_mean_of_the_last_defined_values(two):
    assert two.last("validation/f1").to_dict() == {"run00000": 0.5}
    assert two.last("validation/f1", 2).to_dict() == pytest.approx({"run00000": 0.4})
    assert two.last("unknown").empty


def test_finished_drops_the_history_with_the_run(two):
    finished = two.finished()
    assert finished.table["nodes"].tolist() == [1]
    assert set(finished.history["run_id"]) == {"run00000"}


def test_metric_joins_the_columns_of_the_run(two):
    rows = two.metric("validation/f1")
    assert rows["nodes"].tolist() == [1, 1, 1, 2]
    assert rows["fovs"].tolist() == [10, 20, 30, 10]


@pytest.mark.parametrize("writer", [Runs.to_parquet, Runs.to_csv])
def test_recorded_runs_read_back(make_runs, tmp_path, writer):
    runs = make_runs(
        (
            {"nodes": 1, "warmup": "none"},
            {"validation/f1": [(10, 0.1)], "time/elapsed_s": [(10, 2)]},
        ),
        ({"nodes": 4, "ranks": 2}, {"validation/f1": [(10, math.nan)]}),
    )
    writer(runs, tmp_path / "recorded")
    back = Runs.from_recorded(tmp_path / "recorded")
    pd.testing.assert_frame_equal(back.history, runs.history, check_dtype=False)
    columns = ["run_id", "nodes", "ranks", "emulated", "warmup", "lr_rule", "start_time"]
    pd.testing.assert_frame_equal(back.table[columns], runs.table[columns], check_dtype=False)


def test_recorded_csv_is_the_same_bytes_again(make_runs, tmp_path):
    runs = make_runs(({"nodes": 1}, {"validation/f1": [(10, 0.1)]}))
    runs.to_csv(tmp_path / "a")
    runs.to_csv(tmp_path / "b")
    for name in ("runs.csv", "history.csv.gz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_directory_without_recorded_runs(tmp_path):
    with pytest.raises(InputError, match="no recorded runs in"):
        Runs.from_recorded(tmp_path)
