"""Write a synthetic EM volume with ground truth, and a preview beside it.

    python -m experiments.data synthesize --shape 128 --out volume.h5
    python -m experiments.data synthesize --shape 64 192 192 --seed 2 --out other.h5

The same options give the same volume.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from experiments.data.arguments import (
    AddParser,
    add_labels_box,
    add_out,
    checked_outputs,
    labels_box,
    one_or_three,
    status,
)
from experiments.data.cache import write_volumes
from ffn_core.limits.arguments import add_real, add_voxel_size, add_whole
from ffn_core.limits.memory import require_memory, synthesis_bytes
from ffn_core.limits.ranges import MOST_EXTENT, MOST_SEED, Range
from ffn_core.sampling.partial_labels import box_of, inside_only
from ffn_core.synthetic.neurites import (
    MIN_EXTENT,
    MIN_RADIUS_VX,
    cubes_of,
    synthesize_sections,
)
from ffn_core.volumes import Placement, known_voxel_nm, whole_file

PREVIEW_PX = 480
"""Panels of a preview are enlarged, by a whole factor, to about this width."""


def preview_panels(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(y, x, 3) uint8: image, labels in color, and both, side by side; the middle z section."""
    middle = image.shape[0] // 2
    gray = np.repeat(image[middle][..., np.newaxis], 3, axis=-1)
    colors = np.random.default_rng(0).integers(50, 256, (int(labels.max()) + 1, 3))
    colors[0] = 0
    colored = colors[labels[middle]].astype(np.uint8)
    overlay = (0.65 * gray + 0.35 * colored).astype(np.uint8)
    gap = np.full((gray.shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([gray, gap, colored, gap, overlay], axis=1)


def write_preview(path: Path, pixels: np.ndarray) -> None:
    """Write (y, x, 3) uint8 panels as an enlarged PNG."""
    scale = max(1, round(3 * PREVIEW_PX / pixels.shape[1]))
    enlarged = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    with whole_file(path) as partial:
        Image.fromarray(enlarged).save(partial, format="PNG")


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "write a synthetic EM volume with ground truth, and a preview beside it"
    parser = add_parser("synthesize", help=text, docstring=__doc__)
    add_whole(
        parser,
        "--shape",
        Range(at_least=MIN_EXTENT, at_most=MOST_EXTENT),
        "extent in voxels: one number or z y x (default: 128)",
        nargs="+",
        default=[128],
        metavar="N",
    )
    seeds = Range(at_least=0, at_most=MOST_SEED)
    add_whole(parser, "--seed", seeds, "of everything random (default: 0)", default=0)
    add_real(
        parser,
        "--radius",
        Range(at_least=MIN_RADIUS_VX, at_most=1e4),
        "typical radius of a neurite (default: 11)",
        default=11.0,
        metavar="VOXELS",
    )
    add_real(
        parser,
        "--noise",
        Range(at_least=0, at_most=1e4),
        "standard deviation of the noise (default: 10)",
        default=10.0,
        metavar="GRAY",
    )
    add_real(
        parser,
        "--extracellular",
        Range(at_least=0, at_most=1e4),
        "label 0 up to this depth below each membrane (default: 0)",
        default=0.0,
        metavar="VOXELS",
    )
    add_voxel_size(parser, "cubes of no size; others than cubes are cut from finer ones")
    add_labels_box(parser, "voxels outside are labeled 0, as if they had not been annotated")
    add_out(parser, "HDF5 file with datasets image and labels")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    shape_zyx = one_or_three(arguments.shape, "--shape")
    preview = arguments.out.with_name(f"{arguments.out.stem}_preview.png")
    outputs = checked_outputs(arguments, "synthesize", preview)
    voxel_nm = known_voxel_nm(arguments.voxel_size_nm)
    corners = labels_box(arguments)
    box = None if corners is None else box_of(corners, "--labels-box", shape_zyx)
    made_zyx = cubes_of(shape_zyx, voxel_nm or (1.0, 1.0, 1.0))
    need = {f"--shape {' '.join(map(str, shape_zyx))}": synthesis_bytes(made_zyx)}
    require_memory(need, "the volume")
    with status(f"synthesizing {shape_zyx}"):
        image, labels = synthesize_sections(
            shape_zyx,
            voxel_nm or (1.0, 1.0, 1.0),
            arguments.seed,
            object_radius_vx=arguments.radius,
            noise=arguments.noise,
            extracellular_vx=arguments.extracellular,
        )
        if box is not None:
            labels = inside_only(labels, box)
        parameters = {
            "seed": arguments.seed,
            "object_radius_vx": arguments.radius,
            "noise": arguments.noise,
            "extracellular_vx": arguments.extracellular,
        }
        with outputs.place(arguments.out) as path:
            volumes = {"image": image, "labels": labels}
            write_volumes(path, volumes, parameters, dict.fromkeys(volumes, Placement(voxel_nm)))
    with outputs.place(preview) as path:
        write_preview(path, preview_panels(image, labels))
    console.print(f"{arguments.out}:image\n{arguments.out}:labels\n{preview}", soft_wrap=True)
