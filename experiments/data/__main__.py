"""Make, prepare and inspect data: python -m experiments.data COMMAND --help.

A VOLUME is path:dataset (HDF5), or zarr:, zarr3:, n5: or precomputed: and a folder or URL, or
stack: and a folder or pattern of PNG or TIFF images. Axes are in zyx order everywhere.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from experiments.data import coordinates, downsample, fetch, google_ffn, info, plan, synthesize
from experiments.reporting.exit_codes import EXIT_INPUT
from ffn_core.errors import InputError, in_one_line
from ffn_core.limits.arguments import CommandParser
from ffn_core.runtime import before_tensorflow

COMMANDS = (fetch, synthesize, coordinates, downsample, info, plan, google_ffn)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser(prog="python -m experiments.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands.add_parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; exit code 2 and one line for what the user can put right."""
    arguments = build_parser().parse_args(argv)
    before_tensorflow()
    try:
        arguments.run(arguments, Console())
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return EXIT_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
