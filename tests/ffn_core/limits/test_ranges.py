import dataclasses
import math

import pytest

from ffn_core.errors import InputError
from ffn_core.limits.arguments import CommandParser, add_real, add_whole
from ffn_core.limits.ranges import Range, doc_of, number, numbers, option, range_of


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        (Range(), [0, -1.5, 10**300], [math.nan, math.inf, -math.inf, 10**400]),
        (Range(at_least=1, at_most=3), [1, 3, 2.5], [0, 3.001, math.nan, -1]),
        (Range(above=0, below=1), [1e-300, 0.999], [0, 1, -0.1, math.inf]),
    ],
)
def test_what_a_range_holds(limits, inside, outside):
    assert all(limits.holds(value) for value in inside)
    assert not any(limits.holds(value) for value in outside)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Range(at_least=1, at_most=2**20), "from 1 to 1,048,576"),
        (Range(above=0, below=1), "above 0 and below 1"),
        (Range(at_least=0, below=1), "of at least 0 and below 1"),
        (Range(above=0.0, at_most=1.0), "above 0 and at most 1"),
        (Range(), ""),
    ],
)
def test_ranges_in_words(limits, words):
    assert str(limits) == words


def test_the_message_names_option_value_and_range():
    with pytest.raises(InputError, match=r"^cluster\.nodes=0 must be an integer from 1 to 9$"):
        Range(at_least=1, at_most=9).check(0, "cluster.nodes=")
    with pytest.raises(InputError, match=r"^--hours nan must be a number above 0$"):
        Range(above=0).check(math.nan, "--hours ")
    with pytest.raises(InputError, match=r"^seed=1000.*\(401 characters\) must be"):
        Range(at_most=9).check(10**400, "seed=")


def test_description_and_range_stand_with_the_field():
    @dataclasses.dataclass(frozen=True)
    class Section:
        nodes: int = number(2, "logical nodes", at_least=1)
        sizes: list[int] = numbers([1, 2], "edges", at_least=1)
        name: str = option("x", "what it is called")

    nodes, sizes, name = dataclasses.fields(Section)
    assert (doc_of(nodes), range_of(nodes)) == ("logical nodes", Range(at_least=1))
    assert (doc_of(name), range_of(name)) == ("what it is called", None)
    assert Section() == Section(2, [1, 2], "x")
    assert Section().sizes is not Section().sizes
    assert doc_of(sizes) == "edges"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--steps", "0"], "error: --steps: 0 must be an integer from 1 to 9 (see --help)\n"),
        (["--steps", "1e400"], "error: --steps: 1e400 must be an integer from 1 to 9"),
        (["--hours", "nan"], "error: --hours: nan must be a number above 0 (see --help)\n"),
        (["--hours", "x"], "error: --hours: x must be a number above 0 (see --help)\n"),
        (["--days", "1"], "error: unrecognized arguments: --days 1 (see --help)\n"),
    ],
)
def test_a_command_line_out_of_range_is_one_line_and_code_2(capsys, given, said):
    parser = CommandParser()
    add_whole(parser, "--steps", Range(at_least=1, at_most=9), "of training")
    add_real(parser, "--hours", Range(above=0))
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(given)
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1
    assert parser.parse_args(["--steps", "9", "--hours", "0.5"]).steps == 9
    assert "of training; an integer from 1 to 9" in " ".join(parser.format_help().split())
