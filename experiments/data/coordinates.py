"""Compute the training coordinates of labels, and print how they spread over the classes.

    python -m experiments.data prepare --labels v.h5:labels --lom-radius 24 --out c.h5
    python -m experiments.data prepare --labels v.h5:labels --partitions p.h5:af --out c.h5

A training run does this itself, and keeps what it computed.
"""

import argparse

from rich.console import Console
from rich.table import Table

from experiments.data.arguments import (
    AddParser,
    add_labeled,
    add_labels_to_coordinates,
    checked_outputs,
    labels_box,
    one_or_three,
    progress_bar,
    warn,
)
from experiments.data.cache import prepare_coordinates
from ffn_core.errors import InputError
from ffn_core.limits.arguments import add_real, add_whole
from ffn_core.limits.ranges import MOST_EXTENT, MOST_FOVS, Range
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.sampling.google_ffn import read_published_partitions
from ffn_core.sampling.partitions import PUBLISHED_MIN_SIZE, PUBLISHED_THRESHOLDS
from ffn_core.volumes import open_labels


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "compute the training coordinates of labels"
    parser = add_parser("prepare", help=text, docstring=__doc__)
    add_labels_to_coordinates(parser)
    parser.add_argument(
        "--mask", metavar="VOLUME", help="center no canvas where it is false (bool or integer)"
    )
    add_labeled(parser)
    add_whole(
        parser,
        "--lom-radius",
        Range(at_least=0, at_most=MOST_EXTENT),
        "half the training canvas in voxels, FOV // 2 + deltas:"
        " one number or z y x; 24 for a FOV of 33 and deltas of 8",
        nargs="+",
        metavar="R",
    )
    parser.add_argument(
        "--partitions",
        metavar="PATH:DATASET",
        help="take the classes from a partition volume of google/ffn compute_partitions.py"
        " instead of computing them; says its radius itself",
    )
    add_real(
        parser,
        "--thresholds",
        Range(at_least=0, at_most=1),
        "own-object fractions that separate the classes (default: the published ones)",
        nargs="+",
        default=PUBLISHED_THRESHOLDS,
        metavar="F",
    )
    add_whole(
        parser,
        "--min-size",
        Range(at_least=0, at_most=MOST_FOVS),
        "drop smaller objects (default: %(default)s)",
        default=PUBLISHED_MIN_SIZE,
        metavar="VOXELS",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    volumes = (arguments.labels, arguments.mask, arguments.labels_mask, arguments.partitions)
    outputs = checked_outputs(arguments, "prepare", volumes=volumes)
    coordinates = _imported(arguments) if arguments.partitions else _computed(arguments)
    with outputs.place(arguments.out) as path:
        coordinates.save(path)
    console.print(class_table(coordinates))
    console.print(f"{arguments.out}: {len(coordinates):,} coordinates", soft_wrap=True)


def class_table(coordinates: Coordinates) -> Table:
    """Coordinates per partition class."""
    limits = [0.0, *coordinates.thresholds, 1.0]
    table = Table(title="training coordinates per partition class")
    for heading in ("class", "own-object fraction", "coordinates", "share"):
        table.add_column(heading, justify="right")
    for number, count in enumerate(coordinates.class_counts(), start=1):
        span = f"{limits[number - 1]:g} to {limits[number]:g}"
        table.add_row(str(number), span, f"{count:,}", f"{count / len(coordinates):.1%}")
    return table


def _computed(arguments: argparse.Namespace) -> Coordinates:
    if arguments.lom_radius is None:
        raise InputError("give --lom-radius, half the training canvas: FOV // 2 + deltas")
    radius_zyx = one_or_three(arguments.lom_radius, "--lom-radius")
    with progress_bar("partitions") as on_progress:
        return prepare_coordinates(
            arguments.labels,
            radius_zyx,
            arguments.min_size,
            arguments.thresholds,
            arguments.mask,
            on_progress=on_progress,
            on_doubt=warn,
            labels_box=labels_box(arguments),
            labels_mask=arguments.labels_mask,
        )


def _imported(arguments: argparse.Namespace) -> Coordinates:
    if arguments.mask or arguments.lom_radius:
        raise InputError("--partitions goes without --mask and --lom-radius: it holds both already")
    if arguments.labels_mask or arguments.labels_box:
        raise InputError(
            "--partitions says by itself where canvases are centered: leave out --labels-box and"
            " --labels-mask"
        )
    labels = open_labels(arguments.labels)
    return read_published_partitions(arguments.partitions, labels, arguments.thresholds)
