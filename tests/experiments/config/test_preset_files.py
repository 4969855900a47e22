"""What the files of presets say: their axes, and what is made of command lines with them."""

import pytest

from experiments.config.presets import (
    forgotten_multirun,
    groups_of,
    preset_axes,
    preset_question,
    with_lists_kept,
)
from experiments.config.schema import Config


def test_what_a_preset_sweeps_over():
    found = preset_axes(["seed=1", "experiment=demo_sweep"])
    assert found == {"cluster.nodes": "2,8,32,128", "learning_rate.rule": "linear,sqrt"}
    assert preset_axes(["experiment=demo"]) == preset_axes(["experiment=none"]) == {}
    assert preset_question(["experiment=demo"]).startswith("One short training run")


def test_a_sweep_without_m_is_warned_of():
    assert forgotten_multirun(["experiment=demo_sweep"]) == (
        "experiment=demo_sweep is a sweep over cluster.nodes and learning_rate.rule; without -m "
        "this is one run, with their defaults. Add -m for the sweep"
    )
    assert "over learning_rate.rule; " in forgotten_multirun(
        ["experiment=demo_sweep", "cluster.nodes=4"]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "experiment=demo_sweep"],
        ["experiment=demo"],
        ["experiment=demo_sweep", "cluster.nodes=4", "learning_rate.rule=sqrt"],
        ["experiment=demo_sweep", "--cfg", "job"],
    ],
)
def test_what_is_meant_is_not_warned_of(arguments):
    assert forgotten_multirun(arguments) == ""


def test_a_list_that_a_preset_goes_through_stays_one_value():
    given = ["-m", "experiment=tune_rates", "size.tuning_seeds=101,102", "optimizer=adam,sgd"]
    assert with_lists_kept(given) == [*given[:2], 'size.tuning_seeds="101,102"', given[3]]
    quoted = ["-m", "experiment=tune_rates", 'size.tuning_seeds="101,102"', "seed=1,2"]
    assert with_lists_kept(quoted) == quoted
    assert with_lists_kept(given[1:]) == given[1:]


def test_groups_of_an_app_and_what_they_are():
    schema = {"": Config}
    assert groups_of("throughput", schema) == groups_of("config", schema)
    assert "tuned" not in groups_of("config", schema)
    assert groups_of("config", schema)["data"] == "What to train on."
    assert groups_of("config", schema)["site"].startswith("the machine: launcher")
    assert list(groups_of("segment", {})) == ["launcher"]
