"""Print shape, type, intensities and object sizes of a volume; check that a pair fits together.

    python -m experiments.data info --image volume.h5:image
    python -m experiments.data info --image volume.h5:image --labels volume.h5:labels

Nothing is written.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.config.schema import DataConfig
from experiments.data.arguments import AddParser, add_labeled, add_pair, open_pair
from ffn_core.sampling.partial_labels import PartialLabels, labeled_voxels
from ffn_core.sampling.partitions import PUBLISHED_MIN_SIZE, object_sizes
from ffn_core.volumes import Volume, image_statistics


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "print shape, type, intensities and object sizes; check that a pair fits together"
    parser = add_parser("info", help=text, docstring=__doc__)
    add_pair(parser)
    add_labeled(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    image, labels = open_pair(arguments)
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
    of = "voxels"
    if isinstance(labels, PartialLabels):
        labeled = labeled_voxels(labels)
        table.add_row("labeled", f"{labeled:,} ({labeled / voxels:.2%} of voxels)")
        voxels, of = labeled, "labeled voxels"
    table.add_row("background", f"{1 - sizes.sum() / voxels:.2%} of {of}")
    if len(sizes):
        for name, quantile in (("smallest", 0), ("median", 0.5), ("90 %", 0.9), ("largest", 1)):
            table.add_row(f"object size, {name}", f"{np.quantile(sizes, quantile):,.0f} voxels")
        for least in (DataConfig.min_object_voxels, PUBLISHED_MIN_SIZE):
            large = sizes[sizes >= least]
            table.add_row(
                f"data.min_object_voxels={least} keeps",
                f"{len(large):,} of {len(sizes):,} objects ({large.sum() / voxels:.1%} of {of})",
            )
    return table


def _volume_table(kind: str, volume: Volume) -> Table:
    table = Table(title=kind, title_justify="left", show_header=False)
    table.add_row("source", Text(volume.source, overflow="fold"))
    table.add_row("shape zyx", " x ".join(str(n) for n in volume.shape_zyx))
    table.add_row("type", str(volume.dtype))
    table.add_row("voxels", f"{np.prod(volume.shape_zyx):,}")
    where = volume.placement
    if where.voxel_nm is not None:
        table.add_row("voxel size zyx", " x ".join(f"{n:g}" for n in where.voxel_nm) + " nm")
    if where.offset_zyx is not None:
        offset = ", ".join(f"{n:g}" for n in where.offset_zyx)
        table.add_row("first voxel zyx", f"({offset})")
    if volume.info:
        table.add_row("applied", volume.info)
    return table
