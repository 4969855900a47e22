"""What a rank takes up from checkpoints on disk."""

import dataclasses

import numpy as np
import pytest

from experiments.config.config_file import write_config
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.config.trained_network import find_network, load_network
from experiments.launch.prepare import check
from experiments.reporting.run_files import BEST, CHECKPOINTS
from experiments.trainer.checkpointing import Checkpointer
from ffn_core.errors import InputError
from ffn_core.model import ConvStack
from ffn_core.training import checkpoint as checkpoints
from ffn_core.training.averaging import AveragedWeights
from ffn_core.training.distributed import Collectives, Topology
from ffn_core.training.optimizers import make_optimizer, slot_values

CONFIG = from_dict(
    Config,
    {
        "data": {"name": "none", "kind": "dummy"},
        "model": {
            "name": "smallest",
            "fov_zyx": [3, 3, 3],
            "deltas_zyx": [1, 1, 1],
            "depth": 1,
            "features": 1,
        },
        "budget": {"steps": 1},
    },
)


@pytest.fixture
def checkpointer(tmp_path) -> Checkpointer:
    """Of a rank that is alone, with no stream to restore."""
    model = ConvStack(CONFIG.model.size, seed=1)
    optimizer = make_optimizer("sgd", {}, model.weights)
    average = AveragedWeights(model.weights, 1, 1000)
    collectives = Collectives(Topology(0, 1, 0, 1))
    return Checkpointer(
        CONFIG, tmp_path / CHECKPOINTS, tmp_path / BEST, collectives, model, optimizer, average, []
    )


def save(checkpointer: Checkpointer, **values) -> checkpoints.Checkpoint:
    """Leave a checkpoint with weights of other values; returns what is in it."""
    weights = [np.full(w.shape, 0.25, np.float32) for w in checkpointer.model.weights]
    checkpoint = checkpoints.Checkpoint(
        7, {"step": 7}, weights, slot_values(checkpointer.optimizer)
    )
    checkpoint = dataclasses.replace(checkpoint, **values)
    streams = checkpoints.NodeStreams(0, [[]], np.zeros((1, 0, 1, 1, 1), np.float32))
    checkpoints.save(checkpointer.folder, checkpoint, streams, 0, lambda item: [item], keep=1)
    return checkpoint


def equal(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def averages_of(checkpointer: Checkpointer) -> list[np.ndarray]:
    return [np.full(w.shape, 0.5, np.float32) for w in checkpointer.model.weights]


def test_the_average_is_taken_up_where_it_was(checkpointer):
    saved = save(checkpointer, averaged=averages_of(checkpointer), averaged_correction=0.125)
    assert checkpointer.restore() == {"step": 7}
    assert equal(checkpointer.average.values(), saved.averaged)
    assert checkpointer.average.correction == 0.125


def test_after_an_older_checkpoint_the_average_starts_from_its_weights(checkpointer):
    saved = save(checkpointer)
    checkpointer.restore()
    assert equal(checkpointer.average.values(), saved.weights)
    assert checkpointer.average.next_share() == 1.0


def test_the_best_is_kept_besides_the_newest_and_found_by_the_run(checkpointer, tmp_path):
    write_config(tmp_path, CONFIG)
    save(checkpointer)
    assert checkpointer.best_progress() is None
    assert find_network(str(tmp_path)).path == checkpointer.folder / "step-00000007"
    for step in (3, 5):
        checkpointer.save_best(step, {"step": step})
        assert checkpointer.best_progress() == {"step": step}
        assert find_network(str(tmp_path)).path == tmp_path / BEST / f"step-{step:08d}"
    assert [path.name for path in (tmp_path / BEST).iterdir()] == ["step-00000005"]
    assert [path.name for path in checkpointer.folder.iterdir()] == ["step-00000007"]
    with pytest.raises(InputError, match="no stream state of node 0"):
        checkpoints.load_streams(tmp_path / BEST / "step-00000005", range(1))


def test_a_network_is_loaded_with_its_averaged_or_its_raw_weights(checkpointer, tmp_path):
    write_config(tmp_path, CONFIG)
    path = checkpointer.folder / "step-00000007"
    saved = save(checkpointer, averaged=averages_of(checkpointer), averaged_correction=0.125)
    for which, expected in (("averaged", saved.averaged), ("raw", saved.weights)):
        assert equal([w.numpy() for w in load_network(path, which).weights], expected)
    saved = save(checkpointer)  # without an average, as older ones
    assert equal([w.numpy() for w in load_network(path).weights], saved.weights)


def starting_from(checkpointer, tmp_path, start, **model) -> Checkpointer:
    """The same rank in another, new run that starts from weights of ``start``."""
    chosen = dataclasses.replace(CONFIG.model, checkpoint=str(start), **model)
    return dataclasses.replace(
        checkpointer,
        config=dataclasses.replace(CONFIG, model=chosen),
        folder=tmp_path / "new" / CHECKPOINTS,
        best_folder=tmp_path / "new" / BEST,
    )


@pytest.mark.parametrize("start", ["", f"{CHECKPOINTS}/step-00000007"])
def test_a_run_starts_from_averaged_or_raw_weights_of_another(checkpointer, tmp_path, start):
    """By its run directory or by a checkpoint; of its optimizer and progress nothing is taken."""
    write_config(tmp_path, CONFIG)
    saved = save(checkpointer, averaged=averages_of(checkpointer), averaged_correction=0.125)
    for which, expected in (("averaged", saved.averaged), ("raw", saved.weights)):
        new = starting_from(checkpointer, tmp_path, tmp_path / start, checkpoint_weights=which)
        assert new.restore() is None
        assert equal([w.numpy() for w in new.model.weights], expected)
        assert equal(new.average.values(), expected)
        assert new.average.next_share() == 1.0


def test_a_start_of_another_size_is_named_before_a_rank_starts(checkpointer, tmp_path):
    write_config(tmp_path, CONFIG)
    save(checkpointer)
    new = starting_from(checkpointer, tmp_path, tmp_path, depth=3)
    said = f"model.checkpoint={tmp_path} has depth 1 and 1 features, the config 3 and 1"
    with pytest.raises(InputError, match=said):
        check(new.config)
    with pytest.raises(InputError, match=said):
        new.restore()


def test_a_start_that_is_not_there_and_weights_there_are_not(checkpointer, tmp_path):
    new = starting_from(checkpointer, tmp_path, tmp_path / "nowhere")
    with pytest.raises(InputError, match=f"model.checkpoint={tmp_path}/nowhere: neither a run"):
        check(new.config)
    with pytest.raises(InputError, match="checkpoint_weights='mean' is unknown"):
        dataclasses.replace(CONFIG.model, checkpoint_weights="mean")
