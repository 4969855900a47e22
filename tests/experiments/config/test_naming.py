"""A run is found again by its options: those of runs made before there were others."""

from pathlib import Path

import pytest

from experiments.config.naming import experiment_folder, identity, point_name
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
    ],
)
def test_what_changes_the_result_changes_the_identity(section):
    assert identity(config(**section)) != identity(config())


def test_what_a_point_is_called():
    rate = {"warmup": {"steps": 5}, "cooldown": {"fraction": 0.3}}
    assert point_name(config(learning_rate=rate)) == "n=8 sqrt warm cool adam lr=0.001 s1"
    rounded = config(model=MODEL | {"precision": "bfloat16"})
    assert point_name(rounded) == "n=8 sqrt bfloat16 adam lr=0.001 s1"


@pytest.mark.parametrize(("name", "below"), [("team/ffn", "team/ffn"), ("/Users/x", "Users/x")])
def test_runs_stay_below_runs_dir_whatever_the_experiment_is_called(name, below):
    run = config(tracking={"experiment": name}, runs_dir="/scratch/runs")
    assert experiment_folder(run) == Path("/scratch/runs") / below


@pytest.mark.parametrize("name", ["..", "../x", "a/../b", "/", "", "a//b", ".", "x" * 300, "a\nb"])
def test_an_experiment_that_names_no_folder_is_refused(name):
    with pytest.raises(InputError, match=r"tracking\.experiment="):
        config(tracking={"experiment": name})
