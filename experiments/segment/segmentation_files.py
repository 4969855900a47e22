"""The files of a segmentation's folder.

``config.yaml``            resolved configuration, enough to start a worker
``inputs.json``            state of image and labels when it was made
``todo.json``              subvolumes that were left to do when `experiments.segment` last looked
``subvolumes/00012.npz``   one finished subvolume
``subvolumes/00012.partial.npz``  one under way, replaced every so often
``subvolumes/00012.json``  how far it is
``segmentation.h5``        the result: dataset ``segmentation``, settings as attributes
``evaluation.json``        scores against ground truth, if that was given
``result.json``            summary; there once all is complete
``failure.json``           why a worker ended badly, if one did
``stop``                   there while the workers are asked to save and end
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.lib.npyio import NpzFile

from experiments.config.config_file import without_secrets
from experiments.config.parsing import from_dict
from experiments.reporting import run_files
from experiments.segment.config import ResolvedSegment
from ffn_core.errors import InputError
from ffn_core.files import checked, patient_file, whole_file
from ffn_core.geometry import Zyx
from ffn_core.inference.canvas import FloodState
from ffn_core.inference.segmentation import State
from ffn_core.volumes import open_labels

SEGMENTATION = "segmentation.h5"
DATASET = "segmentation"
EVALUATION = "evaluation.json"
TODO = "todo.json"
INPUTS = run_files.INPUTS
SUBVOLUMES = "subvolumes"
_FLOOD = "flood/"
_CONFIG_REMEDY = "move the folder away and repeat the command, which begins from the start"

_Part = TypeVar("_Part")


def result(folder: Path) -> str:
    """Name of the result as a volume."""
    return f"{folder / SEGMENTATION}:{DATASET}"


def is_readable(folder: Path, shape_zyx: Zyx) -> bool:
    """Whether the result is there, with the extents it should have; False if not.

    Raises:
        InputError: It is there, but damaged, or of other extents.
    """
    path = folder / SEGMENTATION
    if not path.is_file():
        return False
    found = open_labels(result(folder)).shape_zyx
    if found != shape_zyx:
        raise checked.damaged(path, f"{found} voxels, not {shape_zyx}", checked.REPEAT)
    return True


def write_config(folder: Path, config: ResolvedSegment) -> None:
    """Write the config of a folder, whole or not at all; secrets of the launcher are masked.

    Raises:
        InputError: An option that workers need holds a secret.
    """
    values = without_secrets(dataclasses.asdict(config), ("launcher.",))
    checked.write_yaml(folder / run_files.CONFIG, values)


def load_config(folder: Path) -> ResolvedSegment:
    """The config of a segmentation's folder.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = folder / run_files.CONFIG
    values = checked.read_yaml(path, _CONFIG_REMEDY)
    if values is None:
        raise InputError(
            f"{folder} is no folder of experiments.segment (no {run_files.CONFIG} in it)"
        )
    try:
        return from_dict(ResolvedSegment, values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_todo(folder: Path, subvolumes: Sequence[int]) -> None:
    """Say which subvolumes workers are to share among them."""
    run_files.write_json(folder / TODO, list(subvolumes))


def read_todo(folder: Path) -> list[int]:
    """What `write_todo` said; all subvolumes if it never did."""
    remedy = "repeat experiments.segment, which writes it again"
    todo = run_files.read_json(folder / TODO, remedy)
    if todo is None:
        return list(range(len(load_config(folder).grid.subvolumes)))
    if not isinstance(todo, list):
        raise checked.damaged(folder / TODO, "it is no list", remedy)
    return todo


def unfinished(folder: Path, subvolumes: int) -> list[int]:
    """Those of the first ``subvolumes`` numbers whose subvolume is not finished."""
    return [index for index in range(subvolumes) if not finished_path(folder, index).is_file()]


def leave_failure(folder: Path, code: int, message: str, trace: str) -> None:
    """Leave the reason of a worker that failed, unless another one was first."""
    failure = {"exit_code": code, "message": message, "traceback": trace}
    path = folder / run_files.FAILURE
    with contextlib.suppress(OSError):  # a full disk; the log has it too
        if not path.exists():
            run_files.write_json(path, failure)


def finished_path(folder: Path, index: int) -> Path:
    """File of a finished subvolume."""
    return folder / SUBVOLUMES / f"{index:05d}.npz"


def partial_path(folder: Path, index: int) -> Path:
    """File of a subvolume under way."""
    return folder / SUBVOLUMES / f"{index:05d}.partial.npz"


def has_results(folder: Path) -> bool:
    """Whether any subvolume is finished or under way."""
    return any((folder / SUBVOLUMES).glob("*.npz"))


def save_state(path: Path, state: State) -> None:
    """Replace ``path`` atomically."""
    arrays = {
        "segments": state.segments,
        "origins": state.origins,
        "counts": np.array([state.next_point, state.fovs], np.int64),
    }
    if state.small is not None and state.small_objects is not None:
        arrays |= {"small": state.small, "small_objects": state.small_objects}
    if state.flood is not None:
        arrays |= {f"{_FLOOD}{key}": array for key, array in vars(state.flood).items()}
    with whole_file(path) as partial, patient_file(partial) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_state(path: Path) -> State:
    """Read what `save_state` wrote.

    Raises:
        InputError: The file is damaged.
    """
    return _load(path, _state)


def load_segments(path: Path) -> np.ndarray:
    """The ids of a saved state alone: (z, y, x) uint32, 0 = none.

    Raises:
        InputError: The file is damaged.
    """
    return _load(path, lambda arrays: arrays["segments"])


def load_fovs(path: Path) -> int:
    """The FOVs evaluated of a saved state, without reading its ids.

    Raises:
        InputError: The file is damaged.
    """
    return _load(path, lambda arrays: int(arrays["counts"][1]))


def load_small(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where a saved state has what was too small, and the objects; see `State`.

    Returns:
        (z, y, x) bool, without objects that were kept, and (n, 4) int64. Nothing of older files.

    Raises:
        InputError: The file is damaged.
    """

    def part(arrays: NpzFile) -> tuple[np.ndarray, np.ndarray]:
        ids = arrays["segments"]
        if "small" not in arrays:
            return np.zeros(ids.shape, bool), np.zeros((0, 4), np.int64)
        return arrays["small"] & (ids == 0), arrays["small_objects"]

    return _load(path, part)


def _state(arrays: NpzFile) -> State:
    next_point, fovs = arrays["counts"].tolist()
    parts = {k.removeprefix(_FLOOD): arrays[k] for k in arrays if k.startswith(_FLOOD)}
    flood = FloodState(**parts) if parts else None
    small = (arrays["small"], arrays["small_objects"]) if "small" in arrays else (None, None)
    return State(arrays["segments"], next_point, fovs, arrays["origins"], flood, *small)


def _load(path: Path, part: Callable[[NpzFile], _Part]) -> _Part:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return part(arrays)
    except Exception as error:  # whatever NumPy and zipfile make of damaged bytes
        reason = str(error) or type(error).__name__
        raise checked.damaged(path, reason, "remove it and repeat the command") from None


def write_progress(folder: Path, index: int, **values: Any) -> None:
    """Write how far a subvolume is."""
    path = finished_path(folder, index).with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    run_files.write_json(path, values, lasting=False)


def read_progress(folder: Path, index: int) -> dict[str, Any]:
    """What was last written of a subvolume; empty before the first time.

    Raises:
        InputError: It is damaged.
    """
    path = finished_path(folder, index).with_suffix(".json")
    remedy = "remove it: it only says how far a subvolume is"
    return run_files.read_json(path, remedy, {"fraction": (int, float), "fovs": int}) or {}
