"""Stages of a run: what they may be, and the run as it is in each."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from experiments.config.hydra_app import CONF, register_schema, to_config
from experiments.config.naming import identity, point_name
from experiments.config.parsing import from_dict
from experiments.config.schema import BudgetConfig, Config
from experiments.config.stages import StageConfig, in_words, stage_at, stage_ends
from experiments.launch.prepare import check
from ffn_core.errors import InputError

STAGES = [{"nodes": 4, "fovs": 400, "base": 0.002}, {"nodes": 16, "fovs": 800, "ranks": 2}]


def config(**sections) -> Config:
    values = {
        "data": {"name": "none", "kind": "dummy"},
        "model": {
            "name": "smallest",
            "fov_zyx": [3, 3, 3],
            "deltas_zyx": [1, 1, 1],
            "depth": 1,
            "features": 1,
        },
        "budget": {},
        "cluster": {"nodes": 1, "ranks": 4},
        "learning_rate": {"base": 0.001, "rule": "none"},
        "stages": STAGES,
    }
    return from_dict(Config, values | sections)


def test_where_stages_end_and_which_one_a_run_is_in():
    stages = [StageConfig(4, 400), StageConfig(16, 800, 0.002)]
    assert stage_ends(stages) == [400, 1200]
    places = (0, 399, 400, 1199, 1200)
    assert [stage_at(stages, fovs) for fovs in places] == [0, 0, 1, 1, 1]
    assert in_words(stages) == "4 nodes 400 FOVs, 16 nodes 800 FOVs lr 0.002"
    assert in_words([]) == "none"


def test_a_run_as_it_is_in_each_stage():
    first, second = config().each_stage()
    assert (first.cluster.nodes, first.cluster.ranks, first.learning_rate.base) == (4, 4, 0.002)
    assert (second.cluster.nodes, second.cluster.ranks, second.learning_rate.base) == (16, 2, 0.001)
    assert (first.fovs_at_end, second.fovs_at_end) == (400, 1200)
    assert (first.later_steps, second.later_steps) == (50, 0)
    assert first.in_stage(1) == second
    plain = config(stages=[], budget={"steps": 3})
    assert plain.each_stage() == [plain]
    assert (plain.fovs_at_end, plain.later_steps) == (None, 0)


def test_the_budget_is_the_sum():
    assert config().budget == config(budget={"fovs": 1200}).budget == BudgetConfig(fovs=1200)


def test_ramps_have_their_place_in_the_whole_run():
    """Warm-up over 100 steps of the first stage, cooldown over 25 of the last: 400 FOVs each."""
    rate = {"base": 1.0, "rule": "none", "warmup": {"steps": 200}, "cooldown": {"steps": 25}}
    stages = [{"nodes": 4, "fovs": 400}, {"nodes": 16, "fovs": 800, "base": 2.0}]
    first, second = config(learning_rate=rate, stages=stages).each_stage()
    assert [first.schedule()(fovs / 4) for fovs in (0, 196, 396)] == [0.005, 0.25, 0.5]
    # Half of the ramp of 800 FOVs is left, 25 of its 50 steps there.
    rates = [second.schedule()(fovs / 16) for fovs in (400, 784, 800, 992, 1184)]
    assert rates == pytest.approx([2 * 26 / 50, 2.0, 2.0, 2 * 13 / 25, 2 / 25])


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"budget": {"fovs": 1000}}, "stages take 1200 FOVs in sum, and budget.fovs=1000"),
        ({"budget": {"steps": 100}}, "and the budget as 100 steps: leave out the budget"),
        ({"stages": []}, "budget has no unit"),
        ({"stages": [{"nodes": 16, "fovs": 100}]}, "stages[0].fovs=100 is not a whole number"),
        ({"stages": [{"nodes": 16, "fovs": 100}]}, "make it 96"),
        (
            {"stages": [{"nodes": 0, "fovs": 100}]},
            "stages[0].nodes=0 must be an integer from 1",
        ),
        (
            {"stages": [{"nodes": 1, "fovs": 100, "base": 0}]},
            "stages[0].base=0 must be a number from 1e-12",
        ),
        ({"stages": [{"nodes": 1, "fovs": 100, "rate": 1}]}, "unknown option stages[0].rate"),
        ({"stages": [{"nodes": 6, "fovs": 60}]}, "cluster.nodes=6"),
        ({"continue_from": "runs/test/a"}, "cannot be had together with stages"),
    ],
)
def test_what_cannot_be_is_one_line(sections, said):
    with pytest.raises(InputError) as caught:
        check(config(**sections))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stages_are_part_of_the_identity_and_the_name():
    other = [{"nodes": 4, "fovs": 800, "base": 0.002}, {"nodes": 16, "fovs": 400, "ranks": 2}]
    assert identity(config()) != identity(config(stages=other))
    assert identity(config()) == identity(config(budget={"fovs": 1200}))
    assert point_name(config()) == "n=4,16 unscaled adam lr=0.002,0.001 s1"


@pytest.mark.parametrize(
    ("ranks", "found"),
    [
        ("${cluster.nodes}", [1, 8, 4]),  # the second stage says its own
        ("3", [None, 8, None]),
    ],
)
def test_ranks_that_follow_the_nodes_follow_those_of_each_stage(ranks, found):
    """As in conf/site/slurm.yaml, where every logical node is a real one."""
    register_schema()
    GlobalHydra.instance().clear()
    given = "stages=[{nodes:1,fovs:300},{nodes:2,fovs:600,ranks:8},{nodes:4,fovs:400}]"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        made = to_config(compose("config", ["cluster.nodes=6", f"cluster.ranks={ranks}", given]))
    assert [stage.ranks for stage in made.stages] == found
    assert (made.cluster.nodes, made.cluster.ranks) == (6, 6 if "$" in ranks else 3)


def test_the_points_of_the_preset():
    """Its pairs, with the rates that a pilot sets given here."""
    preset = OmegaConf.load(CONF / "experiment/growing_batch.yaml")
    text = OmegaConf.to_container(preset.hydra.sweeper.params, resolve=False)["sweep.pair"]
    arms = text.replace("}, {", "}|{").split("|")
    rates = [f"++size.rate_{n}={r}" for n, r in ((1, 0.001), (4, 0.002), (16, 0.003), (64, 0.004))]
    register_schema()
    points = []
    for arm in arms:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            overrides = ["experiment=growing_batch", *rates, f"sweep.pair={arm}"]
            points.append(to_config(compose("config", overrides)))
    four, many, growing = points
    assert (four.cluster.nodes, four.stages) == (4, [])
    assert (many.cluster.nodes, many.learning_rate.base) == (64, 0.004)
    assert growing.stages == [
        StageConfig(4, 8000, 0.002),
        StageConfig(16, 8000, 0.003),
        StageConfig(64, 16000, 0.004),
    ]
    assert {point.budget.fovs for point in points} == {32000}
    for point in points:
        check(point)
    assert point_name(growing) == "n=4,16,64 unscaled warm adam lr=0.002,0.003,0.004 s1"
    assert [stage.schedule().peak for stage in growing.each_stage()] == [0.002, 0.003, 0.004]
