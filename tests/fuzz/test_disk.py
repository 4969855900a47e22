"""All that commands write, to places that take nothing: full, read-only, not there, too long.

A writer has to name path and reason in one line, leave nothing half-written, and leave whole what
was. Needs root, to mount small disks. ``FUZZ_DISK`` is the number of tries per kind and place.
"""

import contextlib
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures.registry import save as save_figure
from analysis.recorded import provenance
from analysis.runs.runs import Runs, runs_from_records
from experiments.data.cache import write_volumes
from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.records import Record
from experiments.reporting.run_files import RunDirectory
from experiments.segment import segmentation_files
from ffn_core.errors import InputError
from ffn_core.files.outputs import Outputs
from ffn_core.inference.sample import SegmentedSample
from ffn_core.inference.segmentation import State
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.training import checkpoint

TRIES = int(os.environ.get("FUZZ_DISK", "3"))
WORDS = ("one line", "whole", "not named", "traceback", "damage", "rest")
"""``whole``: it found room; ``damage``: of what was whole; ``rest``: half of a file is left."""

_PAGE = 4096


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of one megabyte; skips where none may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(command).returncode:
        pytest.skip("disks can be mounted by root only")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, pages: int) -> None:
    """Leave room for ``pages`` pages."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", 0) as file:
        while file.write(bytes(_PAGE)):
            pass
    os.truncate(filler, max(0, filler.stat().st_size - pages * _PAGE))


def set_read_only(disk: Path, on: bool) -> None:
    option = f"remount,{'ro' if on else 'rw'}"
    subprocess.run(["mount", "-o", option, str(disk)], check=True)


def noise(seed: int, *shape: int) -> np.ndarray:
    """Ids that do not compress."""
    return np.random.default_rng(seed).integers(0, 2**32, shape, np.uint32)


def runs(seed: int) -> Runs:
    records = [{"run_id": "a", "experiment": "study", "status": "FINISHED", "seed": str(seed)}]
    values = np.random.default_rng(seed).random(2000)
    rows = [("a", "train/loss", step, value) for step, value in enumerate(values)]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "fovs", "value"])
    return runs_from_records(records, history)


def figure(folder: Path, seed: int) -> None:
    made = Figure()
    made.add_subplot().plot(np.random.default_rng(seed).random(100))
    save_figure(made, folder / "f", Outputs("a", overwrite=True, say=lambda _: None))


def sample(folder: Path, seed: int) -> None:
    ids = noise(seed, 3, 40, 50)
    SegmentedSample(ids, ids, ids[1], 1, (0, 0, 0), seed).save(folder / "s.h5")


def records(folder: Path, seed: int) -> None:
    run = RunDirectory(folder)
    for step in range(seed, seed + 20):
        run.append(Record(step, step, 1.0, 1.0, dict.fromkeys(map(str, range(30)), 1 / step)))


def state(folder: Path, seed: int) -> None:
    made = State(noise(seed, 8, 40, 50), 3, 7, np.zeros((2, 3), np.int64), None)
    segmentation_files.save_state(segmentation_files.finished_path(folder, 0), made)


def weights(folder: Path, seed: int) -> None:
    arrays = [noise(seed, 5000).astype(np.float32)]
    made = checkpoint.Checkpoint(seed, {"step": seed}, arrays, {})
    checkpoint.save(folder, made, None, 0, lambda item: [item], keep=1)


def placed(folder: Path, seed: int) -> None:
    with Outputs("a", overwrite=True, say=lambda _: None).place(folder / "o") as partial:
        partial.mkdir()
        for name in ("a", "b"):
            (partial / name).write_bytes(noise(seed, 3000).tobytes())


def coordinates(folder: Path, seed: int) -> None:
    indices = tuple(np.sort(noise(seed + i, 3000) % 1000) for i in range(3))
    Coordinates(indices, (16, 16, 16), (1, 1, 1), (0.1, 0.5), 5, "l").save(folder / "c.h5")


def volumes(folder: Path, seed: int) -> None:
    write_volumes(folder / "v.h5", {"labels": noise(seed, 10, 20, 20)})


def read_volume(folder: Path) -> Any:
    with h5py.File(folder / "v.h5") as file:
        return file["labels"][...].tolist()


def read_coordinates(folder: Path) -> Any:
    return [members.tolist() for members in Coordinates.load(folder / "c.h5").indices]


def read_weights(folder: Path) -> Any:
    newest = checkpoint.latest(folder)
    assert newest is not None
    return checkpoint.load(newest).weights[0].tolist()


def read_state(folder: Path) -> Any:
    return segmentation_files.load_segments(segmentation_files.finished_path(folder, 0)).tolist()


def read_sample(folder: Path) -> Any:
    return SegmentedSample.load(folder / "s.h5").truth.tolist()


def read_tree(folder: Path) -> Any:
    return {str(path): path.read_bytes() for path in folder.rglob("[!.]*") if path.is_file()}


def settings(seed: int) -> dict[str, Any]:
    return {"seed": seed, "names": [f"{seed}-{i}" for i in range(2000)]}


KINDS: dict[str, tuple[Callable[[Path, int], Any], Callable[[Path], Any]]] = {
    "result": (
        lambda folder, seed: RunDirectory(folder).write_result({"outcome": "a"} | settings(seed)),
        lambda folder: RunDirectory(folder).result(),
    ),
    "config": (
        lambda folder, seed: RunDirectory(folder).write_config(settings(seed)),
        lambda folder: RunDirectory(folder).config(),
    ),
    "records": (records, lambda folder: RunDirectory(folder).records()[:20]),
    "provenance": (
        lambda folder, seed: provenance.write(folder, settings(seed)),
        provenance.read,
    ),
    "subvolume": (state, read_state),
    "checkpoint": (weights, read_weights),
    "output folder": (placed, lambda folder: read_tree(folder / "o")),
    "sample": (sample, read_sample),
    "coordinates": (coordinates, read_coordinates),
    "volume": (volumes, read_volume),
    "tables": (
        lambda folder, seed: runs(seed).to_parquet(folder),
        lambda folder: Runs.from_recorded(folder).table.shape,
    ),
    "figure": (figure, lambda folder: len(read_tree(folder))),
}


def hidden(folder: Path) -> set[str]:
    """Names that begin with a dot, but for the list of outputs."""
    found: set[str] = set()
    with contextlib.suppress(OSError):  # a name that is too long
        found = {path.name for path in folder.rglob(".*") if "outputs" not in path.name}
    return found


def attempt(write: Callable[[], Any], folder: Path) -> tuple[str, str]:
    """What became of an attempt to write, and what was said."""
    before = hidden(folder)
    try:
        write()
    except InputError as error:
        said = str(error)
        good = str(folder) in said and "\n" not in said and "Errno" not in said
        word = "one line" if good else "not named"
    except Exception as error:
        return "traceback", repr(error)
    else:
        word, said = "whole", ""
    return ("rest", str(hidden(folder) - before)) if hidden(folder) - before else (word, said)


def show(name: str, counts: Counter[str]) -> None:
    print(
        f"{name}: {counts.total()} tried, " + ", ".join(f"{counts[word]} {word}" for word in WORDS)
    )


@pytest.mark.parametrize("name", KINDS)
def test_what_was_whole_stays_whole_on_a_full_disk(tmp_path, name):
    write, read = KINDS[name]
    rng = random.Random(f"{name} {TRIES}")
    counts: Counter[str] = Counter()
    wrong = []
    disk = tmp_path / "disk"
    with small_disk(disk):
        for _ in range(TRIES):
            folder = disk / "folder"
            folder.mkdir()
            write(folder, 1)
            whole = read(folder)
            fill(disk, rng.choice((0, 0, 1, 2, rng.randrange(40))))
            word, said = attempt(lambda folder=folder: write(folder, 2), folder)
            (disk / "filler").unlink()
            if word == "one line" and read(folder) != whole:
                word, said = "damage", f"{said}; other content"
            counts[word] += 1
            if word not in ("one line", "whole"):
                wrong.append(f"{word}: {said}")
            shutil.rmtree(folder)
    show(f"full disk, {name}", counts)
    assert not wrong, "\n".join(wrong[:5])


@pytest.mark.parametrize("name", KINDS)
def test_a_read_only_disk_is_named_in_one_line(tmp_path, name):
    write, read = KINDS[name]
    disk = tmp_path / "disk"
    with small_disk(disk):
        (disk / "there").mkdir()
        write(disk / "there", 1)
        whole = read(disk / "there")
        set_read_only(disk, True)
        counts: Counter[str] = Counter()
        for folder in (disk / "there", disk / "new"):
            word, said = attempt(lambda folder=folder: write(folder, 2), folder)
            counts[word] += 1
            assert word == "one line", said
        assert read(disk / "there") == whole
    show(f"read-only disk, {name}", counts)


@pytest.mark.parametrize("name", KINDS)
def test_a_place_that_cannot_be_is_named_in_one_line(tmp_path, name):
    write, _ = KINDS[name]
    (tmp_path / "file").write_text("mine")
    counts: Counter[str] = Counter()
    for folder in (tmp_path / "file" / "below", tmp_path / ("n" * 300), tmp_path / "file"):
        word, said = attempt(lambda folder=folder: write(folder, 2), folder)
        counts[word] += 1
        assert word == "one line", said
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    show(f"no such place, {name}", counts)


def test_a_store_on_a_full_disk_raises_what_a_run_outlives(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk):
        store = Store(f"sqlite:///{disk}/mlflow.db")
        run_id = store.start_run("study", "a", {})
        fill(disk, 0)
        metrics = {f"m{i}": 0.5 for i in range(500)}
        with pytest.raises(StoreError):
            store.log_records(run_id, [Record(s, s, 1.0, float(s), metrics) for s in range(1, 9)])
        with pytest.raises(StoreError):
            Store(f"sqlite:///{disk}/new.db").start_run("study", "a", {})
        (disk / "filler").unlink()
        store.log_records(run_id, [Record(1, 1, 1.0, 1.0, {"m": 0.5})])


def test_a_new_store_on_a_read_only_disk_raises_what_a_run_outlives(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk):
        set_read_only(disk, True)
        with pytest.raises(StoreError):
            Store(f"sqlite:///{disk}/new.db").start_run("study", "a", {})
