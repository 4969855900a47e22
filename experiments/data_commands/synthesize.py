"""Write a synthetic volume and its preview."""

import argparse

from rich.console import Console

from experiments.data_commands.arguments import AddParser, add_out, one_or_three, status
from experiments.prepared_data import write_volumes
from experiments.preview import preview_panels, write_preview
from ffn_core.synthetic import synthesize


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
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
    add_out(parser, "HDF5 file with datasets image and labels")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    shape_zyx = one_or_three(arguments.shape, "--shape")
    with status(f"synthesizing {shape_zyx}"):
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
    write_preview(preview, preview_panels(image, labels))
    console.print(f"{arguments.out}:image\n{arguments.out}:labels\n{preview}", soft_wrap=True)
