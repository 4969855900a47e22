"""Whether a segmentation may be written to a folder: a new one, its own, or by request another's.

Its own is of the same settings and the same image and labels. These may change in place, and one
file may hold both: when sizes or times of files are other ones, the voxels of the region decide.

A folder of `experiments.segment` is known by its ``config.yaml``, which no other program writes.
In any other folder with something in it nothing is written or removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.reporting import run_files
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedSegment
from experiments.segment.segmentation_files import EVALUATION, INPUTS
from ffn_core.errors import DamagedError, InputError
from ffn_core.files import writing
from ffn_core.files.outputs import clash, real_path
from ffn_core.volumes import (
    IDS,
    INTENSITIES,
    check_pair,
    doubts,
    open_volume,
    state_of,
    stored_at,
    voxel_digest,
)

_SMALL_FILES = (
    run_files.RESULT,  # first: without it nothing counts as complete
    EVALUATION,
    run_files.STOP,
    run_files.FAILURE,
    segmentation_files.TODO,
    segmentation_files.INPUTS,
    segmentation_files.SEGMENTATION,
)
_FILES, _VOXELS = "files", "voxels"

State = dict[str, dict[str, str]]
"""For ``image`` and ``labels``: state of their files, and of their voxels in the region."""

_SUBVOLUME = re.compile(r"\d{5}(\.partial\.npz|\.npz|\.json)")


def inputs_of(config: ResolvedSegment) -> list[Path]:
    """Files and folders that a resolved config reads."""
    checkpoint = Path(config.checkpoint)
    # A TensorFlow checkpoint is several files with one beginning.
    files = [checkpoint] if checkpoint.is_dir() else checkpoint.parent.glob(f"{checkpoint.name}.*")
    specs = (spec for spec in (config.image, config.labels, config.labels_mask) if spec)
    return [*files, *(path for spec in specs for path in stored_at(spec))]


def check_folder(
    folder: Path, config: ResolvedSegment, inputs: Sequence[Path], scores: str = EVALUATION
) -> bool:
    """Refuse a folder that may not be written to; returns whether an earlier result must go.

    Args:
        folder: for this segmentation, or series of them.
        config: of it, resolved.
        inputs: what it reads.
        scores: name of the file that scores against the labels are in.

    Raises:
        InputError: It touches an input, holds other files, or a segmentation that differs or is of
            an image that has changed since, and ``overwrite`` was not given.
    """
    place = real_path(folder)
    if reason := clash(place, inputs):
        raise InputError(f"out: {reason}; name a new folder")
    if place.is_symlink() and not place.exists():
        raise InputError(f"out={folder} is a link to nothing; name a new folder")
    if place.exists() and not place.is_dir():
        raise InputError(f"out={folder} is a file; name a new folder")
    if not place.is_dir() or not any(place.iterdir()):
        return False
    earlier = _earlier(folder)
    if earlier is None:
        raise InputError(
            f"out={folder} holds files that are not of a segmentation; name a new folder"
        )
    if earlier.identity != config.identity:
        differs = segmentation_files.has_results(folder) or (folder / scores).exists()
        what = "a segmentation with other settings"
    elif "image" in changed_inputs(folder, config):
        differs = segmentation_files.has_results(folder)
        what = f"a segmentation of {config.image} as it was before it changed"
    else:
        differs = earlier.truth != config.truth and (folder / scores).exists()
        what = "scores against other labels"
    if differs and not config.overwrite:
        raise InputError(
            f"out={folder} holds {what}; name another folder, or add overwrite=true to replace it"
        )
    return differs


def claim_folder(config: ResolvedSegment, say: Callable[[str], object]) -> None:
    """Make the folder of a resolved config its own; what was complete in it counts no longer.

    Raises:
        InputError: See `check_folder`.
    """
    folder = config.directory
    if check_folder(folder, config, inputs_of(config)):
        _replace(folder, config, say)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (run_files.STOP, run_files.FAILURE, run_files.RESULT):
            (folder / name).unlink(missing_ok=True)
    segmentation_files.write_config(folder, replace(config, overwrite=False))


def _earlier(folder: Path) -> ResolvedSegment | None:
    """Config of the segmentation in a folder; None if there is none.

    Raises:
        DamagedError: There is one, which is not as it was written.
    """
    try:
        return segmentation_files.load_config(folder)
    except DamagedError:
        raise
    except InputError:
        return None


def _replace(folder: Path, config: ResolvedSegment, say: Callable[[str], object]) -> None:
    """Remove the files of an earlier segmentation, or its scores alone; others stay."""
    earlier = segmentation_files.load_config(folder)
    same_image = "image" not in changed_inputs(folder, config)
    if earlier.identity == config.identity and same_image:
        say(f"replacing the scores in {folder}: they are against {earlier.labels}")
        (folder / EVALUATION).unlink()
        return
    say(f"replacing the segmentation in {folder}: of {earlier.image} by {earlier.checkpoint}")
    for name in _SMALL_FILES:
        (folder / name).unlink(missing_ok=True)
    for path in (folder / segmentation_files.SUBVOLUMES).glob("*"):
        if _SUBVOLUME.fullmatch(path.name):
            path.unlink()


def check_inputs(config: ResolvedSegment, warn: Callable[[str], object]) -> State:
    """Read what a segmentation is made of once; returns its state.

    ``warn`` takes what is doubtful about it.

    Raises:
        InputError: Nothing of it is stored; intensities of the region are not finite, or labels no
            ids.
    """
    image = open_volume(config.image, cache_bytes=0)
    labels = config.open_truth(cache_bytes=0)
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
    states = {"image": state_of(config.image)}
    if config.labels:
        both = (spec for spec in (config.labels, config.labels_mask) if spec)
        states["labels"] = " ".join(map(state_of, both))
    return states


def _voxels(config: ResolvedSegment, name: str) -> str:
    region = config.region.box
    if name == "image":
        return voxel_digest(open_volume(config.image, cache_bytes=0), region, INTENSITIES)
    labels = config.open_truth(cache_bytes=0)
    assert labels is not None
    return voxel_digest(labels, region, IDS)
