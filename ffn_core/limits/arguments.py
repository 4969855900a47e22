"""Command lines of argparse: numbers with their range in the help, errors on one line."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ffn_core.command import about, program, version
from ffn_core.limits.ranges import VOXEL_NM, Range, shown


class CommandParser(argparse.ArgumentParser):
    """A parser that says what is wrong on one line, as all else does, and ends with exit code 2.

    Its help opens with the docstring of the command: what it does, and examples.
    """

    def __init__(self, module: str = "", docstring: str | None = None, **more: Any) -> None:
        """Know ``--help`` and ``--version``.

        Args:
            module: that ``python -m`` runs; empty for a subcommand, whose parser argparse makes.
            docstring: of the module.
            more: for ``ArgumentParser``.
        """
        if module:
            more["prog"] = program(module)
        super().__init__(**more)
        self._about = about(docstring)
        if module:
            self.add_argument("--version", action="version", version=version())

    def format_help(self) -> str:
        """The help: what the command does and examples, then usage and arguments."""
        return f"{self._about}\n\n{super().format_help()}".lstrip()

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all arguments; of one that is unknown, say which was meant."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = [name for action in self._all_actions() for name in action.option_strings]
            close = difflib.get_close_matches(unknown[0].partition("=")[0], known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found

    def _all_actions(self) -> Iterator[argparse.Action]:
        """The arguments of the command and of all its subcommands."""
        for action in self._actions:
            yield action
            if isinstance(action, argparse._SubParsersAction):
                for below in action.choices.values():
                    yield from below._actions

    def error(self, message: str) -> NoReturn:
        """Print the line and leave; ``message`` is argparse's."""
        self.exit(2, f"error: {message.removeprefix('argument ')} (see --help)\n")


def add_whole(
    parser: argparse.ArgumentParser, name: str, limits: Range, text: str = "", **more: Any
) -> None:
    """Add an argument of one or several whole numbers.

    Args:
        parser: of the command.
        name: of the argument, such as ``--seed``.
        limits: of each number.
        text: what it is, shown in the help with the range.
        more: for ``add_argument``.
    """
    _add(parser, name, int, "an integer", limits, text, more)


def add_real(
    parser: argparse.ArgumentParser, name: str, limits: Range, text: str = "", **more: Any
) -> None:
    """Add an argument of one or several finite numbers; as `add_whole`."""
    _add(parser, name, float, "a number", limits, text, more)


def add_voxel_size(parser: argparse.ArgumentParser, otherwise: str) -> None:
    """Add ``--voxel-size-nm``, the edges of a voxel; ``otherwise`` says what counts without it."""
    add_real(
        parser,
        "--voxel-size-nm",
        VOXEL_NM,
        f"edges of a voxel in nm (default: {otherwise})",
        nargs=3,
        metavar=("Z", "Y", "X"),
    )


def _add(
    parser: argparse.ArgumentParser,
    name: str,
    kind: Callable[[str], float],
    words: str,
    limits: Range,
    text: str,
    more: dict[str, Any],
) -> None:
    expected = f"{words} {limits}"

    def parse(given: str) -> float:
        try:
            value = kind(given)
        except ValueError:
            value = float("nan")  # which no range holds
        if not limits.holds(value):
            raise argparse.ArgumentTypeError(f"{shown(given)} must be {expected}")
        return value

    help_text = f"{text}; {expected}" if text else expected
    parser.add_argument(name, type=parse, help=help_text, **more)
