"""Command-line arguments and status lines that several commands share."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.progress import Progress
from rich.status import Status

from ffn_core.errors import InputError
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.limits.arguments import add_whole
from ffn_core.limits.ranges import MOST_EXTENT, Range
from ffn_core.sampling.partial_labels import open_partial_labels
from ffn_core.volumes import Volume, check_pair, doubts, open_volume, stored_at

AddParser: TypeAlias = Callable[..., argparse.ArgumentParser]


def add_pair(parser: argparse.ArgumentParser) -> None:
    """Options for an image and its labels."""
    parser.add_argument("--image", metavar="VOLUME")
    parser.add_argument(
        "--labels",
        metavar="VOLUME",
        help="a transforms dataset beside it is applied (FIB-25)",
    )


def add_labeled(parser: argparse.ArgumentParser) -> None:
    """Options that say where labels are true."""
    add_labels_box(parser, "labels are true only there (data.labels_box)")
    parser.add_argument(
        "--labels-mask",
        metavar="VOLUME",
        help="labels are true only where it is not 0 (data.labels_mask)",
    )


def add_out(parser: argparse.ArgumentParser, text: str) -> None:
    """Options for the file that is written."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text)
    add_overwrite(parser)


def checked_outputs(
    arguments: argparse.Namespace,
    command: str,
    *more: Path,
    volumes: Sequence[str | None] = (),
    files: Sequence[str | Path] = (),
) -> Outputs:
    """Check that what `add_out` was given, and ``more``, may be written, before the work begins.

    Args:
        arguments: of the command line.
        command: its name.
        more: other files it writes.
        volumes: names of volumes it reads; None for those not given.
        files: other files it reads.

    Raises:
        InputError: They may not.
    """
    inputs = [path for spec in volumes if spec for path in stored_at(spec)]
    outputs = Outputs(
        f"experiments.data {command}", [*inputs, *map(Path, files)], arguments.overwrite
    )
    outputs.check([arguments.out, *more])
    return outputs


def add_labels_to_coordinates(parser: argparse.ArgumentParser) -> None:
    """Options of commands that make a coordinate file for labels."""
    parser.add_argument("--labels", required=True, metavar="VOLUME")
    add_out(parser, "coordinate file (HDF5)")


def add_labels_box(parser: argparse.ArgumentParser, text: str) -> None:
    """An option for a box by its first voxel and the one past its last."""
    add_whole(
        parser,
        "--labels-box",
        Range(at_least=0, at_most=MOST_EXTENT),
        f"first voxel of a box, and the one past its last: {text}",
        nargs=6,
        metavar=("Z", "Y", "X", "Z", "Y", "X"),
    )


def labels_box(arguments: argparse.Namespace) -> list[list[int]] | None:
    """The two corners that `add_labels_box` was given; None if it was not."""
    given = arguments.labels_box
    return None if given is None else [given[:3], given[3:]]


def one_or_three(values: Sequence[int], option: str) -> Zyx:
    """What an option with one number or z y x was given."""
    return as_zyx(values[0] if len(values) == 1 else values, option)


def open_pair(arguments: argparse.Namespace) -> tuple[Volume | None, Volume | None]:
    """Open what ``add_pair`` was given, at least one of the two; say what is doubtful about it.

    Where `add_labeled` was added too, labels are 0 outside of what it was given.
    """
    if not arguments.image and not arguments.labels:
        raise InputError("nothing to read: give --image VOLUME, --labels VOLUME or both")
    image = open_volume(arguments.image) if arguments.image else None
    labels = None
    if arguments.labels:
        limited = "labels_mask" in arguments
        box, mask = (labels_box(arguments), arguments.labels_mask) if limited else (None, None)
        labels = open_partial_labels(arguments.labels, box, mask, option="--labels-box")
    said = doubts(image, labels)
    if image is not None and labels is not None:
        said.append(check_pair(image, labels))
    for doubt in filter(None, said):
        warn(doubt)
    return image, labels


def warn(text: str) -> None:
    """A line on standard error that should not be missed."""
    print(f"warning: {text}", file=sys.stderr)


def status(text: str) -> Status:
    """A spinner while something of unknown length runs; nothing where no terminal shows it."""
    return Console(stderr=True).status(text)


@contextlib.contextmanager
def progress_bar(text: str) -> Iterator[Callable[[float], None]]:
    """A bar that takes the fraction done; nothing where no terminal shows it."""
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task(text, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)
