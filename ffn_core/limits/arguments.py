"""Command lines of argparse: numbers with their range in the help, errors on one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from ffn_core.limits.ranges import VOXEL_NM, Range, shown


class CommandParser(argparse.ArgumentParser):
    """A parser that says what is wrong on one line, as all else does, and ends with exit code 2."""

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
