"""Every preset composes into a config that passes all checks made before data is touched."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf.errors import MissingMandatoryValue

from analysis.runs.presets import UNSET, tuned_values
from experiments.config.hydra_app import CONF, one_line, register_schema, to_config
from experiments.config.schema import Config
from experiments.launch.prepare import check

PRESETS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
CHOICES = sorted(
    f"{path.parent.name}={path.stem}"
    for group in ("data", "model", "optimizer", "warmup")
    for path in (CONF / group).glob("*.yaml")
)


PILOT = [f"++size.{name}=1e-3" for name, value in tuned_values(CONF).items() if value == UNSET]
"""Stands for what the pilot has not set yet, so that what needs it can be checked before."""


def composed(*overrides: str) -> Config:
    GlobalHydra.instance().clear()
    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return to_config(compose("config", list(overrides)))


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_composes_and_is_valid(preset):
    given = ["model.checkpoint=null"] if preset == "finetune" else []  # the preset has none
    config = composed(f"experiment={preset}", *PILOT, *given)
    check(config)
    assert config.tracking.experiment == preset


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_says_its_command_cost_and_expectation(preset):
    text = (CONF / "experiment" / f"{preset}.yaml").read_text()
    assert f"experiment={preset}" in text
    assert "Cost:" in text
    assert "Expect" in text


def test_a_part_that_needs_the_pilot_refuses_to_start_without_it():
    with pytest.raises(MissingMandatoryValue) as missing:
        composed("experiment=rules", "++size.rate_1='???'")
    assert "conf/tuned/study.yaml" in one_line(missing.value)


def test_the_second_edition_gives_the_largest_batch_500_steps():
    for preset in ("rules", "data_cost", "growing_batch"):
        config = composed(f"experiment={preset}", *PILOT)
        assert config.budget.in_steps(64) >= 500


@pytest.mark.parametrize("choice", CHOICES)
def test_choice_composes(choice):
    pair = ["data.image=a:b", "data.labels=a:c"] if choice != "data=several" else []
    config = composed(choice, "budget.steps=10", *pair)
    check(config)


def test_several_volumes():
    config = composed("data=several", "budget.steps=10", "data.cache_bytes=1000")
    first, second = config.data.sources
    assert (first.mean, first.stddev, first.weight) == (128, 33, 2)
    assert first.image.endswith("training_sample2/grayscale_maps.h5:raw")
    assert (second.mask, second.weight) == ("zarr3:data/other/annotated.zarr", 1)
    listed = "data.volumes=[{image:'a:b',labels:'a:c',weight:3}]"
    (only,) = composed("data=files", "budget.steps=10", listed).data.sources
    assert (only.labels, only.weight) == ("a:c", 3)


def test_warmup_and_cooldown_become_a_schedule():
    ramps = ["learning_rate.warmup.steps=2", "learning_rate.cooldown.fraction=0.5"]
    schedule = composed("cluster.nodes=4", "budget.fovs=32", *ramps).schedule()
    rates = [0.001, 0.002, 0.002, 0.002, 0.002, 0.0015, 0.001, 0.0005]
    assert [schedule(step) for step in range(8)] == pytest.approx(rates)


def test_the_paper_model_is_the_published_one():
    config = composed("model=paper", "budget.steps=1")
    assert config.model.size.parameters == 638_433
    assert config.model.geometry.canvas_zyx == (49, 49, 49)


def test_presets_are_listed():
    assert "demo_sweep" in PRESETS
    assert Path(CONF, "config.yaml").is_file()
