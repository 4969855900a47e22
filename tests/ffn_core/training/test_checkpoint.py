import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ffn_core.errors import InputError
from ffn_core.training.checkpoint import (
    MANIFEST,
    SHARED,
    Checkpoint,
    NodeStreams,
    latest,
    list_checkpoints,
    load,
    load_streams,
    save,
)

SLOTS_PER_NODE = 2
PATIENCE_S = 10.0
"""A rank that waits this long for the others has been left alone by them."""


class Ranks:
    """Ranks as threads, with a gather between them that hangs as Horovod's does."""

    def __init__(self, size: int) -> None:
        self._barrier = threading.Barrier(size)
        self._items: list[str] = [""] * size

    def gather_of(self, rank: int):
        def gather(item):
            self._items[rank] = json.dumps(item)
            self._barrier.wait(PATIENCE_S)
            items = [json.loads(i) for i in self._items]
            self._barrier.wait(PATIENCE_S)
            return items

        return gather


def list_of(item):
    """The gather of a rank that is alone."""
    return [item]


def make_streams(nodes: range, step: int = 0) -> NodeStreams:
    states = [
        [{"node": n, "slot": s, "rng": 2**127 + n + step} for s in range(SLOTS_PER_NODE)]
        for n in nodes
    ]
    seeds = np.stack([np.full((SLOTS_PER_NODE, 3, 4, 5), 10 * step + n, np.float32) for n in nodes])
    return NodeStreams(nodes.start, states, seeds)


def make_checkpoint(step: int, averaged: bool = True) -> Checkpoint:
    rng = np.random.default_rng(step)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in [(3, 2), (2,)] * 6]
    slots = {"000/adam/iteration": np.int64(step), "001/adam/m": np.ones((3, 2), np.float32)}
    average = [0.5 * weight for weight in weights] if averaged else []
    progress = {"fovs": 32 * step, "loss": 0.1}
    return Checkpoint(step, progress, weights, slots, average, 0.1 if averaged else 0.0)


def save_all(folder: Path, step: int, nodes: int = 4, ranks: int = 2, keep: int = 9, meddle=None):
    """Save from every rank; what each returned or raised. ``meddle`` runs once files may come."""
    group, share = Ranks(ranks), nodes // ranks

    def run(rank: int):
        gather, calls = group.gather_of(rank), []

        def gather_and_meddle(item):
            calls.append(item)
            items = gather(item)
            if meddle and rank == ranks - 1 and len(calls) == 1:
                meddle(folder / f".step-{step:08d}.partial")
            if len(calls) == 1:
                gather(None)  # no rank continues before the file is changed
            return items

        streams = make_streams(range(rank * share, (rank + 1) * share), step)
        try:
            return save(folder, make_checkpoint(step), streams, rank, gather_and_meddle, keep)
        except Exception as error:
            return error

    with ThreadPoolExecutor(ranks) as pool:
        return list(pool.map(run, range(ranks)))


def block(name: str):
    """A directory where a rank is about to write a file: as good as a full disk."""
    return lambda partial: (partial / name).mkdir()


@pytest.fixture
def saved(tmp_path) -> Path:
    """A checkpoint of nodes 0-3, written by two ranks."""
    (path, _) = save_all(tmp_path / "checkpoints", step=12)
    return path


def test_round_trip(saved):
    assert saved.name == "step-00000012"
    checkpoint, expected = load(saved), make_checkpoint(12)
    assert (checkpoint.step, checkpoint.progress) == (12, {"fovs": 384, "loss": 0.1})
    assert len(checkpoint.weights) == 12
    for value, weight in zip(checkpoint.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(value, weight)
        assert value.dtype == np.float32
    assert len(checkpoint.averaged) == 12
    for value, weight in zip(checkpoint.averaged, expected.averaged, strict=True):
        np.testing.assert_array_equal(value, weight)
    assert checkpoint.averaged_correction == 0.1
    assert set(checkpoint.slots) == set(expected.slots)
    for name, value in expected.slots.items():
        np.testing.assert_array_equal(checkpoint.slots[name], value)
        assert checkpoint.slots[name].dtype == value.dtype


def test_one_without_averaged_weights(tmp_path):
    """As all were before there was an average."""
    path = save(tmp_path, make_checkpoint(1, averaged=False), make_streams(range(2)), 0, list_of, 1)
    with np.load(path / SHARED) as arrays:
        assert not [name for name in arrays if name.startswith("averaged")]
    assert (load(path).averaged, load(path).averaged_correction) == ([], 0.0)


@pytest.mark.parametrize("nodes", [range(4), range(1), range(1, 3), range(3, 4), range(2, 4)])
def test_nodes_are_read_in_any_grouping(saved, nodes):
    streams, expected = load_streams(saved, nodes), make_streams(nodes, step=12)
    assert streams.first_node == nodes.start
    assert streams.states == expected.states
    np.testing.assert_array_equal(streams.seeds, expected.seeds)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_number_of_writing_ranks_makes_no_difference(tmp_path, ranks):
    paths = save_all(tmp_path, step=3, ranks=ranks)
    assert paths == [tmp_path / "step-00000003"] * ranks
    streams, expected = load_streams(paths[0], range(4)), make_streams(range(4), step=3)
    assert streams.states == expected.states
    np.testing.assert_array_equal(streams.seeds, expected.seeds)


def test_a_node_that_was_not_saved(saved):
    with pytest.raises(InputError, match=r"no stream state of node 4: was cluster.nodes changed"):
        load_streams(saved, range(2, 6))


def read_everything(path: Path) -> None:
    load(path)
    load_streams(path, range(4))


def flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


NAMES = [SHARED, "nodes-00000-00001.npz", "nodes-00002-00003.npz"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", [0.0, 0.3, 0.7])
def test_a_flipped_bit_in_the_arrays_is_found(saved, name, where):
    file = saved / name
    flip(file, int(where * file.stat().st_size))
    with pytest.raises(InputError, match=rf"{name} is damaged \(checksum differs\); use an older"):
        read_everything(saved)


def test_a_flipped_bit_in_the_manifest_is_found(saved):
    file = saved / MANIFEST
    content = file.read_bytes()
    unnoticed = []
    for position in range(len(content)):
        flip(file, position)
        try:
            read_everything(saved)
            unnoticed.append(position)
        except InputError:
            pass
        file.write_bytes(content)
    assert unnoticed == []


@pytest.mark.parametrize("name", [*NAMES, MANIFEST])
@pytest.mark.parametrize("size", [0, 100])
def test_a_truncated_file_is_found(saved, name, size):
    file = saved / name
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(InputError, match=f"{name} is damaged"):
        read_everything(saved)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        read_everything(saved)


@pytest.mark.parametrize("read", [load, lambda path: load_streams(path, range(4))])
def test_not_a_checkpoint(tmp_path, read):
    with pytest.raises(InputError, match=r"nowhere is not a checkpoint .*manifest.json"):
        read(tmp_path / "nowhere")


def test_another_format_is_refused(saved, monkeypatch):
    monkeypatch.setattr("ffn_core.training.checkpoint.FORMAT", 99)
    with pytest.raises(
        InputError, match=r"manifest\.json: checkpoint format 1, this version reads 99"
    ):
        read_everything(saved)


def test_leftovers_of_a_partial_write_are_ignored_and_overwritten(saved):
    folder = saved.parent
    leftover = folder / ".step-00000020.partial"
    leftover.mkdir()
    (leftover / MANIFEST).write_text("{}")
    (leftover / "stale.npz").write_text("half")
    (folder / "step-00000030").mkdir()  # no manifest
    assert list_checkpoints(folder) == [saved]
    assert latest(folder) == saved
    (path, _) = save_all(folder, step=20)
    assert latest(folder) == path
    assert sorted(p.name for p in path.iterdir()) == sorted([*NAMES, MANIFEST])
    assert not leftover.exists()


def test_the_newest_are_kept(tmp_path):
    for step in (9, 10, 100, 11):
        save_all(tmp_path, step, nodes=2, ranks=1, keep=2)
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-00000011", "step-00000100"]
    assert {p.name for p in tmp_path.iterdir()} == {"step-00000011", "step-00000100"}


def test_one_that_is_being_removed_is_none_any_more(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed_halfway(path, **_):
        (path / SHARED).unlink()
        raise Killed

    save_all(tmp_path, 1, nodes=2, ranks=1, keep=1)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed_halfway)
        with pytest.raises(Killed):
            save_all(tmp_path, 2, nodes=2, ranks=1, keep=1)
    assert [load(path).step for path in list_checkpoints(tmp_path)] == [2]
    save_all(tmp_path, 3, nodes=2, ranks=1, keep=2)
    assert {p.name for p in tmp_path.iterdir()} == {"step-00000002", "step-00000003"}


def test_no_checkpoints(tmp_path):
    assert latest(tmp_path) is None
    assert list_checkpoints(tmp_path / "nowhere") == []


def test_the_same_step_is_replaced(saved):
    save_all(saved.parent, step=12, nodes=8, ranks=2)
    assert list_checkpoints(saved.parent) == [saved]
    assert len(load_streams(saved, range(8)).states) == 8


@pytest.mark.parametrize(
    "name", [SHARED, "nodes-00000-00001.npz", "nodes-00002-00003.npz", MANIFEST]
)
def test_if_one_rank_cannot_write_every_rank_raises_and_the_old_one_stays(saved, name):
    results = save_all(saved.parent, step=13, keep=1, meddle=block(name))
    assert [type(result) for result in results] == [InputError, InputError], results
    for result in results:
        assert str(saved.parent / "step-00000013") in str(result)
        assert name in str(result)
        assert "\n" not in str(result)
    assert list_checkpoints(saved.parent) == [saved]
    read_everything(saved)
    assert len(save_all(saved.parent, step=14)) == 2  # and the next attempt is not in the way
    assert latest(saved.parent).name == "step-00000014"


def test_if_the_folder_cannot_be_made_every_rank_raises(tmp_path):
    (tmp_path / "file").write_text("in the way")
    results = save_all(tmp_path / "file" / "checkpoints", step=1)
    assert [type(result) for result in results] == [InputError, InputError], results
