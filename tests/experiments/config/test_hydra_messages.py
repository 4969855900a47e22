"""What Hydra says of an option, in a line that says what to change."""

import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from experiments.config.hydra_app import CONF, register_schema
from experiments.config.hydra_messages import one_line, quoted


def said(override: str) -> str:
    register_schema()
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        pytest.raises(HydraException) as error,
    ):
        compose("config", ["budget.steps=1", override])
    return one_line(error.value)


@pytest.mark.parametrize("override", ["cluster.nodes=2.5", "data.cache_bytes=2GB"])
def test_the_reason_is_named_where_a_value_is_of_another_type(override):
    line = said(override)
    assert override in line
    assert "could not be converted to Integer" in line
    assert "full_key" not in line
    assert "\n" not in line


@pytest.mark.parametrize("path", ["/p=1/v.h5:x", "/par(en)/v.h5:x", "/it's/v.h5:x", "/a,b/v.h5"])
def test_a_value_that_hydra_cannot_read_comes_with_what_to_type(path):
    override = f"data.image={path}"
    line = said(override)
    assert override in line
    assert quoted(override) in line
    assert "***" not in line


@pytest.mark.parametrize("path", ["/p=1", "/a,b", "/it's", "/$HOME/`x`", "/(a) b", '/a"b'])
def test_what_to_type_gives_the_value_as_it_is(path):
    (typed,) = shlex.split(quoted(f"data.image={path}"))
    assert OverridesParser.create().parse_override(typed).value() == path
