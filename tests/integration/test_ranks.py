"""What is computed does not depend on how many processes compute it, or on being interrupted."""

import dataclasses

import numpy as np
import pytest

from experiments.reporting import run_files
from experiments.reporting.records import read_records
from ffn_core.training import checkpoint as checkpoints

pytestmark = pytest.mark.ranks

SCORES = ("train", "validation", "averaged", "baseline", "score")


SCORED = {"subset": 0.5, "synthetic_seeds": [2]}
"""More scores, on canvases of two volumes."""


@pytest.fixture(scope="module")
def one_process(make_config, train_here, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("one_process")
    train_here(make_config(validation=SCORED), run_dir)
    return run_dir


@pytest.mark.parametrize("ranks", [2, 4])
def test_four_logical_nodes_train_the_same_on_any_number_of_ranks(
    ranks, one_process, make_config, train, losses, final_weights, tmp_path, monkeypatch
):
    passing = tmp_path / "passing"
    passing.mkdir()
    monkeypatch.setenv("TMPDIR", str(passing))
    train(make_config(cluster={"ranks": ranks}, validation=SCORED), tmp_path)
    assert list(passing.iterdir()) == [], "a rank leaves nothing in the folder of temporary files"
    expected = losses(one_process)
    assert len(expected) == 6
    np.testing.assert_allclose(losses(tmp_path), expected, rtol=1e-5)
    np.testing.assert_allclose(final_weights(tmp_path), final_weights(one_process), atol=2e-5)
    noises = []
    for ours, theirs in zip(
        read_records(tmp_path / run_files.METRICS),
        read_records(one_process / run_files.METRICS),
        strict=True,
    ):
        scores = {name for name in theirs.metrics if name.split("/")[0] in SCORES}
        assert {name for name in ours.metrics if name.split("/")[0] in SCORES} == scores
        for name in scores:
            assert ours.metrics[name] == pytest.approx(theirs.metrics[name], abs=2e-3), name
        noises.append([m.metrics.get("noise_scale/simple", np.nan) for m in (ours, theirs)])
    assert np.isfinite(noises).any()
    np.testing.assert_allclose(*np.transpose(noises), rtol=1e-3)
    first, *_, last = read_records(tmp_path / run_files.METRICS)
    names = ("f1", "precision", "recall", "accuracy", "loss", "f1_half", "auc")
    everything = {f"{kind}/{name}" for kind in ("validation", "averaged") for name in names}
    assert everything | {"baseline/f1"} <= set(first.metrics)
    final = {"score/final", "score/best", "score/best_fovs", "time/validation_share"}
    assert everything | final <= set(last.metrics)
    assert first.metrics["baseline/f1"] > 0.2
    assert 0 < last.metrics["time/validation_share"] < 1


def test_bfloat16_trains_the_same_on_two_ranks(
    make_config, train, train_here, losses, final_weights, tmp_path
):
    """To a tolerance of its own, 5e-4 of the losses and 1e-3 in weights: a sum in another order may
    be rounded to the neighboring bfloat16 number, 2^-8 away. Float32 is farther off than that."""
    model = make_config().model
    found = {}
    for precision, ranks in (("bfloat16", 1), ("bfloat16", 2), ("float32", 1)):
        folder = tmp_path / f"{precision}-{ranks}"
        rounded = dataclasses.asdict(dataclasses.replace(model, precision=precision))
        carry_out = train_here if ranks == 1 else train
        carry_out(make_config(model=rounded, cluster={"ranks": ranks}), folder)
        found[precision, ranks] = losses(folder), final_weights(folder)
    one, two, exact = found.values()
    np.testing.assert_allclose(two[0], one[0], rtol=5e-4)
    np.testing.assert_allclose(two[1], one[1], atol=1e-3)
    assert np.abs(exact[1] - one[1]).max() > 1e-3


def test_training_moved_the_weights(one_process, make_config, final_weights):
    from ffn_core.model import ConvStack

    config = make_config()
    start = ConvStack(config.model.size, config.seed).weights
    initial = np.concatenate([w.numpy().ravel() for w in start])
    weights, averaged = np.split(final_weights(one_process), 2)
    assert np.abs(weights - initial).max() > 1e-3
    assert np.abs(averaged - initial).max() > 1e-3
    assert np.abs(averaged - weights).max() > 1e-3


def test_two_ranks_equal_one_process_on_the_double_batch(
    make_config, train, train_here, losses, final_weights, tmp_path
):
    """No logical node is emulated on the two ranks; the single process takes both FOVs."""
    nodes = {"nodes": 2, "local_batch_size": 1}
    budget = {"steps": 10}
    train(make_config(cluster=nodes | {"ranks": 2}, budget=budget), tmp_path / "two")
    train_here(make_config(cluster=nodes | {"ranks": 1}, budget=budget), tmp_path / "one")
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5)
    np.testing.assert_allclose(
        final_weights(tmp_path / "two"), final_weights(tmp_path / "one"), atol=2e-5
    )


def test_a_stopped_run_resumes_exactly_even_on_other_ranks(
    make_config, start_ranks, train_here, losses, final_weights, tmp_path
):
    budget = {"steps": 60}
    cluster = {"nodes": 4, "local_batch_size": 2}
    train_here(make_config(budget=budget, cluster=cluster | {"ranks": 1}), tmp_path / "whole")

    stopped = tmp_path / "stopped"
    with start_ranks(make_config(budget=budget, cluster=cluster | {"ranks": 2}), stopped) as ranks:
        while ranks.wait(0.02) is None:
            if (run_files.read_json(stopped / run_files.PROGRESS) or {"step": 0})["step"] >= 3:
                (stopped / run_files.STOP).touch()
    assert not (stopped / run_files.RESULT).exists()
    (checkpoint,) = (stopped / run_files.CHECKPOINTS).iterdir()
    assert 3 <= checkpoints.load(checkpoint).step < 60

    (stopped / run_files.STOP).unlink()
    train_here(make_config(budget=budget, cluster=cluster | {"ranks": 1}), stopped)
    np.testing.assert_allclose(losses(stopped), losses(tmp_path / "whole"), rtol=1e-5)
    np.testing.assert_allclose(final_weights(stopped), final_weights(tmp_path / "whole"), atol=2e-5)
    steps = [r.step for r in read_records(stopped / run_files.METRICS)]
    assert steps == sorted(set(steps)), "a record is counted twice"


def scores_of(run_dir):
    """The summary of a run, which says the same as its last record."""
    score = run_files.read_json(run_dir / run_files.RESULT)["score"]
    *_, last = read_records(run_dir / run_files.METRICS)
    assert {k: v for k, v in score.items() if k in last.metrics} == {
        k: v for k, v in last.metrics.items() if k.startswith("score/")
    }
    return score


def test_resume_on_the_same_ranks_is_bitwise(make_config, train_here, final_weights, tmp_path):
    """A run whose budget is extended continues as the long run did, to the last bit.

    Nor does it matter that only one of them draws its canvases.
    """
    for name, steps, canvases in (("long", [20], 2), ("extended", [9, 20], 0)):
        for budget in steps:
            (tmp_path / name / run_files.RESULT).unlink(missing_ok=True)
            config = make_config(
                budget={"steps": budget},
                report={"canvases": canvases},
                score={"name": "averaged/loss", "last": 3},
            )
            train_here(config, tmp_path / name)
    a, b = tmp_path / "long", tmp_path / "extended"
    assert scores_of(a) == scores_of(b)
    (best,) = (a / run_files.BEST).iterdir()
    kept = checkpoints.load(best)
    assert kept.step * 4 == scores_of(a)["score/best_fovs"] > 24
    (same,) = (b / run_files.BEST).iterdir()
    assert same.name == best.name
    for ours, theirs in zip(kept.averaged, checkpoints.load(same).averaged, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(list((a / run_files.CANVASES).iterdir())) == 5  # at 0, 24, 48, 72 and 80 FOVs
    assert not (b / run_files.CANVASES).exists()
    np.testing.assert_array_equal(final_weights(a), final_weights(b))
