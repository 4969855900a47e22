"""Checkpoints: a folder that is either complete and verified, or not there.

Each rank writes its own files into a hidden folder; once all have succeeded, rank 0 adds a
manifest with a checksum of every file, flushes it and renames the folder. Arrays are stored
without pickling. Files are keyed by logical node, so a run may continue on another number of
ranks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ffn_core.errors import InputError, errno_of
from ffn_core.files import digest, patient_file

FORMAT = 1
MANIFEST = "manifest.json"
SHARED = "shared.npz"
_PREFIX = "step-"
_CORRECTION = "averaged_correction"
_GO_BACK = "use an older checkpoint; once that folder is removed, the run continues from it"

Gather = Callable[[Any], list[Any]]


@dataclass(frozen=True)
class NodeStreams:
    """State of the example streams of consecutive logical nodes.

    Attributes:
        first_node: the lowest of them.
        states: per node, per slot: `ExampleStream.state`.
        seeds: (nodes, slots, z, y, x) float32, the seed canvases.
    """

    first_node: int
    states: list[list[dict[str, Any]]]
    seeds: np.ndarray


@dataclass(frozen=True)
class Checkpoint:
    """What a run continues from.

    Attributes:
        step: optimizer steps done.
        progress: JSON-ready values of the training loop.
        weights: in the order of ``ConvStack.weights``.
        slots: optimizer state by name.
        averaged: the moving average of the weights, in their order; empty if there is none.
        averaged_correction: of that average for its start, see `AveragedWeights`.
    """

    step: int
    progress: dict[str, Any]
    weights: list[np.ndarray]
    slots: dict[str, np.ndarray]
    averaged: list[np.ndarray] = field(default_factory=list)
    averaged_correction: float = 0.0


def save(
    folder: Path,
    checkpoint: Checkpoint,
    streams: NodeStreams | None,
    rank: int,
    gather: Gather,
    keep: int,
) -> Path:
    """Write one checkpoint; to be called by every rank at the same step.

    Args:
        folder: where a run keeps its checkpoints, on a file system all ranks share.
        checkpoint: the state all ranks have in common; rank 0 writes it.
        streams: what this rank alone has; None to keep weights that no run is to continue from.
        rank: this rank.
        gather: collects one item per rank on every rank, in rank order.
        keep: how many of the newest checkpoints to leave.

    Returns:
        The finished checkpoint's folder.

    Raises:
        InputError: on every rank, if any of them could not write. Earlier checkpoints stay.
    """
    name = f"{_PREFIX}{checkpoint.step:08d}"
    partial = folder / f".{name}.partial"
    files: dict[str, str] = {}

    def make_folder() -> dict[str, str]:
        for old in folder.glob(f".{_PREFIX}*.partial"):
            shutil.rmtree(old)
        partial.mkdir(parents=True)
        return {}

    def publish() -> dict[str, str]:
        _publish(folder, partial, name, checkpoint, files)
        for old in list_checkpoints(folder)[:-keep]:
            with contextlib.suppress(OSError):  # one too many does no harm
                _remove(old)
        return {}

    def write() -> dict[str, str]:
        return _write(partial, checkpoint if rank == 0 else None, streams)

    # Each stage ends with all ranks knowing whether it worked on every one: none waits for another
    # that has given up.
    for stage, everywhere in ((make_folder, False), (write, True), (publish, False)):
        answers = gather(_attempt(stage) if everywhere or rank == 0 else {"files": {}})
        failures = [answer["error"] for answer in answers if "error" in answer]
        if failures:
            if rank == 0:
                shutil.rmtree(partial, ignore_errors=True)  # may be all the space there is
            raise InputError(
                f"checkpoint {folder / name} could not be written: {failures[0]}; earlier ones "
                "are intact: free space and repeat the command"
            )
        files = {k: v for answer in answers for k, v in answer["files"].items()} | files
    return folder / name


def _remove(path: Path) -> None:
    """Remove a checkpoint; killed halfway, it is not one any more either."""
    hidden = path.with_name(f".{path.name}.old.partial")
    path.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _attempt(stage: Callable[[], dict[str, str]]) -> dict[str, Any]:
    try:
        return {"files": stage()}
    except OSError as error:
        number = errno_of(error)
        if not number:
            return {"error": str(error)}
        where = f"{Path(os.fsdecode(error.filename)).name}: " if error.filename else ""
        return {"error": f"{where}{os.strerror(number)}"}


def _write(
    partial: Path, checkpoint: Checkpoint | None, streams: NodeStreams | None
) -> dict[str, str]:
    """Write this rank's files; returns their checksums by name."""
    files = {}
    if streams is not None:
        last = streams.first_node + len(streams.states) - 1
        name = f"nodes-{streams.first_node:05d}-{last:05d}.npz"
        text = np.frombuffer(json.dumps(streams.states).encode(), np.uint8)
        files[name] = _write_arrays(partial / name, {"states": text, "seeds": streams.seeds})
    if checkpoint is not None:
        arrays = {f"weight/{i:03d}": w for i, w in enumerate(checkpoint.weights)}
        arrays |= {f"slot/{k}": v for k, v in checkpoint.slots.items()}
        if checkpoint.averaged:
            arrays |= {f"averaged/{i:03d}": w for i, w in enumerate(checkpoint.averaged)}
            arrays[_CORRECTION] = np.array(checkpoint.averaged_correction)
        files[SHARED] = _write_arrays(partial / SHARED, arrays)
    return files


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    with patient_file(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return _checksum(path)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(
    folder: Path, partial: Path, name: str, checkpoint: Checkpoint, files: dict[str, str]
) -> None:
    manifest = {
        "format": FORMAT,
        "step": checkpoint.step,
        "progress": checkpoint.progress,
        "files": files,
    }
    content = json.dumps(manifest)
    with (partial / MANIFEST).open("w") as file:
        json.dump({"sha256": digest(content), "content": content}, file)
        file.flush()
        os.fsync(file.fileno())
    target = folder / name
    if target.exists():
        _remove(target)
    partial.rename(target)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the rename itself must survive a crash
    finally:
        os.close(descriptor)


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints in ``folder``, oldest first."""
    return sorted(p for p in folder.glob(f"{_PREFIX}*") if (p / MANIFEST).is_file())


def latest(folder: Path) -> Path | None:
    """The newest finished checkpoint in ``folder``; None if there is none."""
    found = list_checkpoints(folder)
    return found[-1] if found else None


def load(path: Path) -> Checkpoint:
    """Read and verify the state all ranks have in common.

    Raises:
        InputError: if the checkpoint is missing, incomplete or damaged; names the file.
    """
    manifest = _manifest(path)
    arrays = _read_arrays(path, SHARED, manifest)
    weights, averaged = (
        [arrays[k] for k in sorted(arrays) if k.startswith(kind)]
        for kind in ("weight/", "averaged/")
    )
    slots = {k.removeprefix("slot/"): v for k, v in arrays.items() if k.startswith("slot/")}
    correction = float(arrays.get(_CORRECTION, 0.0))
    return Checkpoint(
        int(manifest["step"]), manifest["progress"], weights, slots, averaged, correction
    )


def progress_of(path: Path) -> dict[str, Any]:
    """The ``progress`` of a checkpoint, without its arrays.

    Raises:
        InputError: if its manifest is missing or damaged.
    """
    return dict(_manifest(path)["progress"])


def load_streams(path: Path, nodes: range) -> NodeStreams:
    """Read and verify the stream state of some logical nodes, whatever ranks wrote it.

    Raises:
        InputError: if a file is damaged, or nodes are missing from the checkpoint.
    """
    manifest = _manifest(path)
    states: dict[int, list[dict[str, Any]]] = {}
    seeds: dict[int, np.ndarray] = {}
    for name in manifest["files"]:
        if name == SHARED:
            continue
        first, last = (int(part) for part in name.removesuffix(".npz").split("-")[1:])
        wanted = [n for n in range(first, last + 1) if n in nodes]
        if wanted:
            arrays = _read_arrays(path, name, manifest)
            file_states = json.loads(arrays["states"].tobytes())
            for node in wanted:
                states[node] = file_states[node - first]
                seeds[node] = arrays["seeds"][node - first]
    missing = [n for n in nodes if n not in states]
    if missing:
        raise InputError(
            f"{path} has no stream state of node {missing[0]}: was cluster.nodes changed?"
        )
    return NodeStreams(nodes.start, [states[n] for n in nodes], np.stack([seeds[n] for n in nodes]))


def _manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    try:
        outer = json.loads(file.read_text())
        if digest(outer["content"]) != outer["sha256"]:
            raise ValueError("checksum differs")
        manifest = json.loads(outer["content"])
    except OSError as error:
        raise InputError(f"{path} is not a checkpoint ({error.strerror}: {MANIFEST})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{file} is damaged; {_GO_BACK}") from None
    if manifest["format"] != FORMAT:
        raise InputError(
            f"{file}: checkpoint format {manifest['format']}, this version reads {FORMAT}"
        )
    return manifest


def _read_arrays(path: Path, name: str, manifest: Mapping[str, Any]) -> dict[str, np.ndarray]:
    file = path / name
    try:
        if _checksum(file) != manifest["files"][name]:
            raise InputError(f"{file} is damaged (checksum differs); {_GO_BACK}")
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} cannot be read: {error}; {_GO_BACK}") from None
