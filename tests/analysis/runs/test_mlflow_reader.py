import math
import sqlite3

import pandas as pd
import pytest

from analysis.runs.mlflow_reader import load_runs
from ffn_core.errors import InputError


def test_one_row_per_point_with_numbers_where_numeric(store):
    table = load_runs(store, "demo_sweep").table
    assert len(table) == 13
    row = table[table["name"] == "n=8 linear s1"].iloc[0]
    assert (row["nodes"], row["ranks"], row["seed"], row["depth"]) == (8, 2, 1, 4)
    assert row["lr_peak"] == pytest.approx(0.008)
    assert (row["lr_rule"], row["warmup"], row["fov_zyx"]) == ("linear", "none", "13,13,13")
    assert row["emulated"]
    assert row["run_dir"] == "/runs/n=8 linear s1"
    assert row["status"] == "FINISHED"
    assert row["global_batch_size"] == 8
    assert not table.loc[table["name"] == "n=2 sqrt s0", "emulated"].item()
    assert len(set(table["parent_id"])) == 1


def test_segmentation_samples_are_read_from_the_artifacts(store):
    runs = load_runs(store)
    names = runs.table.set_index("run_id")["name"]
    found = {names[run_id]: sample.step for run_id, sample in runs.samples.items()}
    assert found == {"n=1 sqrt s0": 1, "n=2 sqrt s0": 2, "n=8 sqrt s0": 8}


def test_history_joins_wall_time_and_step_by_fovs(store):
    runs = load_runs(store, "demo_sweep")
    run_id = runs.table.loc[runs.table["name"] == "n=2 sqrt s0", "run_id"].item()
    f1 = runs.history[
        (runs.history["run_id"] == run_id) & (runs.history["metric"] == "validation/f1")
    ]
    assert f1["fovs"].tolist() == [50, 100, 150, 200, 250, 300, 350, 400]
    assert f1["elapsed_s"].tolist() == [2.5, 5, 7.5, 10, 12.5, 15, 17.5, 20]
    assert f1["optimizer_step"].tolist() == [25, 50, 75, 100, 125, 150, 175, 200]
    assert f1["value"].tolist() == pytest.approx([0.11 * i for i in range(1, 9)])


def test_undefined_infinite_repeated_and_system_values(store):
    runs = load_runs(store)
    run_id = runs.table.loc[runs.table["name"] == "broken", "run_id"].item()
    values = runs.history[runs.history["run_id"] == run_id].set_index("metric")["value"]
    assert math.isnan(values["validation/f1"])
    assert values["train/loss"] == math.inf
    assert values["train/f1"] == 0.4
    assert not runs.history["metric"].str.startswith("system/").any()


def test_missing_store_is_named_and_not_created(tmp_path):
    path = tmp_path / "none.db"
    with pytest.raises(InputError, match=r"no MLflow store at .*none\.db"):
        load_runs(f"sqlite:///{path}")
    assert not path.exists()


def test_foreign_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="without MLflow tables"):
        load_runs(f"sqlite:///{path}")
    assert path.read_bytes() == before
    path.write_text("not a database, but long enough to be read as one" * 10)
    with pytest.raises(InputError, match="file is not a database"):
        load_runs(f"sqlite:///{path}")


def test_a_path_is_answered_with_its_uri(tmp_path):
    with pytest.raises(InputError, match=rf"write sqlite:///{tmp_path}/mlflow\.db"):
        load_runs(f"{tmp_path}/mlflow.db")


def test_unknown_and_empty_experiments_name_what_exists(store):
    with pytest.raises(
        InputError, match=r"no experiment 'demo'.*: Default, demo_sweep, empty, single"
    ):
        load_runs(store, "demo")
    with pytest.raises(InputError, match=r"'empty' has no recorded points.*: demo_sweep, single"):
        load_runs(store, "empty")


def test_only_what_is_asked_for_is_read_with_its_clocks(store):
    everything = load_runs(store, "demo_sweep").history
    wanted = ["validation/f1", "time/elapsed_s", "optimizer_step"]
    some = load_runs(store, "demo_sweep", ["validation/f1"]).history
    expected = everything[everything["metric"].isin(wanted)].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected, check_categorical=False)
