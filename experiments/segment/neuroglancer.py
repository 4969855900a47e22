"""A segmentation for neuroglancer: its volumes exported, and a local viewer on them."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reporting import run_files
from experiments.reporting.terminal import Terminal
from experiments.segment import segmentation_files
from experiments.segment.folder import changed_inputs
from experiments.segment.precomputed import (
    IMAGE,
    SEGMENTATION,
    Kind,
    open_precomputed,
    scales,
    write_precomputed,
)
from experiments.segment.segmentation_files import load_config
from ffn_core.errors import InputError
from ffn_core.files.outputs import Outputs
from ffn_core.geometry import Box, to_zyx
from ffn_core.volumes import (
    DEFAULT_CACHE_BYTES,
    Volume,
    known_voxel_nm,
    open_labels,
    open_volume,
    stored_at,
    voxel_size_doubt,
)

VOXEL_SIZE = "--voxel-size-nm"

SHOWN_AS_SURFACES = 10
"""How many of the largest segments are chosen, and so have their surface shown."""

_IN_MEMORY_BYTES = 2 * 1024**3
_AXES = ("x", "y", "z")
_FROM_A_CORNER = (0.40, 0.29, 0.14, 0.86)  # quaternion


def start_viewer(
    image: Path, segmentations: Sequence[Path], bind_address: str = "127.0.0.1"
) -> Any:
    """Serve a viewer of an image with segmentations over it, all but the first hidden.

    Surfaces are made on demand, for volumes that fit into memory.

    Returns:
        The ``neuroglancer.Viewer``; the address is its text.

    Raises:
        InputError: neuroglancer is not installed.
    """
    try:
        neuroglancer = importlib.import_module("neuroglancer")
    except ModuleNotFoundError:
        raise InputError("the viewer is not installed: uv sync --group viewer") from None
    neuroglancer.set_server_bind_address(bind_address)
    viewer = neuroglancer.Viewer()
    store = open_precomputed(image)
    with viewer.txn() as state:
        state.dimensions = _space(neuroglancer, store)
        state.layers[image.name] = neuroglancer.ImageLayer(
            source=_source(neuroglancer, image, "image"),
            shader_controls={"normalized": {"range": intensity_range(image)}},
        )
        for number, folder in enumerate(segmentations):
            state.layers[folder.name] = neuroglancer.SegmentationLayer(
                source=_source(neuroglancer, folder, "segmentation"),
                segments=largest_segments(folder, SHOWN_AS_SURFACES),
                not_selected_alpha=0.3,
            )
            state.layers[folder.name].visible = number == 0
        state.position = [o + n / 2 for o, n in zip(store.origin, store.shape, strict=True)]
        state.cross_section_scale = max(store.shape) / 400
        state.projection_scale = 2.0 * max(store.shape)
        state.projection_orientation = _FROM_A_CORNER
        state.show_slices = False
        state.layout = "4panel"
    return viewer


def largest_segments(folder: Path, count: int) -> list[int]:
    """The ids with the most voxels, largest first, as counted at the coarsest scale."""
    ids = open_precomputed(folder, scales(folder) - 1).read().result()
    names, voxels = np.unique(ids[ids != 0], return_counts=True)
    return [int(name) for name in names[np.argsort(-voxels, kind="stable")][:count]]


def intensity_range(folder: Path) -> list[float]:
    """What is shown as black and as white: the 0.5 and 99.5 percentile at the coarsest scale."""
    coarse = open_precomputed(folder, scales(folder) - 1).read().result()
    low, high = (float(p) for p in np.percentile(coarse, (0.5, 99.5)))
    return [low, high if high > low else low + 1.0]


def _space(neuroglancer: Any, store: Any) -> Any:
    sizes = [unit.multiplier for unit in store.dimension_units]
    return neuroglancer.CoordinateSpace(names=_AXES, units="nm", scales=sizes)


def _source(neuroglancer: Any, folder: Path, kind: str) -> Any:
    store = open_precomputed(folder)
    small = store.size * store.dtype.numpy_dtype.itemsize <= _IN_MEMORY_BYTES
    return neuroglancer.LocalVolume(
        store.read().result() if small else store,
        dimensions=_space(neuroglancer, store),
        volume_type=kind,
        voxel_offset=store.origin,
    )


@dataclass(frozen=True)
class Layer:
    """One volume to export: its name, what it is, where from, and which part of it."""

    name: str
    kind: Kind
    volume: Volume
    box: Box


def layers_of(folder: Path) -> tuple[Box, list[Layer], list[Path]]:
    """What a segmentation's folder can show: its region, and the volumes that cover it.

    Also returns the files and folders that these are stored in.

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
    ids = open_labels(segmentation_files.result(folder))
    layers = [
        Layer("image", IMAGE, open_volume(config.image), region),
        Layer("segmentation", SEGMENTATION, ids, Box((0, 0, 0), region.shape_zyx)),
    ]
    if (truth := config.open_truth(DEFAULT_CACHE_BYTES)) is not None:
        layers.append(Layer("ground_truth", SEGMENTATION, truth, region))
    sources = [config.image, segmentation_files.result(folder), config.labels]
    return region, layers, [path for spec in sources if spec for path in stored_at(spec)]


def exported(folder: Path, out: Path) -> list[Path]:
    """Folders of all layers of a segmentation below ``out``; empty unless all were exported."""
    written = [out.absolute() / layer.name for layer in layers_of(folder)[1]]
    return written if all((path / "info").is_file() for path in written) else []


def export(
    folder: Path,
    out: Path,
    voxel_size_nm: Sequence[float] | None,
    terminal: Terminal,
    overwrite: bool = False,
) -> list[Path]:
    """Write every layer of a segmentation's folder below ``out``; returns their folders.

    Args:
        folder: of the segmentation.
        out: folder of the export.
        voxel_size_nm: edges of a voxel; None for those of the segmentation.
        terminal: where it is said what was written, and what is doubtful.
        overwrite: replace an earlier export.

    Raises:
        InputError: A layer would touch a volume it is made from, or anything else that is there;
            an earlier export is replaced with ``overwrite``.
    """
    region, layers, inputs = layers_of(folder)
    outputs = Outputs("experiments.export_neuroglancer", inputs, overwrite, terminal.say)
    written = [out.absolute() / layer.name for layer in layers]
    outputs.check(written)
    config = load_config(folder)
    for name in sorted(changed_inputs(folder, config)):
        terminal.warn(f"the {name} of {folder} has changed since: exported as it is now")
    placement = layers[0].volume.placement
    if doubt := voxel_size_doubt(voxel_size_nm, placement, VOXEL_SIZE):
        terminal.warn(doubt)
    voxel_nm = known_voxel_nm(voxel_size_nm or config.voxel_size_nm, placement)
    if voxel_nm is None:
        terminal.warn(f"nothing says how large voxels are: 1 nm; {VOXEL_SIZE} gives their edges")
        voxel_nm = (1.0, 1.0, 1.0)
    first = to_zyx(round(n) for n in placement.offset_zyx or (0, 0, 0))
    start = to_zyx(a + b for a, b in zip(first, region.start_zyx, strict=True))
    for path, layer in zip(written, layers, strict=True):
        with outputs.place(path) as partial:
            write_precomputed(partial, layer.volume, layer.box, layer.kind, voxel_nm, start)
        count = scales(path)
        terminal.say(f"{layer.name}: {path} ({count} scale{'s' if count > 1 else ''})")
    return written


def view(volumes: Sequence[Path], terminal: Terminal) -> None:
    """Show exported volumes in a local viewer until Ctrl-C."""
    image, *segmentations = volumes
    viewer = start_viewer(image, segmentations)
    terminal.say(f"open {viewer} in a browser; Ctrl-C ends the viewer")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
