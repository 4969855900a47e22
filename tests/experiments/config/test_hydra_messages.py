"""Bad command lines and presets: one line in the user's words, with the nearest right one."""

import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.config.hydra_app import CONF, register_schema, to_config
from experiments.config.hydra_messages import check_overrides, hint_of, one_line, quoted
from experiments.config.presets import groups_of
from experiments.config.schema import Config
from ffn_core.errors import InputError

SCHEMA = {"": Config}
GROUPS = groups_of("config", SCHEMA)


def message(*arguments: str) -> str:
    """What a command with these arguments says; empty if it composes."""
    GlobalHydra.instance().clear()
    register_schema()
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    try:
        check_overrides(arguments, CONF, SCHEMA, GROUPS)
        with initialize_config_dir(str(CONF), version_base="1.3"):
            to_config(compose("config", ["budget.steps=5", *overrides]))
    except Exception as error:
        return one_line(error, SCHEMA)
    return ""


@pytest.mark.parametrize(
    ("argument", "start", "end"),
    [
        ("optimizer=5", "optimizer=5 must be one of adagrad, adam, ", "rmsprop, sgd"),
        ("optimizer=adm", "optimizer=adm must be one of adagrad, ", "; did you mean adam?"),
        ("optimizer=null", "optimizer=null must be one of adagrad, ", "rmsprop, sgd"),
        ("optimizer=[adam,sgd]", "optimizer=[adam,sgd] must be one of", "without brackets"),
        ("size=[1]", "size=[1] must be one of paper, small, study; ", "without brackets"),
        ("optimizer=adam,sgd", "optimizer=adam,sgd has several values: add -m", "after another"),
        ("cluster.nodes=1,2", "cluster.nodes=1,2 has several values", "'cluster.nodes=\"1,2\"'"),
        ("budget.steps=range(1,5)", "budget.steps=range(1,5) has several values: add -m", ""),
        ("data.image=/a,b/v.h5:image", "data.image=/a,b/v.h5:image has several values", ""),
        ("data.image=/p=1/v.h5:i", "data.image=/p=1/v.h5:i cannot be read", '=1/v.h5:i"\''),
        ("data.image=/a(b)/v.h5", "data.image=/a(b)/v.h5 cannot be read", "/a(b)/v.h5\"'"),
        ("cluster.nodes='", "cluster.nodes=' cannot be read; if its value has one of", ""),
        ("cluster.nodes", "cluster.nodes is no option with a value: write it as NAME=VALUE", ""),
        ("=5", "=5 is no option with a value", ""),
        ("clustr.nodes=3", "unknown option clustr.nodes; did you mean cluster.nodes?", ""),
        ("cluster.nodez=3", "unknown option cluster.nodez; did you mean cluster.nodes?", ""),
        ("++cluster.foo=1", "unknown option cluster.foo; cluster has nodes, ranks, ", ""),
        ("optimizer.base=1", "unknown option optimizer.base; did you mean learning_rate.base?", ""),
        ("+foo=1", "unknown option foo; --help lists all", ""),
        ("sweep.pair=foo", "sweep.pair=foo must be options by name, as sweep.pair={", ""),
        ("sweep.pair={clustr.nodes:1}", "unknown option clustr.nodes; did you mean", ""),
        ("sweep.pair={cluster.nodes:x}", "cluster.nodes=x must be an integer from 1 to", ""),
        ("seed=${nope}", "seed=${nope} refers to nope, which is unknown", ""),
        ("seed=${cluster.node}", "seed=${cluster.node} refers to ", "did you mean cluster.nodes?"),
        ("seed=${oc.env:NO_PE}", "seed=${oc.env:NO_PE} refers to the variable NO_PE, which", ""),
        ("seed=${foo:1}", "seed=${foo:1} refers to foo:, which is unknown", ""),
        ("seed=${seed}", "seed=${seed} refers to itself", ""),
        ("cluster.nodes=2.5", "cluster.nodes=2.5 must be an integer from 1 to 1,048,576", ""),
        ("budget.fovs=1000.0", "budget.fovs=1000.0 must be an integer from 1 to", ", or null"),
        ("data.cache_bytes=2GB", "data.cache_bytes=2GB must be an integer from 0 to", ""),
        ("seed=null", "seed=null must be an integer from 0 to", ""),
        ("cluster=5", "cluster=5 must be options by name, as {name:value}, of nodes, ranks", ""),
        ("cluster.elastic=maybe", "cluster.elastic=maybe must be true or false", ""),
        ("data.volumes=3", "data.volumes=3 must be a list, as [a,b], each options by name", ""),
        ("data.volumes=[{a:1}]", "unknown option data.volumes[].a; data.volumes[] has image,", ""),
        ("data.size_zyx=[a,b]", "data.size_zyx[0]=a must be an integer from 1 to", ""),
        ("stages=[{nodes:1,fovs:a}]", "stages[].fovs=a must be an integer from 1 to", ""),
        ("stages=[{nodes:1}]", "stages[0].fovs has no value: give stages[0].fovs=VALUE", ""),
        ("optimizer.arguments={b:1}", "optimizer.arguments.b has no value yet: add it", "VALUE"),
        ("optimizer.arguments=5", "optimizer.arguments=5 must be values by name", ""),
    ],
)  # fmt: skip
def test_one_line_in_the_users_words(argument, start, end):
    said = message(argument)
    assert said.startswith(start)
    assert said.endswith(end)
    assert "\n" not in said
    assert "***" not in said
    for word in (
        "Traceback",
        "dict",
        "str'",
        "object",
        "NoneType",
        "Config'",
        "full_key",
        "struct",
    ):
        assert word not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "optimizer=adam,sgd", "cluster.nodes=1,2"],
        ["-m", "budget.steps=range(1,5)", "experiment=demo,lr_scan"],
        ["--cfg", "job", "seed=3", "hydra.run.dir=x", "size=paper"],
        ["+optimizer.arguments.momentum=0.9", "launcher.environment={}", "~site"],
        ["'data.image=\"a=b\"'".strip("'"), "optimizer=${size.optimizer}"],
    ],
)
def test_what_can_work_passes_the_first_look(arguments):
    check_overrides(arguments, CONF, SCHEMA, GROUPS)


def test_a_sweep_over_a_choice_that_does_not_exist():
    with pytest.raises(InputError, match=r"^optimizer=adam,sdg must be .*; did you mean sgd\?$"):
        check_overrides(["-m", "optimizer=adam,sdg"], CONF, SCHEMA, GROUPS)


def test_types_by_dotted_name():
    assert hint_of("cluster.nodes", SCHEMA)[0] is int
    assert hint_of("stages[3].base", SCHEMA)[1].at_most == 1e6
    assert hint_of("sweep.pair.model.depth", SCHEMA) is not None
    assert hint_of("cluster.nodes.more", SCHEMA) is None


def test_secrets_are_masked_and_plain_options_are_not():
    error = InputError("launcher.environment.API_KEY=hunter2 and optimizer=adam,sgd")
    assert one_line(error) == "launcher.environment.API_KEY=*** and optimizer=adam,sgd"


@pytest.mark.parametrize("path", ["/p=1", "/a,b", "/it's", "/$HOME/`x`", "/(a) b", '/a"b'])
def test_what_to_type_gives_the_value_as_it_is(path):
    (typed,) = shlex.split(quoted("data.image", path))
    assert OverridesParser.create().parse_override(typed).value() == path
