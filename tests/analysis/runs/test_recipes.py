import pandas as pd
import pytest

from analysis.runs.recipes import best_recipe_runs, latest_of_each_point, recipe_labels
from analysis.runs.runs import column_of
from ffn_core.metric_names import SAME_RECIPE


def test_labels_name_only_what_varies(make_runs):
    runs = make_runs(
        ({"lr_rule": "linear", "warmup": "60 steps"}, {}),
        ({"lr_rule": "none", "warmup": "none", "seed": 3, "nodes": 4}, {}),
    )
    assert recipe_labels(runs.table).tolist() == ["linear, warm-up", "unscaled, no warm-up"]


def test_warmups_of_different_length_are_spelled_out(make_runs):
    runs = make_runs(*(({"warmup": w}, {}) for w in ("60 steps", "0.1 fraction", "none")))
    labels = recipe_labels(runs.table).tolist()
    assert labels == ["warm-up 60 steps", "warm-up 0.1 fraction", "no warm-up"]


def test_a_run_from_before_there_were_cooldowns_had_none(make_runs):
    runs = make_runs(({}, {}), ({"cooldown": "none"}, {}), ({"cooldown": "0.3 fraction"}, {}))
    assert recipe_labels(runs.table).tolist() == ["no cooldown"] * 2 + ["cooldown 0.3 fraction"]


def test_what_follows_from_the_optimizer_is_not_named(make_runs):
    momentum = {"optimizer": "momentum", "lr_base": 0.01, "optimizer_arguments_momentum": 0.9}
    runs = make_runs(({"lr_base": 0.001, "sweep_retries": 1}, {}), (momentum, {}))
    assert recipe_labels(runs.table).tolist() == ["adam, lr 0.001", "momentum, lr 0.01"]


def test_label_where_nothing_varies(make_runs):
    assert recipe_labels(make_runs(({}, {}), ({"seed": 1}, {})).table).tolist() == ["adam", "adam"]


def test_where_a_run_was_carried_out_does_not_make_a_recipe(make_runs):
    runs = make_runs(
        ({"launcher_name": "gloo", "runs_dir": "a", "cluster_threads_per_rank": 1}, {}),
        ({"launcher_name": "mpi", "runs_dir": "b", "cluster_threads_per_rank": 2}, {}),
    )
    assert recipe_labels(runs.table).tolist() == ["adam", "adam"]
    assert latest_of_each_point(runs).table["run_id"].tolist() == ["run00001"]


@pytest.mark.parametrize("option", SAME_RECIPE)
def test_what_computes_the_same_is_one_recipe(make_runs, option):
    """The same list that identities are made by."""
    runs = make_runs(({column_of(option): 1}, {}), ({column_of(option): 2}, {}))
    assert latest_of_each_point(runs).table["run_id"].tolist() == ["run00001"]


def test_what_changes_the_result_is_another_recipe(make_runs):
    runs = make_runs(({"optimizer_clip": 1}, {}), ({"optimizer_clip": 2}, {}))
    assert len(latest_of_each_point(runs).table) == 2


def test_a_run_from_before_an_option_is_the_same_recipe_as_one_that_leaves_it_alone(make_runs):
    later = {"averaging_half_life_fovs": "1000", "validation_volumes": "[]", "data_mask": None}
    runs = make_runs(({}, {}), (later, {}), ({"averaging_half_life_fovs": "0"}, {}))
    assert latest_of_each_point(runs).table["run_id"].tolist() == ["run00001", "run00002"]


def test_a_second_run_of_a_point_replaces_the_first_and_real_beats_emulated(make_runs):
    runs = make_runs(
        ({"nodes": 2, "ranks": 2}, {}),
        ({"nodes": 2, "ranks": 1}, {}),
        ({"nodes": 4, "ranks": 2}, {}),
        ({"nodes": 4, "ranks": 2}, {}),
        ({"nodes": 4, "ranks": 2, "seed": 1}, {}),
    )
    kept = latest_of_each_point(runs).table["run_id"].tolist()
    assert kept == ["run00000", "run00003", "run00004"]


def test_best_recipe_is_chosen_by_the_mean_over_seeds_at_each_node_count(make_runs):
    points = [(n, rule, seed) for n in (1, 8) for rule in ("linear", "sqrt") for seed in (0, 1)]
    runs = make_runs(
        *(({"nodes": n, "lr_rule": rule, "seed": seed}, {}) for n, rule, seed in points)
    )
    score = pd.Series([0.9, 0.7, 0.75, 0.75, 0.5, 0.5, 0.2, 0.9], index=runs.table["run_id"])
    best = best_recipe_runs(runs, score).table
    assert best.loc[best["nodes"] == 1, "lr_rule"].tolist() == ["linear", "linear"]
    assert best.loc[best["nodes"] == 8, "lr_rule"].tolist() == ["sqrt", "sqrt"]
