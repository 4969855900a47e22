"""How commands begin and end: a closed pipe, Ctrl-C, the version, the name."""

import subprocess
import sys

import pytest

from ffn_core.command import about, command, program, version
from ffn_core.limits.arguments import CommandParser

MANY = """
import sys
from ffn_core.command import command

@command
def main():
    for number in range(100_000):
        print(number)
    print("done", file=sys.stderr)
    return 3

sys.exit(main())
"""


def test_a_closed_pipe_drops_the_rest_and_the_work_is_done():
    process = subprocess.Popen(
        [sys.executable, "-c", MANY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr.read() == "done\n"
    assert process.wait() == 3
    process.stderr.close()


def test_ctrl_c_is_a_word_and_no_traceback(capsys):
    @command
    def main():
        raise KeyboardInterrupt

    assert main() == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_name_that_a_command_was_started_by(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/env/bin/ffn-data", "info"])
    assert program("experiments.data") == "ffn-data"
    monkeypatch.setattr(sys, "argv", ["/repo/experiments/data/__main__.py"])
    assert program("experiments.data") == "python -m experiments.data"


def test_a_help_opens_with_the_docstring_as_it_is(capsys):
    parser = CommandParser("a.b", "Do ``it``.\n\n    python -m a.b --x\n")
    assert parser.format_help().startswith("Do it.\n\n    python -m a.b --x\n\nusage: ")
    with pytest.raises(SystemExit, match="0"):
        parser.parse_args(["--version"])
    assert capsys.readouterr().out == f"{version()}\n"
    assert about(None) == ""


def test_an_unknown_argument_of_a_subcommand_is_one_line_with_the_nearest(capsys):
    parser = CommandParser("a.b", "Do it.")
    below = parser.add_subparsers().add_parser("get")
    below.add_argument("--labels")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["get", "--lables", "x"])
    said = capsys.readouterr().err
    assert (
        said == "error: unrecognized arguments: --lables x; did you mean --labels? (see --help)\n"
    )
