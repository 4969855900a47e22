import json
import math
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.recorded.__main__ import main
from analysis.recorded.export import export, snapshot
from analysis.recorded.shrink import samples_of_first_seed, thin, without_machine_paths
from analysis.runs.mlflow_reader import load_runs
from analysis.runs.presets import CONF, planned_points
from analysis.runs.runs import Runs
from analysis.runs.sources import RECORDED, load_studies, study_folders
from analysis.runs.summary import summarize
from ffn_core.errors import InputError
from ffn_core.inference.sample import SegmentedSample


@pytest.fixture(scope="module")
def recorded(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    export(store, folder)
    return folder


def test_recorded_studies_are_the_tables_of_the_store(store, recorded):
    assert set(load_studies(str(recorded))) == {"demo_sweep", "single"}
    ours, theirs = load_studies(str(recorded))["demo_sweep"], load_runs(store, "demo_sweep")
    pd.testing.assert_frame_equal(ours.history, theirs.history)
    pd.testing.assert_frame_equal(
        ours.table.drop(columns="run_dir"), theirs.table.drop(columns="run_dir")
    )
    pd.testing.assert_frame_equal(
        summarize(ours).drop(columns="run_dir"), summarize(theirs).drop(columns="run_dir")
    )


def test_a_tracking_uri_is_read_like_a_folder(store, recorded, monkeypatch):
    monkeypatch.setenv("FFN_SCALING_STORE", store)
    from_store = load_studies()
    assert set(from_store) == set(load_studies(str(recorded)))
    assert len(from_store["demo_sweep"].table) == 13


def test_samples_of_the_first_seed_are_recorded_with_a_study(make_runs, tmp_path):
    ids = np.arange(60, dtype=np.uint32).reshape(3, 4, 5)
    one = SegmentedSample(ids, ids, ids[1], 1, (0, 0, 0), 5)
    runs = make_runs(*[({"seed": seed, "nodes": nodes}, {}) for seed in (1, 2) for nodes in (1, 4)])
    first = runs.table.loc[runs.table["seed"] == 1, "run_id"].tolist()
    both = replace(runs, samples=dict.fromkeys(runs.table["run_id"], one))
    kept = samples_of_first_seed(both)
    assert sorted(kept.samples) == sorted(first)
    assert samples_of_first_seed(runs).samples == {}
    for write in (kept.to_parquet, kept.to_csv):
        write(tmp_path / write.__name__)
        again = Runs.from_recorded(tmp_path / write.__name__)
        assert sorted(again.samples) == sorted(first)
        np.testing.assert_array_equal(again.samples[first[0]].truth, ids)
        assert list(again.select(again.table["nodes"] == 4).samples) == [first[1]]
    runs.to_parquet(tmp_path / "to_parquet")
    assert Runs.from_recorded(tmp_path / "to_parquet").samples == {}, "earlier ones do not stay"


def test_provenance_counts_points_and_lists_what_varies(recorded):
    facts = json.loads((recorded / "demo_sweep" / "provenance.json").read_text())
    assert facts["points"] == {
        "planned": 8,
        "finished": 12,
        "failed": 1,
        "missing": 0,
        "under way or stopped": 0,
    }
    assert facts["emulated points"] == 4
    assert facts["varied"]["nodes"] == [1, 2, 8]
    assert facts["varied"]["lr_rule"] == ["linear", "sqrt"]
    assert facts["same for all"]["optimizer"] == "adam"
    assert facts["records of train metrics kept"] == "all"


def test_provenance_of_the_runs_themselves_is_gathered(make_runs, tmp_path):
    from analysis.recorded.provenance import describe, one_fact

    columns = []
    for index, commit in enumerate(("abc", "def", "abc")):
        folder = tmp_path / f"run{index}"
        folder.mkdir()
        facts = {"git.commit": commit, "host.cpu": "a CPU", "host.name": "secret"}
        (folder / "provenance.json").write_text(json.dumps(facts))
        columns.append(({"seed": index, "run_dir": str(folder)}, {}))
    columns.append(({"seed": 3, "run_dir": str(tmp_path / "gone")}, {}))
    runs = make_runs(*columns)
    facts = describe(runs, runs.table["status"], planned=5)
    assert facts["produced by"] == {"git.commit": ["abc", "def"], "host.cpu": ["a CPU"]}
    assert one_fact(facts, "git.commit") == "abc, def"
    assert one_fact(facts, "host.cores") == "unknown"
    assert facts["points"]["missing"] == 1


def test_points_under_way_are_left_out_and_counted(store, tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(Path(store.removeprefix("sqlite:///")).read_bytes())
    with sqlite3.connect(path) as connection:
        for name, status in (("n=1 sqrt s0", "RUNNING"), ("n=2 sqrt s1", "KILLED")):
            connection.execute("update runs set status = ? where name = ?", (status, name))
    connection.close()
    facts = export(f"sqlite:///{path}", tmp_path / "out", "demo_sweep")["demo_sweep"]
    assert facts["points"]["finished"] == 10
    assert facts["points"]["under way or stopped"] == 2
    names = set(load_studies(str(tmp_path / "out"))["demo_sweep"].table["name"])
    assert len(names) == 11
    assert not names & {"n=1 sqrt s0", "n=2 sqrt s1"}


def test_a_store_that_is_being_written_is_copied_whole(store):
    path = store.removeprefix("sqlite:///")
    writing = sqlite3.connect(path, isolation_level=None)
    writing.execute("begin")
    writing.execute("update experiments set name = 'half done' where name = 'single'")
    try:
        with snapshot(store) as copy:
            assert copy != store
            assert load_runs(copy, "single").table["name"].tolist() == ["alone"]
    finally:
        writing.rollback()
        writing.close()
    assert not Path(copy.removeprefix("sqlite:///")).exists()


def test_thinning_keeps_the_last_record_and_all_evaluations(make_runs):
    runs = make_runs(
        (
            {},
            {
                "train/loss": [(f, f / 10) for f in range(10, 80, 10)],
                "validation/f1": [(f, 0.5) for f in range(10, 80, 10)],
            },
        )
    )
    history = thin(runs, 3).history
    assert history.query("metric == 'train/loss'")["fovs"].tolist() == [10, 40, 70]
    assert len(history.query("metric == 'validation/f1'")) == 7
    pd.testing.assert_frame_equal(thin(runs, 1).history, runs.history)


def test_a_large_history_is_thinned_no_more_than_needed(make_runs, tmp_path, monkeypatch):
    from analysis.recorded import export as module

    values = [(f, math.sin(f)) for f in range(1, 4001)]
    runs = make_runs(({}, {"train/loss": values, "validation/f1": values[::100]}))
    runs.to_parquet(tmp_path / "whole")
    whole = (tmp_path / "whole" / "history.parquet").stat().st_size
    monkeypatch.setattr(module, "MOST_BYTES", whole // 3)
    kept = module._write(runs, tmp_path / "thinned")
    assert kept in (4, 8)
    assert (tmp_path / "thinned" / "history.parquet").stat().st_size <= whole // 3


def test_the_machine_is_not_in_the_tables():
    table = pd.DataFrame(
        {
            "run_dir": ["/home/me/runs/study/n1-abc", None],
            "runs_dir": ["/home/me/runs", "runs"],
            "data_image": ["/home/me/vol.h5:raw", "precomputed://gs://bucket/vol"],
            "data_labels": ["zarr:/home/me/labels", "data/labels.h5:stack"],
            "nodes": [1, 2],
        }
    )
    cleaned = without_machine_paths(table)
    assert cleaned["run_dir"].tolist()[0] == "study/n1-abc"
    assert pd.isna(cleaned["run_dir"].tolist()[1])
    assert cleaned["runs_dir"].tolist() == ["runs", "runs"]
    assert cleaned["data_image"].tolist() == ["vol.h5:raw", "precomputed://gs://bucket/vol"]
    assert cleaned["data_labels"].tolist() == ["zarr:labels", "data/labels.h5:stack"]


def test_planned_points_are_those_that_the_presets_announce():
    counted = {}
    for path in sorted((CONF / "experiment").glob("*.yaml")):
        announced = re.search(r"^# Cost: (\d+) points?\b", path.read_text(), re.MULTILINE)
        planned = planned_points(path.stem)
        if announced and planned is not None:
            counted[path.stem] = (planned, int(announced[1]))
    assert {"lr_rules", "optimizers", "batch_size", "lr_scan", "strong_scaling"} <= set(counted)
    assert {name: planned for name, (planned, _) in counted.items()} == {
        name: announced for name, (_, announced) in counted.items()
    }
    assert planned_points("no such preset") is None


def test_what_lies_in_the_repository_is_small_and_names_no_machine():
    studies = load_studies(str(RECORDED))
    for folder in study_folders(RECORDED):
        for path in folder.iterdir():
            assert path.stat().st_size < 500_000, path
        table = studies[folder.name].table
        assert not table["run_dir"].dropna().str.startswith("/").any()
        facts = (folder / "provenance.json").read_text()
        assert "host.name" not in facts
        for column in table:
            assert not table[column].astype(str).str.contains(r"(?:^|:)/[^/]").any(), column
        assert not re.search(r'[":]/[^/]', facts)


def test_a_folder_without_studies_and_a_missing_store_are_named(tmp_path):
    with pytest.raises(InputError, match="no recorded study in"):
        load_studies(str(tmp_path))
    with pytest.raises(InputError, match=r"no MLflow store at .*none\.db"):
        export(f"sqlite:///{tmp_path}/none.db", tmp_path)


def test_command(store, tmp_path, capsys):
    assert main(["export", "--uri", store, "--out", str(tmp_path), "--experiment", "single"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("single: 1 finished, 0 failed")
    assert [f.name for f in study_folders(tmp_path)] == ["single"]
    assert main(["export", "--uri", f"sqlite:///{tmp_path}/none.db"]) == 2
    assert capsys.readouterr().err.startswith("error: no MLflow store at")


def test_exports_replace_nothing_but_earlier_ones(store, tmp_path, refused, everything):
    folder = tmp_path / "out" / "single"
    arguments = ["export", "--uri", store, "--out", str(tmp_path / "out"), "--experiment", "single"]
    (folder / "samples").mkdir(parents=True)
    for name in ("note.md", "samples/mine.h5"):
        (folder / name).write_bytes(b"mine")
    mine = everything(tmp_path)
    for name in ("runs.parquet", "history.parquet", "provenance.json"):
        (folder / name).write_bytes(b"mine")
        for options in ([], ["--overwrite"]):
            line = refused(lambda options=options: main([*arguments, *options]))
            assert f"{name} is there" in line
        (folder / name).unlink()
    assert main(arguments) == 0
    assert "add --overwrite" in refused(lambda: main(arguments))
    assert main([*arguments, "--overwrite"]) == 0
    now = everything(tmp_path)
    assert {name: now[name] for name in mine} == mine
    before = store.removeprefix("sqlite:///")
    database = ["export", "--uri", store, "--experiment", "single", "--out", before]
    assert "not a folder" in refused(lambda: main(database))
