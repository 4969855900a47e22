"""Export a segmentation for neuroglancer, or show it here.

    python -m experiments.export_neuroglancer segmentations/NAME
    python -m experiments.export_neuroglancer segmentations/NAME --view

The folder is one of `experiments.segment`. Image, segmentation and, if it was scored, ground truth
of its region are written as precomputed volumes, which every neuroglancer can open from a web
server: ``precomputed://URL/image``. ``--view`` shows them in a viewer on this machine (``uv sync
--group viewer``), as they were exported if they were.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.reporting.terminal import Terminal
from experiments.segment.neuroglancer import export, exported, view
from ffn_core.command import command
from ffn_core.files.outputs import add_overwrite
from ffn_core.limits.arguments import CommandParser, add_voxel_size

FOLDER = "neuroglancer"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = CommandParser("experiments.export_neuroglancer", __doc__)
    parser.add_argument("folder", type=Path, help="folder of experiments.segment")
    parser.add_argument("--out", type=Path, help=f"default: FOLDER/{FOLDER}")
    add_overwrite(parser)
    add_voxel_size(parser, "as in the segmentation, or 1 1 1 where nothing says")
    parser.add_argument("--view", action="store_true", help="show them in a viewer here")
    options = parser.parse_args(argv)
    terminal = Terminal()
    return terminal.exit_code_of(lambda: _export(options, terminal))


def _export(options: argparse.Namespace, terminal: Terminal) -> None:
    """Export the segmentation, unless it was and is only to be shown; show it if asked to."""
    out = options.out or options.folder / FOLDER
    volumes, size = [], options.voxel_size_nm
    if options.view and size is None and not options.overwrite:
        volumes = exported(options.folder, out)
    if volumes:
        terminal.say(f"showing the earlier export in {out}; --overwrite exports again")
    else:
        volumes = export(options.folder, out, size, terminal, options.overwrite)
    if options.view:
        view(volumes, terminal)


if __name__ == "__main__":
    sys.exit(main())
