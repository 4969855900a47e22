"""Every option says what it is, and every number its range, which is checked in one place."""

import dataclasses
import math
import re

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.config.hydra_app import register_schema, register_section, store_schema
from experiments.config.hydra_messages import check_overrides
from experiments.config.options import closest, expected, help_text, options_of
from experiments.config.parsing import from_dict
from experiments.config.presets import CONF, groups_of
from experiments.config.schema import Config
from experiments.segment.config import ResolvedSegment, SegmentConfig
from experiments.throughput.plan import ThroughputConfig
from experiments.throughput.tuning import TuneConfig
from ffn_core.errors import InputError
from ffn_core.limits.ranges import Range

SCHEMAS = {"": Config, "segment": SegmentConfig, "tune": TuneConfig, "throughput": ThroughputConfig}
OPTIONS = [one for name, cls in SCHEMAS.items() for one in options_of(cls, f"{name}.".lstrip("."))]
NUMBERS = [one for one in OPTIONS if one.is_number]
BASIC = {
    "data": {"name": "d"},
    "model": {"name": "m", "fov_zyx": [7] * 3, "deltas_zyx": [2] * 3, "depth": 2, "features": 4},
    "budget": {"steps": 1},
}


def with_option(name: str, value: object) -> dict[str, object]:
    """Plain values of a config in which an option has a value."""
    values = {key: dict(section) for key, section in BASIC.items()}
    *sections, last = name.split(".")
    inner = values
    for section in sections:
        inner = inner.setdefault(section, {})
    if sections == ["budget"]:
        inner.clear()
    inner[last] = value
    return values


def test_every_option_says_what_it_is_and_every_number_its_two_limits():
    assert [one.name for one in OPTIONS if not one.doc] == []
    unlimited = [
        one.name
        for one in NUMBERS
        if one.limits is None
        or (one.limits.at_least is None) == (one.limits.above is None)
        or (one.limits.at_most is None) == (one.limits.below is None)
    ]
    assert unlimited == []
    assert len(NUMBERS) > 90


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_defaults_are_in_range(option):
    def numbers(value):
        if isinstance(value, list | dict):
            return [
                n
                for v in (value.values() if isinstance(value, dict) else value)
                for n in numbers(v)
            ]
        return [] if value in (None, dataclasses.MISSING) else [value]

    assert all(option.limits.holds(number) for number in numbers(option.default))


@pytest.mark.parametrize(
    "option",
    [one for one in options_of(Config) if one.is_number and "[]" not in one.name],
    ids=lambda option: option.name,
)
def test_no_number_beyond_its_limits_passes(option):
    """NaN, infinities, and what lies beyond either limit: one line that names option and range."""
    low = option.limits.at_least if option.limits.at_least is not None else option.limits.above
    high = option.limits.at_most if option.limits.at_most is not None else option.limits.below
    hint = str(option.hint)
    for bad in (math.nan, math.inf, -math.inf, low - 1, high + high, 10**400, 1e308):
        value = [bad] * 3 if "list" in hint else {"epsilon": bad} if "dict" in hint else bad
        with pytest.raises(InputError) as caught:
            from_dict(Config, with_option(option.name, value))
        message = str(caught.value)
        assert message.startswith(option.name)
        assert str(option.limits) in message
        assert "\n" not in message
        assert len(message) < 250


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", -1, "seed=-1 must be an integer from 0 to 9,223,372,036,854,775,807"),
        ("cluster.nodes", 2.5, "cluster.nodes=2.5 must be an integer from 1 to 1,048,576"),
        ("cluster.nodes", "x", "cluster.nodes=x must be an integer from 1 to 1,048,576"),
        ("cluster.nodes", True, "cluster.nodes=True must be an integer from 1 to 1,048,576"),
        ("cluster.nodez", 1, "unknown option cluster.nodez; did you mean nodes?"),
        ("cluster.elastic", 3, "cluster.elastic=3 must be true or false"),
        ("data.size_zyx", [8, 0, 8], "data.size_zyx[1]=0 must be an integer from 1 to"),
        ("stages", [{"nodes": 0, "fovs": 1}], "stages[0].nodes=0 must be an integer from 1 to"),
        ("sweep.pair", "foo", "sweep.pair=foo must be options by name, as sweep.pair={"),
        ("budget.seconds", math.nan, "budget.seconds=nan must be a number from 0.001 to"),
    ],
)  # fmt: skip
def test_known_messages(name, value, message):
    with pytest.raises(InputError) as caught:
        from_dict(Config, with_option(name, value))
    assert str(caught.value).startswith(message)


def test_numbers_at_their_limits_pass():
    values = with_option("cluster.nodes", 2**20)
    values["validation"] = {"fraction": 0.0, "canvases": 0, "subset": 1}
    values["learning_rate"] = {"base": 1e-12, "warmup": {"fraction": 1.0}}
    config = from_dict(Config, values)
    assert (config.cluster.nodes, config.validation.subset) == (2**20, 1.0)


def test_a_resolved_segmentation_keeps_the_ranges():
    given = {one.name: one.limits for one in options_of(SegmentConfig)}
    resolved = {one.name: one.limits for one in options_of(ResolvedSegment)}
    assert resolved == given


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int | None, "an integer from 1 to 9, or null"),
        (list[float], "a list, as [a,b], each a number from 1 to 9"),
        (dict[str, float], "values by name, as {name:value}, each a number from 1 to 9"),
    ],
)
def test_expected_in_words(hint, words):
    assert expected(hint, Range(at_least=1, at_most=9)) == words


def test_did_you_mean():
    known = ["cluster.nodes", "cluster.ranks", "learning_rate.base"]
    assert closest("clustr.nodes", known) == "; did you mean cluster.nodes?"
    assert closest("optimizer.base", known) == "; did you mean learning_rate.base?"
    assert closest("zzz", known) == ""


def test_help_has_every_option_with_its_range():
    groups = groups_of("config", {"": Config})
    text = help_text("Train.\n\n    python -m x `y`\n", {"": Config}, CONF, groups)
    assert text.startswith("Train.\n\n    python -m x y\n\nOptions are given as NAME=VALUE")
    assert "\noptimizer: Optimizer by name, with " in text
    assert "  optimizer=adagrad|adam|" in text
    assert "\ncluster: Logical nodes, the processes that carry them, and the batch" in text
    assert (
        "  cluster.nodes=1\n"
        "      logical nodes: what the training depends on; an integer from 1 to 1,048,576\n"
    ) in text
    assert all(len(line) <= 100 for line in text.splitlines())
    plain = [one.name for one in options_of(Config) if "[]" not in one.name]
    assert [one for one in plain if not re.search(rf"\n  {one}[=\n]", text)] == ["stage"]
    assert "  stages=[{fovs:...}]\n" in text


APPS = {
    "config": {"": Config},
    "throughput": {"": Config, "throughput": ThroughputConfig},
    "tune": {"": Config, "tune": TuneConfig},
    "segment": {"": SegmentConfig},
}


@pytest.mark.parametrize("app", APPS)
def test_help_lists_nothing_that_is_rejected(app):
    schema = APPS[app]
    groups = groups_of(app, schema)
    text = help_text("", schema, CONF, groups)
    listed = re.findall(r"^  ([\w.]+)=(\S*)$", text, re.MULTILINE)
    options = [f"{name}={value}" for name, value in listed if "{" not in value and "|" not in value]
    assert len(options) > 20
    first = [f"{name}={sorted((CONF / name).glob('*.yaml'))[0].stem}" for name in groups]
    register_schema()
    register_section("throughput", ThroughputConfig)
    register_section("tune", TuneConfig)
    store_schema("segment_schema", SegmentConfig(checkpoint="???"))
    check_overrides([*first, *options], CONF, schema, groups)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        compose(app, [*first, *options])


def test_a_group_that_an_app_has_not_is_an_unknown_option():
    with pytest.raises(InputError, match="unknown option optimizer"):
        check_overrides(["optimizer=adam"], CONF, APPS["segment"], groups_of("segment", {}))
