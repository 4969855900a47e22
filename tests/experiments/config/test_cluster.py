"""The number of ranks, and what leaving it to the machine means for the name of a run."""

from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.config.cluster import ClusterConfig
from experiments.config.hydra_app import CONF, register_schema, to_config
from experiments.config.naming import identity, identity_of, run_directory
from experiments.config.schema import (
    BudgetConfig,
    Config,
    DataConfig,
    ModelConfig,
    ValidationConfig,
)
from experiments.launch.prepare import prepare
from experiments.reporting import run_files
from ffn_core.metric_names import RANKS_GIVEN

AUTOMATIC = Config(
    data=DataConfig(name="dummy", kind="dummy"),
    model=ModelConfig("tiny", [7, 7, 7], [2, 2, 2], 2, 4),
    budget=BudgetConfig(steps=1),
    cluster=ClusterConfig(nodes=12, ranks=0),
    validation=ValidationConfig(canvases=0),
)


@pytest.mark.parametrize(
    ("nodes", "ranks", "cores", "expected"),
    [
        (12, 0, 1, 1),
        (12, 0, 5, 4),
        (12, 0, 16, 12),
        (7, 0, 6, 1),
        (12, 3, 16, 3),  # given: whatever the machine
        (12, 6, 1, 6),
    ],
)
def test_ranks_are_those_given_or_as_many_as_fit(nodes, ranks, cores, expected):
    assert ClusterConfig(nodes=nodes, ranks=ranks).ranks_on(cores) == expected


def test_a_run_is_the_same_point_on_every_machine(monkeypatch):
    """What is started differs, what it is called does not."""
    started = []
    for cores in (2, 16):
        monkeypatch.setattr("experiments.launch.prepare.room_for_ranks", lambda _device, n=cores: n)
        started.append(prepare(AUTOMATIC).cluster.ranks)
    assert started == [2, 12]
    assert identity(AUTOMATIC) not in {identity(AUTOMATIC.with_ranks(n)) for n in (1, 2, 12)}
    assert run_directory(AUTOMATIC).name.endswith(identity(AUTOMATIC))


def composed(*overrides: str) -> Config:
    GlobalHydra.instance().clear()
    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return to_config(compose("config", list(overrides)))


# What the code before this question was decided said, on 2 and on 16 cores.
@pytest.mark.parametrize(
    ("overrides", "ranks", "name"),
    [
        (["experiment=demo"], 2, "n8_sqrt_adam_lr0.001_s1-ba666312"),
        (["experiment=demo", "cluster.nodes=4"], 2, "n4_sqrt_adam_lr0.001_s1-5f9a16e7"),
        (["experiment=weak_scaling", "cluster.nodes=8"], 8, "n8_b8_sqrt_adam_lr0.001_s1-4bab3d4d"),
        (
            ["experiment=batch_size", "cluster.nodes=64"],
            2,
            "n64_sqrt_warm_adam_lr0.001_s1-f06ae011",
        ),
        (
            ["experiment=batch_size", "cluster.nodes=64"],
            16,
            "n64_sqrt_warm_adam_lr0.001_s1-6c961571",
        ),
    ],
)
def test_known_names_of_given_ranks_and_of_runs_begun_before(tmp_path, overrides, ranks, name):
    """A given number is called as ever; a number that was filled in is found by leaving it open."""
    config = replace(composed(*overrides), runs_dir=str(tmp_path))
    given = config.with_ranks(ranks)
    assert run_directory(given).name == name
    run_directory(given).mkdir(parents=True)
    automatic = config.with_ranks(0)
    assert run_directory(automatic) == run_directory(given)
    assert identity_of(run_directory(automatic)) == identity(given)


def begin(config: Config, given: bool | None = None, finished: bool = False) -> Path:
    """The folder of a run as this code leaves it; ``given`` None: as older code did."""
    folder = run_directory(config)
    folder.mkdir(parents=True)
    tags = {} if given is None else {RANKS_GIVEN: str(given).lower()}
    run_files.write_json(folder / run_files.IDENTITY, {"tags": tags, "params": {}})
    if finished:
        run_files.write_json(folder / run_files.RESULT, {"outcome": "finished"})
    return folder


def test_of_several_runs_begun_before_a_finished_one_is_taken_else_that_with_most_ranks(tmp_path):
    config = replace(AUTOMATIC, runs_dir=str(tmp_path))
    begin(config.with_ranks(2))
    most = begin(config.with_ranks(4))
    assert run_directory(config) == most
    finished = begin(config.with_ranks(1), finished=True)
    assert run_directory(config) == finished


def test_a_run_of_its_own_comes_first_and_one_of_given_ranks_is_another(tmp_path):
    config = replace(AUTOMATIC, runs_dir=str(tmp_path))
    begin(config.with_ranks(2), given=True, finished=True)
    assert not run_directory(config).exists(), "asked for by its number: another point"
    begin(config.with_ranks(4), given=False)
    own = tmp_path / "default" / run_directory(config.with_ranks(4)).name
    assert run_directory(config) == own, "begun before, resumed since"
