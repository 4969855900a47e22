"""Exchange training coordinates with google/ffn."""

import argparse
import glob

import numpy as np
from rich.console import Console

from experiments.data.arguments import (
    AddParser,
    add_labels_to_coordinates,
    add_out,
    checked_outputs,
    progress_bar,
    status,
)
from ffn_core.limits.arguments import add_whole
from ffn_core.limits.ranges import MOST_SEED, Range
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.google_ffn import read_published_coordinates, write_published_coordinates
from ffn_core.volumes import open_labels

_IMPORT = """Turn a coordinate file of google/ffn (TFRecord, gzip) into one of ours.

    python -m experiments.data import-coordinates --records coords --labels v.h5:labels --out c.h5
    python -m experiments.data import-coordinates --records 'coords-*' --name validation \\
      --labels v.h5:labels --out c.h5
"""

_EXPORT = """Write a coordinate file for google/ffn (TFRecord, gzip).

    python -m experiments.data export-coordinates --coordinates c.h5 --name volume --out coords
    python -m experiments.data export-coordinates --coordinates c.h5 --name volume \\
      --per-class 1000 --out coords
"""


def add(add_parser: AddParser) -> None:
    """Describe the command lines of import-coordinates and export-coordinates."""
    text = "turn a coordinate file of google/ffn (TFRecord, gzip) into one of ours"
    parser = add_parser("import-coordinates", help=text, docstring=_IMPORT)
    parser.add_argument(
        "--records", required=True, nargs="+", metavar="FILE", help="shards, or a quoted pattern"
    )
    add_labels_to_coordinates(parser)
    parser.add_argument("--name", help="label_volume_name of the records; needed if several")
    parser.set_defaults(run=run_import)

    text = "write a coordinate file for google/ffn (TFRecord, gzip)"
    parser = add_parser("export-coordinates", help=text, docstring=_EXPORT)
    parser.add_argument("--coordinates", required=True, metavar="FILE", help="of prepare")
    parser.add_argument("--name", required=True, help="label_volume_name of the records")
    seeds = Range(at_least=0, at_most=MOST_SEED)
    add_whole(parser, "--seed", seeds, "of the order (default: 0)", default=0)
    add_whole(
        parser,
        "--per-class",
        Range(at_least=1, at_most=10**9),
        "records of each class (default: as many as the largest has)",
        metavar="N",
    )
    add_out(parser, "TFRecord file")
    parser.set_defaults(run=run_export)


def run_import(arguments: argparse.Namespace, console: Console) -> None:
    """Carry import-coordinates out."""
    found = ((pattern, sorted(glob.glob(pattern))) for pattern in arguments.records)  # noqa: PTH207
    paths = [path for pattern, matches in found for path in matches or [pattern]]
    outputs = checked_outputs(
        arguments, "import-coordinates", volumes=[arguments.labels], files=paths
    )
    labels = open_labels(arguments.labels)
    with status(f"reading {len(paths)} files"):
        coordinates, dropped = read_published_coordinates(paths, labels, arguments.name)
    with outputs.place(arguments.out) as path:
        coordinates.save(path)
    console.print(
        f"{arguments.out}: {len(coordinates):,} coordinates at least"
        f" {coordinates.lom_radius_zyx} voxels (zyx) from the border;"
        f" left out {dropped:,} on background",
        soft_wrap=True,
    )


def run_export(arguments: argparse.Namespace, console: Console) -> None:
    """Carry export-coordinates out."""
    outputs = checked_outputs(arguments, "export-coordinates", files=[arguments.coordinates])
    coordinates = Coordinates.load(arguments.coordinates)
    rng = np.random.default_rng(arguments.seed)
    with progress_bar("records") as on_progress, outputs.place(arguments.out) as path:
        count = write_published_coordinates(
            path, coordinates, arguments.name, rng, arguments.per_class, on_progress
        )
    console.print(f"{arguments.out}: {count:,} records of {arguments.name}", soft_wrap=True)
