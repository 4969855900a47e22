"""Make, prepare and inspect data: python -m experiments.data COMMAND --help.

Volumes are named path:dataset (HDF5); axes are in zyx order everywhere.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from rich.status import Status
from rich.table import Table
from rich.text import Text

from experiments.prepared_data import prepare_coordinates, write_volumes
from ffn_core.coordinates import Coordinates
from ffn_core.errors import InputError
from ffn_core.geometry import Zyx, as_zyx
from ffn_core.partitions import PUBLISHED_MIN_SIZE, object_sizes
from ffn_core.synthetic import synthesize
from ffn_core.volumes import (
    Volume,
    check_pair,
    downsample,
    downsample_image,
    downsample_labels,
    image_statistics,
    open_labels,
    open_volume,
    whole_file,
)

PREVIEW_PX = 480
"""Panels of a preview are enlarged, by a whole factor, to about this width."""


def run_synthesize(arguments: argparse.Namespace, console: Console) -> None:
    """Write a synthetic volume and its preview."""
    shape_zyx = _one_or_three(arguments.shape, "--shape")
    with _status(f"synthesizing {shape_zyx}"):
        image, labels = synthesize(
            shape_zyx,
            arguments.seed,
            object_radius_vx=arguments.radius,
            noise=arguments.noise,
            extracellular_vx=arguments.extracellular,
        )
        parameters = {
            "seed": arguments.seed,
            "object_radius_vx": arguments.radius,
            "noise": arguments.noise,
            "extracellular_vx": arguments.extracellular,
        }
        write_volumes(arguments.out, {"image": image, "labels": labels}, parameters)
    preview = arguments.out.with_name(f"{arguments.out.stem}_preview.png")
    _write_png(preview, preview_panels(image, labels))
    console.print(f"{arguments.out}:image\n{arguments.out}:labels\n{preview}", soft_wrap=True)


def run_prepare(arguments: argparse.Namespace, console: Console) -> None:
    """Write the training coordinates of labels and print how they spread over the classes."""
    radius_zyx = _one_or_three(arguments.lom_radius, "--lom-radius")
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("partitions", total=1.0)
        coordinates = prepare_coordinates(
            arguments.labels,
            radius_zyx,
            arguments.min_size,
            on_progress=lambda fraction: progress.update(task, completed=fraction),
        )
    coordinates.save(arguments.out)
    console.print(class_table(coordinates))
    console.print(f"{arguments.out}: {len(coordinates):,} coordinates", soft_wrap=True)


def run_downsample(arguments: argparse.Namespace, console: Console) -> None:
    """Write an image, its labels, or both, at a lower resolution."""
    image, labels = _open_pair(arguments)
    volumes: dict[str, np.ndarray] = {}
    with _status(f"downsampling by {arguments.factor}"):
        if image is not None:
            volumes["image"] = downsample(image, arguments.factor, downsample_image)
        if labels is not None:
            volumes["labels"] = downsample(labels, arguments.factor, downsample_labels)
        sources = {"source": " ".join(v.source for v in (image, labels) if v is not None)}
        write_volumes(arguments.out, volumes, {**sources, "factor": arguments.factor})
    for name, array in volumes.items():
        console.print(f"{arguments.out}:{name} shape zyx {array.shape}", soft_wrap=True)


def run_info(arguments: argparse.Namespace, console: Console) -> None:
    """Print what a volume holds."""
    image, labels = _open_pair(arguments)
    if image is not None:
        console.print(image_table(image))
    if labels is not None:
        console.print(labels_table(labels))
    if image is not None and labels is not None:
        console.print("image and labels have the same shape")


def image_table(image: Volume) -> Table:
    """Shape, type and intensities of an image."""
    mean, stddev = image_statistics(image)
    table = _volume_table("image", image)
    table.add_row("intensity mean", f"{mean:.2f}")
    table.add_row("intensity stddev", f"{stddev:.2f}")
    return table


def labels_table(labels: Volume) -> Table:
    """Shape, type and object sizes of a segmentation."""
    sizes = object_sizes(labels)[1]
    table = _volume_table("labels", labels)
    voxels = int(np.prod(labels.shape_zyx))
    table.add_row("objects", f"{len(sizes):,}")
    table.add_row("background", f"{1 - sizes.sum() / voxels:.2%} of voxels")
    if len(sizes):
        for name, quantile in (("smallest", 0), ("median", 0.5), ("90 %", 0.9), ("largest", 1)):
            table.add_row(f"object size, {name}", f"{np.quantile(sizes, quantile):,.0f} voxels")
        large = sizes[sizes >= PUBLISHED_MIN_SIZE]
        table.add_row(
            f"objects >= {PUBLISHED_MIN_SIZE:,} voxels",
            f"{len(large):,} ({large.sum() / voxels:.1%} of voxels)",
        )
    return table


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


def preview_panels(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(y, x, 3) uint8: image, labels in colour, and both, side by side; the middle z section."""
    middle = image.shape[0] // 2
    grey = np.repeat(image[middle][..., np.newaxis], 3, axis=-1)
    colours = np.random.default_rng(0).integers(50, 256, (int(labels.max()) + 1, 3))
    colours[0] = 0
    coloured = colours[labels[middle]].astype(np.uint8)
    overlay = (0.65 * grey + 0.35 * coloured).astype(np.uint8)
    gap = np.full((grey.shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([grey, gap, coloured, gap, overlay], axis=1)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_synthesize(commands.add_parser)
    _add_prepare(commands.add_parser)
    _add_downsample(commands.add_parser)
    _add_info(commands.add_parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; exit code 2 and one line for what the user can put right."""
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments, Console())
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _add_synthesize(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    text = "write a synthetic EM volume with ground truth, and a preview beside it"
    parser = add_parser("synthesize", help=text, description=text)
    parser.add_argument(
        "--shape",
        type=int,
        nargs="+",
        default=[128],
        metavar="N",
        help="extent in voxels: one number or z y x (default: 128)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    parser.add_argument(
        "--radius",
        type=float,
        default=11.0,
        metavar="VOXELS",
        help="typical radius of a neurite (default: 11)",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=10.0,
        metavar="GREY",
        help="standard deviation of the noise (default: 10)",
    )
    parser.add_argument(
        "--extracellular",
        type=float,
        default=0.0,
        metavar="VOXELS",
        help="label 0 up to this depth below each membrane (default: 0)",
    )
    _add_out(parser, "HDF5 file with datasets image and labels")
    parser.set_defaults(run=run_synthesize)


def _add_prepare(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    text = "compute the training coordinates of labels"
    parser = add_parser("prepare", help=text, description=text)
    parser.add_argument("--labels", required=True, metavar="PATH:DATASET")
    parser.add_argument(
        "--lom-radius",
        type=int,
        nargs="+",
        required=True,
        metavar="R",
        help="half the training canvas in voxels, FOV // 2 + deltas:"
        " one number or z y x; 24 for a FOV of 33 and deltas of 8",
    )
    parser.add_argument(
        "--min-size",
        type=int,
        default=PUBLISHED_MIN_SIZE,
        metavar="VOXELS",
        help="drop smaller objects (default: %(default)s)",
    )
    _add_out(parser, "coordinate file (HDF5)")
    parser.set_defaults(run=run_prepare)


def _add_downsample(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    text = "write an image (mean) and labels (one voxel of each cube) at a lower resolution"
    parser = add_parser("downsample", help=text, description=text)
    _add_pair(parser)
    parser.add_argument("--factor", type=int, default=2, help="(default: 2)")
    _add_out(parser, "HDF5 file with datasets image and labels")
    parser.set_defaults(run=run_downsample)


def _add_info(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    text = "print shape, type, intensities and object sizes; check that a pair fits together"
    parser = add_parser("info", help=text, description=text)
    _add_pair(parser)
    parser.set_defaults(run=run_info)


def _add_pair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", metavar="PATH:DATASET")
    parser.add_argument(
        "--labels",
        metavar="PATH:DATASET",
        help="a transforms dataset beside it is applied (FIB-25)",
    )


def _add_out(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text)


def _one_or_three(values: Sequence[int], option: str) -> Zyx:
    return as_zyx(values[0] if len(values) == 1 else values, option)


def _open_pair(arguments: argparse.Namespace) -> tuple[Volume | None, Volume | None]:
    if not arguments.image and not arguments.labels:
        raise InputError(
            "nothing to read: give --image PATH:DATASET, --labels PATH:DATASET or both"
        )
    image = open_volume(arguments.image) if arguments.image else None
    labels = open_labels(arguments.labels) if arguments.labels else None
    if image is not None and labels is not None:
        check_pair(image, labels)
    return image, labels


def _volume_table(kind: str, volume: Volume) -> Table:
    table = Table(title=kind, title_justify="left", show_header=False)
    table.add_row("source", Text(volume.source, overflow="fold"))
    table.add_row("shape zyx", " x ".join(str(n) for n in volume.shape_zyx))
    table.add_row("type", str(volume.dtype))
    table.add_row("voxels", f"{np.prod(volume.shape_zyx):,}")
    if volume.info:
        table.add_row("applied", volume.info)
    return table


def _write_png(path: Path, pixels: np.ndarray) -> None:
    scale = max(1, round(3 * PREVIEW_PX / pixels.shape[1]))
    enlarged = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    with whole_file(path) as partial:
        Image.fromarray(enlarged).save(partial, format="PNG")


def _status(text: str) -> Status:
    return Console(stderr=True).status(text)


if __name__ == "__main__":
    sys.exit(main())
