"""Write an image (mean), its labels (one voxel of each cube), or both, at a lower resolution.

    python -m experiments.data downsample --image v.h5:image --labels v.h5:labels --out half.h5
    python -m experiments.data downsample --image v.h5:image --factor 4 --out quarter.h5

Voxel sizes and offsets follow.
"""

import argparse

import numpy as np
from rich.console import Console

from experiments.data.arguments import (
    AddParser,
    add_out,
    add_pair,
    checked_outputs,
    open_pair,
    status,
)
from experiments.data.cache import write_volumes
from ffn_core.limits.arguments import add_whole
from ffn_core.limits.ranges import MOST_EXTENT, Range
from ffn_core.volumes import downsample, downsample_image, downsample_labels


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "write an image (mean) and labels (one voxel of each cube) at a lower resolution"
    parser = add_parser("downsample", help=text, docstring=__doc__)
    add_pair(parser)
    factors = Range(at_least=1, at_most=MOST_EXTENT)
    add_whole(parser, "--factor", factors, "along each axis (default: 2)", default=2)
    add_out(parser, "HDF5 file with datasets image and labels")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    image, labels = open_pair(arguments)
    outputs = checked_outputs(arguments, "downsample", volumes=(arguments.image, arguments.labels))
    volumes: dict[str, np.ndarray] = {}
    with status(f"downsampling by {arguments.factor}"):
        if image is not None:
            volumes["image"] = downsample(image, arguments.factor, downsample_image)
        if labels is not None:
            volumes["labels"] = downsample(labels, arguments.factor, downsample_labels)
        sources = {"source": " ".join(v.source for v in (image, labels) if v is not None)}
        with outputs.place(arguments.out) as path:
            placements = {
                name: volume.placement.coarser(arguments.factor)
                for name, volume in (("image", image), ("labels", labels))
                if volume is not None
            }
            write_volumes(path, volumes, {**sources, "factor": arguments.factor}, placements)
    for name, array in volumes.items():
        console.print(f"{arguments.out}:{name} shape zyx {array.shape}", soft_wrap=True)
    whole = next(volume for volume in (image, labels) if volume is not None).shape_zyx
    if dropped := [n % arguments.factor for n in whole if n % arguments.factor]:
        console.print(
            f"left out: the last {max(dropped)} voxels of axes whose extent in {whole} (zyx) is no"
            f" multiple of {arguments.factor}",
            soft_wrap=True,
        )
