"""A segmentation is written to its own folder, and by request over an earlier one, alone."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments import segment_worker
from experiments.data.cache import write_volumes
from experiments.reporting import run_files
from experiments.reporting.terminal import Terminal
from experiments.segment import pipeline, segmentation_files
from experiments.segment.checkpoints import _prepare_folder
from experiments.segment.config import ResolvedRegion, ResolvedSegment
from experiments.segment.folder import check_folder, claim_folder, inputs_of
from ffn_core.errors import InputError
from ffn_core.files.output_list import LIST
from ffn_core.inference.segmentation import State

SHAPE = (8, 12, 12)


@pytest.fixture
def world(tmp_path, monkeypatch) -> Path:
    """A folder with a volume and a training run in it, which is where commands are started."""
    monkeypatch.chdir(tmp_path)
    labels = np.ones(SHAPE, np.uint32)
    labels[:, 6:] = 2
    write_volumes("v.h5", {"image": np.ones(SHAPE, np.uint8), "labels": labels, "other": labels})
    checkpoint = tmp_path / "run" / "checkpoints" / "step-000000000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"trained for days")
    (tmp_path / "run" / "config.yaml").write_text("model: {}\n")
    return tmp_path


def config(world: Path, out: str, **values) -> ResolvedSegment:
    """A resolved config."""
    given = {
        "checkpoint": str(world / "run" / "checkpoints" / "step-000000000001"),
        "image": f"{world}/v.h5:image",
        "mean": 0.0,
        "stddev": 1.0,
        "fov_zyx": [5, 5, 5],
        "deltas_zyx": [1, 1, 1],
        "region": ResolvedRegion(start_zyx=[0, 0, 0], size_zyx=list(SHAPE)),
        "pictures": False,
        "out": out,
    }
    return ResolvedSegment(**given | values)


@pytest.fixture
def workers(monkeypatch) -> list[str]:
    """Workers that find one object of the whole volume; returns what was given to them."""
    started = []

    def work(config: ResolvedSegment, *_: object) -> None:
        if segmentation_files.unfinished(config.directory, 1):
            started.append(config.identity)
            ids = np.full(SHAPE, 1, np.uint32)
            state = State(ids, 0, 7, np.zeros((2, 3), np.int64), None)
            segmentation_files.save_state(
                segmentation_files.finished_path(config.directory, 0), state
            )

    monkeypatch.setattr(pipeline, "run_workers", work)
    return started


def run(config: ResolvedSegment) -> int:
    """`segment.segment` as the command ends it."""
    try:
        pipeline.segment(config, Terminal())
    except InputError as error:
        Terminal().error(str(error))
        return 2
    return 0


PLANTS = {
    "file": lambda path: path.write_bytes(b"mine"),
    "folder with files": lambda path: (path.mkdir(), (path / "tiles.dat").write_bytes(b"mine")),
    "folder with a hidden file": lambda path: (path.mkdir(), (path / ".tiles").write_bytes(b"")),
    "folder with a config": lambda path: (
        path.mkdir(),
        (path / "config.yaml").write_text("mine: 1\n"),
    ),
    "folder with a result": lambda path: (
        path.mkdir(),
        (path / "segmentation.h5").write_bytes(b""),
    ),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to a folder": lambda path: path.symlink_to("run"),
    "hard link": lambda path: path.hardlink_to("v.h5"),
}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_there_stays(world, workers, refused, plant, overwrite):
    PLANTS[plant](world / "o")
    assert "out" in refused(lambda: run(config(world, "o", overwrite=overwrite)))
    assert workers == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_inputs_stay(world, workers, refused, overwrite):
    (world / "em.zarr").mkdir()
    outs = {"v.h5": "the input", "v.h5/o": "not a folder", ".": "holds the input"}
    outs |= {"run": "holds the input", "run/checkpoints": "holds the input"}
    outs |= {"run/checkpoints/step-000000000001/o": "lies in the input"}
    for out, match in outs.items():
        assert match in refused(lambda out=out: run(config(world, out, overwrite=overwrite)))
    chunked = config(world, "em.zarr/o", image=f"zarr:{world}/em.zarr", overwrite=overwrite)
    assert "lies in the input" in refused(lambda: run(chunked))


def test_the_same_command_resumes(world, workers, everything):
    mine = config(world, "o", labels=f"{world}/v.h5:labels")
    assert run(mine) == 0
    before = everything(world)
    assert run(mine) == 0
    assert everything(world) == before, "what is complete is read back"
    (world / "o" / run_files.RESULT).unlink()  # as if it had been killed just before the end
    assert run(mine) == 0
    assert (world / "o" / run_files.RESULT).is_file()
    assert len(workers) == 1


def test_another_segmentation_is_replaced_on_request(world, workers, refused, capsys):
    first, second = (config(world, "o", mean=mean) for mean in (1.0, 2.0))
    assert run(first) == 0
    (world / "o" / "notes").write_bytes(b"mine")
    (world / "o" / "subvolumes" / "notes.npz").write_bytes(b"mine")
    assert "add overwrite=true" in refused(lambda: run(second))
    assert run(replace(second, overwrite=True)) == 0
    assert "replacing the segmentation in" in capsys.readouterr().err
    assert workers == [first.identity, second.identity], "nothing of the first counts for it"
    assert segmentation_files.load_config(world / "o") == second
    assert (world / "o" / "notes").read_bytes() == b"mine"
    assert (world / "o" / "subvolumes" / "notes.npz").read_bytes() == b"mine"
    assert run(second) == 0, "from now on its own"


def test_scores_against_other_labels_are_replaced_on_request(world, workers, refused):
    first, other = (
        config(world, "o", labels=f"{world}/v.h5:{name}") for name in ("labels", "other")
    )
    assert run(config(world, "o")) == 0
    assert run(first) == 0, "scores where there were none"
    assert "scores against other labels" in refused(lambda: run(other))
    assert run(replace(other, overwrite=True)) == 0
    assert segmentation_files.load_config(world / "o").labels == other.labels
    assert len(workers) == 1


def test_an_edited_segmentation_stays(world, workers, everything):
    """Proofread under the same name: scoring it again must not put the old one back."""
    assert run(config(world, "o")) == 0
    with h5py.File(world / "o" / segmentation_files.SEGMENTATION, "r+") as file:
        file[segmentation_files.DATASET][0] = 9
    before = everything(world)["o/segmentation.h5"]
    assert run(config(world, "o", labels=f"{world}/v.h5:labels", overwrite=True)) == 2
    assert everything(world)["o/segmentation.h5"] == before


def test_workers_leave_nothing_in_other_folders(world, everything):
    before = everything(world)
    assert segment_worker.main([str(world / "run")]) == 2
    assert everything(world) == before


def test_a_series_has_a_folder_of_its_own(world, everything):
    """Of `experiments.segment_checkpoints`, which is given the run directory itself."""
    run_dir = world / "run"
    labels = f"{world}/v.h5:labels"
    said = []

    def prepare(out: str | None, **values):
        first = config(world, out, labels=labels, **values)
        return _prepare_folder(first, run_dir, said.append)

    for out in ("run", "run/checkpoints", ".", "run/checkpoints/o", "mine"):
        (world / "mine").mkdir(exist_ok=True)
        (world / "mine" / "scores.csv").write_text("mine")
        for overwrite in (False, True):
            before = everything(world)
            with pytest.raises(InputError, match=r"^out"):
                prepare(out, overwrite=overwrite)
            assert everything(world) == before
    beside, _ = prepare(None)
    assert beside.parent == run_dir / "segmentations"
    folder, outputs = prepare("o")
    with outputs.place(folder / "scores.csv") as path:
        path.write_text("scores")
    prepare("o")
    with pytest.raises(InputError, match="other settings"):
        prepare("o", mean=2.0)
    assert said == []
    prepare("o", mean=2.0, overwrite=True)
    assert said == [f"replacing the scores in {folder}"]
    (folder / "scores.csv").write_text("edited")
    with pytest.raises(InputError, match=r"scores\.csv is there, and not as"):
        prepare("o", mean=2.0, overwrite=True)


def test_an_empty_folder_is_as_good_as_a_new_one(world):
    (world / "o").mkdir()
    mine = config(world, "o")
    assert not check_folder(world / "o", mine, inputs_of(mine))
    claim_folder(mine, print)
    assert segmentation_files.load_config(world / "o") == mine
    assert not (world / "o" / LIST).exists()
