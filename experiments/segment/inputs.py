"""Whether image and labels are still what a segmentation and its scores were made of.

Files may change in place, and one file may hold both: when sizes or times of files are other ones,
the voxels of the region decide.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from experiments.reporting import run_files
from experiments.segment.config import ResolvedSegment
from experiments.segment.segmentation_files import INPUTS
from ffn_core.volumes import (
    IDS,
    INTENSITIES,
    check_pair,
    doubts,
    open_labels,
    open_volume,
    state_of,
    voxel_digest,
)

_FILES, _VOXELS = "files", "voxels"

State = dict[str, dict[str, str]]
"""For ``image`` and ``labels``: state of their files, and of their voxels in the region."""


def check_inputs(config: ResolvedSegment, warn: Callable[[str], object]) -> State:
    """Read what a segmentation is made of once; returns its state.

    ``warn`` takes what is doubtful about it.

    Raises:
        InputError: Nothing of it is stored; intensities of the region are not finite, or labels no
            ids.
    """
    image = open_volume(config.image, cache_bytes=0)
    labels = open_labels(config.labels, cache_bytes=0) if config.labels else None
    said = doubts(image, labels)
    if labels is not None:
        said.append(check_pair(image, labels))
    for doubt in filter(None, said):
        warn(doubt)
    files = _files(config)
    return {name: {_FILES: files[name], _VOXELS: _voxels(config, name)} for name in files}


def write_inputs(folder: Path, state: State) -> None:
    """Keep the state of what a segmentation, or its scores, are made of."""
    run_files.write_json(folder / INPUTS, state)


def changed_inputs(folder: Path, config: ResolvedSegment) -> set[str]:
    """Which of ``image`` and ``labels`` have changed since the results in a folder were made.

    Of volumes on servers, and of folders from before this was kept, that is not known.
    """
    known: State = run_files.read_json(folder / INPUTS) or {}
    return {
        name
        for name, files in _files(config).items()
        if name in known
        and known[name][_FILES] != files
        and known[name][_VOXELS] != _voxels(config, name)
    }


def _files(config: ResolvedSegment) -> dict[str, str]:
    specs = {"image": config.image, "labels": config.labels}
    return {name: state_of(spec) for name, spec in specs.items() if spec}


def _voxels(config: ResolvedSegment, name: str) -> str:
    region = config.region.box
    if name == "image":
        return voxel_digest(open_volume(config.image, cache_bytes=0), region, INTENSITIES)
    return voxel_digest(open_labels(str(config.labels), cache_bytes=0), region, IDS)
