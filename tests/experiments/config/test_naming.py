"""A run is found again by its options: those of runs made before there were others."""

import dataclasses
from pathlib import Path

import pytest

from experiments.config.naming import (
    experiment_folder,
    identity,
    point_name,
    run_name,
    sweep_names,
)
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from ffn_core.errors import InputError

MODEL = {
    "name": "tiny",
    "fov_zyx": [13] * 3,
    "deltas_zyx": [3] * 3,
    "depth": 4,
    "features": 8,
    "micro_batch_size": 16,
}


def config(**sections) -> Config:
    values = {
        "data": {"name": "synthetic"},
        "model": MODEL,
        "budget": {"fovs": 16000},
        "cluster": {"nodes": 8, "ranks": 2},
    }
    return from_dict(Config, values | sections)


def test_identities_given_before_there_were_later_options():
    """As computed by the version that recorded the first runs."""
    assert identity(config()) == "cfc023dc"


@pytest.mark.parametrize(
    "section",
    [
        {"averaging": {"half_life_fovs": 500}},
        {"validation": {"subset": 1.0}},
        {"validation": {"synthetic_seeds": [2]}},
        {"learning_rate": {"cooldown": {"fraction": 0.3}}},
        {"model": MODEL | {"precision": "bfloat16"}},
        {"model": MODEL | {"precision": "tf32"}},
        {"device": "gpu"},
    ],
)
def test_what_changes_the_result_changes_the_identity(section):
    assert identity(config(**section)) != identity(config())


def test_what_a_point_is_called():
    rate = {"warmup": {"steps": 5}, "cooldown": {"fraction": 0.3}}
    assert point_name(config(learning_rate=rate)) == "n=8 sqrt warm cool adam lr=0.001 s1"
    rounded = config(model=MODEL | {"precision": "bfloat16"})
    assert point_name(rounded) == "n=8 sqrt bfloat16 adam lr=0.001 s1"


def on(nodes, **sections) -> Config:
    return config(cluster={"nodes": nodes, "ranks": 2}, **sections)


def test_a_point_of_a_sweep_is_called_by_what_varies_there():
    warm = {"warmup": {"fraction": 0.1}}
    points = [
        on(nodes, seed=seed, learning_rate={"rule": rule} | ramp)
        for nodes in (8, 64)
        for rule in ("none", "linear")
        for ramp in ({}, warm)
        for seed in (1, 2)
    ]
    names = sweep_names(points)
    assert names[:3] == ["n=8 unscaled s1", "n=8 unscaled s2", "n=8 unscaled warm s1"]
    assert names[-1] == "n=64 linear warm s2"
    assert len(set(names)) == len(points)
    assert sweep_names([on(2), on(4)]) == ["n=2", "n=4"]


def test_options_without_a_word_of_their_own_are_named_where_points_would_be_alike():
    depths = [on(8, model=MODEL | {"depth": depth}) for depth in (3, 4)]
    assert sweep_names(depths) == ["n=8 depth=3", "n=8 depth=4"]
    ramps = [on(8, learning_rate={"warmup": {"fraction": f}}) for f in (0.1, 0.2)]
    assert sweep_names(ramps) == ["n=8 warmup.fraction=0.1", "n=8 warmup.fraction=0.2"]


def test_no_name_is_given_twice():
    points = [on(2), on(4)]
    assert sweep_names(points, taken={"n=2"}) == ["n=2 sqrt adam lr=0.001 s1", "n=4"]
    taken = {"n=2", "n=2 sqrt adam lr=0.001 s1"}
    assert sweep_names(points, taken) == [
        f"n=2 sqrt adam lr=0.001 s1 {identity(points[0])}",
        "n=4",
    ]


def test_a_given_name_is_shown_and_does_not_count():
    plain = config()
    named = dataclasses.replace(plain, tracking=dataclasses.replace(plain.tracking, name="mine"))
    assert (run_name(plain), run_name(named)) == (point_name(plain), "mine")
    assert identity(named) == identity(plain)


@pytest.mark.parametrize(("name", "below"), [("team/ffn", "team/ffn"), ("/Users/x", "Users/x")])
def test_runs_stay_below_runs_dir_whatever_the_experiment_is_called(name, below):
    run = config(tracking={"experiment": name}, runs_dir="/scratch/runs")
    assert experiment_folder(run) == Path("/scratch/runs") / below


@pytest.mark.parametrize("name", ["..", "../x", "a/../b", "/", "", "a//b", ".", "x" * 300, "a\nb"])
def test_an_experiment_that_names_no_folder_is_refused(name):
    with pytest.raises(InputError, match=r"tracking\.experiment="):
        config(tracking={"experiment": name})
