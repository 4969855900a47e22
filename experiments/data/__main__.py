"""Make, prepare and inspect volumes.

    python -m experiments.data synthesize --shape 128 --out volume.h5
    python -m experiments.data info --image volume.h5:image --labels volume.h5:labels

A VOLUME is path:dataset (HDF5), or zarr:, zarr3:, n5: or precomputed: and a folder or URL, or
stack: and a folder or pattern of PNG or TIFF images. Axes are in zyx order everywhere. Each command
has a help of its own: python -m experiments.data COMMAND --help.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from experiments.data import coordinates, downsample, fetch, google_ffn, info, plan, synthesize
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.exit_codes import EXIT_INPUT
from ffn_core.limits.arguments import CommandParser
from ffn_core.runtime import before_tensorflow

COMMANDS = (fetch, synthesize, coordinates, downsample, info, plan, google_ffn)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = CommandParser("experiments.data", __doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for one in COMMANDS:
        one.add(commands.add_parser)
    return parser


@command
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
