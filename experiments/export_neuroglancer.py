"""``python -m experiments.export_neuroglancer FOLDER [--view]``: a segmentation for neuroglancer.

FOLDER is one of `experiments.segment`. Image, segmentation and, if it was scored, ground truth of
its region are written as precomputed volumes, which every neuroglancer can open from a web server:
``precomputed://URL/image``. ``--view`` shows them in a viewer on this machine (``uv sync --group
viewer``).
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import segment_files
from experiments.precomputed import IMAGE, SEGMENTATION, Kind, Size, scales, write_precomputed
from experiments.reporting import run_files
from experiments.reporting.exit_codes import EXIT_INPUT
from experiments.reporting.terminal import Screen
from experiments.segment_files import load_config
from ffn_core.errors import InputError
from ffn_core.geometry import Box
from ffn_core.volumes import Volume, open_labels, open_volume

FOLDER = "neuroglancer"


@dataclass(frozen=True)
class Layer:
    """One volume to export: its name, what it is, where from, and which part of it."""

    name: str
    kind: Kind
    volume: Volume
    box: Box


def layers_of(folder: Path) -> tuple[Box, list[Layer]]:
    """What a segmentation's folder can show: its region, and the volumes that cover it.

    Raises:
        InputError: There is no finished segmentation in it.
    """
    if not (folder / run_files.RESULT).is_file():
        raise InputError(
            f"{folder} holds no finished segmentation (no {run_files.RESULT}); give a folder that"
            " experiments.segment has made"
        )
    config = load_config(folder)
    region = config.grid.region
    assert config.image is not None
    ids = open_labels(segment_files.result(folder))
    layers = [
        Layer("image", IMAGE, open_volume(config.image), region),
        Layer("segmentation", SEGMENTATION, ids, Box((0, 0, 0), region.shape_zyx)),
    ]
    if config.labels:
        layers.append(Layer("ground_truth", SEGMENTATION, open_labels(config.labels), region))
    return region, layers


def export(folder: Path, out: Path, voxel_nm: Size, screen: Screen) -> list[Path]:
    """Write every layer of a segmentation's folder below ``out``; returns their folders."""
    region, layers = layers_of(folder)
    written = []
    for layer in layers:
        path = out.absolute() / layer.name
        write_precomputed(path, layer.volume, layer.box, layer.kind, voxel_nm, region.start_zyx)
        count = scales(path)
        screen.say(f"{layer.name}: {path} ({count} scale{'s' if count > 1 else ''})")
        written.append(path)
    return written


def view(volumes: Sequence[Path], screen: Screen) -> None:
    """Show exported volumes in a local viewer until Ctrl-C."""
    # Imported here: an optional package that only this needs.
    from experiments.viewer import start_viewer

    image, *segmentations = volumes
    viewer = start_viewer(image, segmentations)
    screen.say(f"open {viewer} in a browser; Ctrl-C ends the viewer")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _size(values: Sequence[float]) -> Size:
    z, y, x = values
    if min(values) <= 0:
        raise InputError(f"--voxel-size-nm {z:g} {y:g} {x:g}: edges of a voxel must be above 0")
    return z, y, x


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.export_neuroglancer", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="folder of experiments.segment")
    parser.add_argument("--out", type=Path, help=f"default: FOLDER/{FOLDER}")
    parser.add_argument(
        "--voxel-size-nm",
        type=float,
        nargs=3,
        default=[1.0, 1.0, 1.0],
        metavar=("Z", "Y", "X"),
        help="edges of a voxel in nm (default: 1 1 1)",
    )
    parser.add_argument("--view", action="store_true", help="show them in a viewer here")
    options = parser.parse_args(argv)
    screen = Screen()
    try:
        out = options.out or options.folder / FOLDER
        volumes = export(options.folder, out, _size(options.voxel_size_nm), screen)
        if options.view:
            view(volumes, screen)
    except InputError as error:
        screen.error(str(error))
        return EXIT_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
