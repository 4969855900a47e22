"""Look at a volume, and print the command of a first training run with its reasons.

    python -m experiments.data plan volume.h5:image volume.h5:labels
    python -m experiments.data plan volume.h5:image volume.h5:labels --voxel-size-nm 30 8 8

Nothing is trained or written.
"""

import argparse
import shlex
import time

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.data.arguments import (
    AddParser,
    add_labeled,
    labels_box,
    open_pair,
    status,
    warn,
)
from experiments.reporting.progress import duration
from ffn_core.limits.arguments import add_voxel_size
from ffn_core.planning.fingerprint import measure
from ffn_core.planning.proposal import NODES, Choice, Proposal, propose
from ffn_core.volumes import (
    axis_order_doubt,
    known_voxel_nm,
    short_name,
    voxel_size_doubt,
)

_TIMED_S = 2.0
"""How long steps are timed, after one that traces the network."""


def add(add_parser: AddParser) -> None:
    """Describe the command line."""
    text = "look at a volume, and print the command of a first training run with its reasons"
    parser = add_parser("plan", help=text, docstring=__doc__)
    parser.add_argument("image", metavar="IMAGE", help="volume of intensities")
    parser.add_argument("labels", metavar="LABELS", help="volume of object ids")
    add_labeled(parser)
    add_voxel_size(parser, "what the volumes say, or a cube")
    parser.add_argument("--untimed", action="store_true", help="time no training step here")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Carry the command out."""
    image, labels = open_pair(arguments)
    assert image is not None
    assert labels is not None
    given = arguments.voxel_size_nm
    voxel_nm = known_voxel_nm(given, image.placement, labels.placement)
    doubts = voxel_size_doubt(given, image.placement, "--voxel-size-nm"), axis_order_doubt(voxel_nm)
    for doubt in filter(None, doubts):
        warn(doubt)
    with status("measuring the volume"):
        proposal = propose(measure(image, labels, voxel_nm))
    choices = [Choice(data_options(arguments), "as given"), *proposal.choices]
    if not arguments.untimed:
        with status(f"timing steps of model={proposal.network.name}"):
            choices.append(_time(proposal, timed_fovs_per_second(proposal)))
    console.print(choice_table(choices))
    options = [option for choice in choices for option in choice.options]
    console.print("\nThe complete command; add sweep.dry_run=true to start nothing yet:\n")
    print(shlex.join(["python", "-m", "experiments.train", *options]))


def data_options(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Options that name the data as they were given."""
    options = ["data=files", f"data.name={short_name(arguments.image)}"]
    options += [f"data.image={arguments.image}", f"data.labels={arguments.labels}"]
    if (corners := labels_box(arguments)) is not None:
        options.append(f"data.labels_box={corners}".replace(" ", ""))
    if arguments.labels_mask:
        options.append(f"data.labels_mask={arguments.labels_mask}")
    if arguments.voxel_size_nm is not None:
        edges = ",".join(f"{edge:g}" for edge in arguments.voxel_size_nm)
        options.append(f"data.voxel_size_nm=[{edges}]")
    return tuple(options)


def choice_table(choices: list[Choice]) -> Table:
    """Options and their reasons."""
    table = Table(title="proposed options", title_justify="left", show_lines=True)
    table.add_column("option", overflow="fold")
    table.add_column("why")
    for choice in choices:
        table.add_row(Text("\n".join(choice.options)), Text(choice.reason))
    return table


def timed_fovs_per_second(proposal: Proposal) -> float:
    """FOVs per second of training on this machine: steps of one process on noise, all cores."""
    import tensorflow as tf

    from ffn_core.training.train_step import make_train_step

    network, geometry = proposal.network, proposal.geometry
    micro = min(network.micro_batch_size, NODES)
    step = make_train_step(
        network.size,
        0,
        "adam",
        {},
        reduce_sum=tf.identity,
        fovs_per_step=NODES,
        micro_batch=micro,
        clip=0.7,
    )
    rng = np.random.default_rng(0)
    image, seed = rng.standard_normal((2, micro, *geometry.fov_zyx, 1)).astype(np.float32)

    def take_step() -> None:
        for _ in range(NODES // micro):
            step.accumulate(image, seed, image > 0)
        step.apply(step.reduce(), 0.0)

    take_step()  # traces
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < _TIMED_S or steps < 2:
        take_step()
        steps += 1
    return steps * NODES / elapsed


def _time(proposal: Proposal, rate: float) -> Choice:
    fovs = proposal.network.fovs
    return Choice(
        (),
        f"about {duration(fovs / rate)} of training on this machine: {rate:.3g} FOVs/s, timed over"
        f" {_TIMED_S:g} s of steps in one process; scoring and reading of canvases come on top",
    )
