"""Export a network for other programs.

    python -m experiments.export RUN --to savedmodel --out network
    python -m experiments.export RUN --to onnx --out network.onnx

RUN is the name or folder of a run, a checkpoint folder in one, or a TensorFlow 1 checkpoint without
extension. The format is one of

google-ffn   a folder: a TensorFlow 1 checkpoint that google/ffn's inference loads, and a request
savedmodel   a folder: a TensorFlow SavedModel of one step, ``assets.extra/network.json`` about it
onnx         a file: the same step for onnxruntime and others (needs ``uv sync --extra onnx``)

One step takes the normalized image and the logits of the mask in one field of view, and gives the
new logits. What was written is read back, and its logits are compared, before it is kept.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from experiments.config.schema import WEIGHTS
from experiments.config.schema.data import MOST_INTENSITY
from experiments.config.schema.model import DELTA, FOV_EDGE
from experiments.config.trained_network import (
    RUNS_DIR,
    TrainedNetwork,
    find_network,
    load_network,
)
from experiments.reporting.terminal import Terminal
from ffn_core.command import command
from ffn_core.errors import InputError
from ffn_core.exchange.description import Description
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.geometry import FovGeometry, to_zyx
from ffn_core.limits.arguments import CommandParser, add_real, add_whole
from ffn_core.limits.ranges import SMALLEST, Range
from ffn_core.model_size import ModelSize
from ffn_core.runtime import allow_tf32, before_tensorflow, without_remapping
from ffn_core.seed import SeedValues
from ffn_core.training import checkpoint

if TYPE_CHECKING:
    from ffn_core.model import ConvStack

GOOGLE_FFN, SAVED_MODEL, ONNX = FORMATS = ("google-ffn", "savedmodel", "onnx")
BEST, NEWEST = CHECKPOINTS = ("best", "newest")
MOST_DIFFERENCE: Final = 1e-4
"""Between logits, relative to the largest of them if that is above 1.

float32 sums in another order differ by less, another network by more.
"""


def export(
    network: TrainedNetwork, weights: str, form: str, out: Path, outputs: Outputs, say: Terminal
) -> None:
    """Write a network in one of `FORMATS`, once its logits are as they should be.

    Args:
        network: To be exported, with its normalization known.
        weights: Which of the checkpoint, one of `WEIGHTS`.
        form: One of `FORMATS`.
        out: File or folder to write.
        outputs: Of this command.
        say: Where to say what was done.

    Raises:
        InputError: The checkpoint is damaged, or something is missing or in the way.
    """
    from ffn_core.exchange import google_ffn, onnx_graph, saved_model

    if form == ONNX:
        _ = onnx_graph.require("onnx"), onnx_graph.require("onnxruntime")
    if network.precision != "float32":
        say.warn(
            f"the network was trained in {network.precision}: exported, it computes in float32"
        )
    model = load_network(network.path, weights)
    described = describe(network, weights, model.size)
    image, seed = sample(described)
    with outputs.place(out) as partial:
        if form == GOOGLE_FFN:
            google_ffn.write(partial, model, described, out.absolute())
            found = google_ffn.read_back(partial, described, image, seed)
        elif form == SAVED_MODEL:
            saved_model.write(partial, model, described)
            found = saved_model.read_back(partial, image, seed)
        else:
            onnx_graph.write(partial, [w.numpy() for w in model.weights], described)
            found = onnx_graph.read_back(partial, image, seed)
        expected = logits_of(model, image, seed)
        difference = float(np.abs(expected - found).max())
        if not difference <= MOST_DIFFERENCE * max(1.0, float(np.abs(expected).max())):
            raise InputError(f"{form}: read back, logits differ by {difference:.3g}; nothing kept")
    say.say(
        f"{out}: {described.source}, {described.size.parameters:,} parameters, FOV"
        f" {described.geometry.fov_zyx} (zyx); read back, its logits differ by {difference:.2g} at"
        " most"
    )


def describe(network: TrainedNetwork, weights: str, size: ModelSize) -> Description:
    """What is said of a network beside its weights.

    Raises:
        InputError: Its normalization is not known.
    """
    mean, stddev = normalization(network)
    number = re.search(r"-(\d+)$", network.path.name)
    name = network.path.name
    if network.run is not None:
        if not checkpoint.load(network.path).averaged:
            weights = "raw"  # as those of older runs, which kept no average
        name = f"{network.path.parent.parent.name}, {name}, {weights} weights"
    return Description(
        size,
        network.geometry,
        mean,
        stddev,
        int(number[1]) if number else 0,
        name,
        network.run.seed_values if network.run else SeedValues(),
    )


def normalization(network: TrainedNetwork) -> tuple[float, float]:
    """Mean and standard deviation of the intensities a network was trained on.

    Raises:
        InputError: They are not known.
    """
    if network.mean is None or network.stddev is None:
        raise InputError(
            f"{network.path} does not say how intensities were normalized: give --mean and --stddev"
            " (the published FIB-25 network: --mean 128 --stddev 33)"
        )
    return network.mean, network.stddev


def sample(described: Description) -> tuple[np.ndarray, np.ndarray]:
    """An image of noise and a seed that has grown a little, each (1, z, y, x, 1) float32."""
    rng = np.random.default_rng(0)
    shape = described.geometry.fov_zyx
    image = rng.normal(size=(1, *shape, 1)).astype(np.float32)
    seed = described.seed_values.canvas(shape) + rng.normal(size=shape).astype(np.float32)
    return image, seed[None, ..., None]


def logits_of(model: ConvStack, image: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """What the network itself gives, (1, z, y, x, 1) float32."""
    import tensorflow as tf

    return np.asarray(model(tf.constant(image), tf.constant(seed)))


def _files_of(network: TrainedNetwork) -> list[Path]:
    """What is read; a TensorFlow checkpoint is several files with one beginning."""
    path = network.path
    return [path] if path.is_dir() else [*path.parent.glob(f"{path.name}.*")]


def _as_given(network: TrainedNetwork, options: argparse.Namespace) -> TrainedNetwork:
    """A network with what the command line says instead."""
    fov = options.fov_zyx or network.geometry.fov_zyx
    deltas = options.deltas_zyx or network.geometry.deltas_zyx
    return replace(
        network,
        geometry=FovGeometry(to_zyx(fov), to_zyx(deltas)),
        mean=network.mean if options.mean is None else options.mean,
        stddev=network.stddev if options.stddev is None else options.stddev,
    )


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("experiments.export", __doc__)
    parser.add_argument("network", help="run by name or folder, checkpoint folder, or TF 1 path")
    parser.add_argument("--to", choices=FORMATS, required=True, help="the format")
    parser.add_argument("--out", type=Path, required=True, help="file or folder to write")
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        default=WEIGHTS[0],
        help="their moving average, where one was kept, or as they are (default: %(default)s)",
    )
    parser.add_argument(
        "--checkpoint",
        choices=CHECKPOINTS,
        default=BEST,
        help="of a run: that of its best evaluation, or its newest (default: %(default)s)",
    )
    parser.add_argument(
        "--runs-dir", default=RUNS_DIR, help="where runs are looked for by name (default: runs)"
    )
    intensity = Range(at_least=-MOST_INTENSITY, at_most=MOST_INTENSITY)
    add_real(parser, "--mean", intensity, "subtracted from intensities; default: as in training")
    spread = Range(at_least=SMALLEST, at_most=MOST_INTENSITY)
    add_real(parser, "--stddev", spread, "intensities are divided by it; default: as in training")
    axes = ("Z", "Y", "X")
    add_whole(
        parser,
        "--fov-zyx",
        FOV_EDGE,
        "edges of the FOV; default: as in training (TF 1: 33)",
        nargs=3,
        metavar=axes,
    )
    add_whole(
        parser,
        "--deltas-zyx",
        DELTA,
        "voxels of a move; default: as in training (TF 1: 8)",
        nargs=3,
        metavar=axes,
    )
    add_overwrite(parser)
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(argv)
    terminal = Terminal()
    return terminal.exit_code_of(lambda: _export(options, terminal))


def _export(options: argparse.Namespace, terminal: Terminal) -> None:
    """Find the network that was asked for, and export it."""
    newest = options.checkpoint == NEWEST
    found = find_network(options.network, "NETWORK", options.runs_dir, newest)
    network = _as_given(found, options)
    outputs = Outputs("experiments.export", _files_of(network), options.overwrite, terminal.say)
    outputs.check([options.out])
    normalization(network)
    before_tensorflow()
    without_remapping()
    allow_tf32("float32")
    export(network, options.weights, options.to, options.out, outputs, terminal)


if __name__ == "__main__":
    sys.exit(main())
