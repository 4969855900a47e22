"""Runs that begin with the state of others; by a single rank, in this process."""

import shutil

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from experiments.config.config_file import load_config, write_config
from experiments.config.naming import identity, point_name, run_directory
from experiments.launch.lineage import (
    CONTINUED,
    EXTENDED,
    current_stage,
    lineage_of,
    shorter_run,
    take_over,
)
from experiments.launch.prepare import check, prepare
from experiments.launch.stop_request import StopRequest
from experiments.reporting import run_files
from experiments.reporting.records import read_records
from experiments.reporting.terminal import Terminal
from experiments.sweep.outcome import STAGE_DONE
from experiments.sweep.scheduler import run_point
from experiments.trainer.recorder import FileRecorder
from experiments.trainer.trainer import Trainer
from ffn_core.errors import InputError
from ffn_core.training import checkpoint as checkpoints
from ffn_core.training.distributed import Collectives, Topology


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """Of a real MLflow store."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def configured(make_config, uri, tmp_path_factory):
    """Config of a run of an experiment, all of them in one folder."""
    runs_dir = str(tmp_path_factory.mktemp("runs"))

    def build(experiment="test", **sections):
        tracking = {"experiment": experiment, "uri": uri}
        return make_config(**sections, tracking=tracking, runs_dir=runs_dir)

    return build


@pytest.fixture(scope="module")
def run(configured):
    """Carry a run out as a point of a study does; returns its directory and what was said."""

    def carry_out(experiment="test", **sections):
        config = configured(experiment, **sections)
        run_dir = run_directory(config)
        run_dir.mkdir(parents=True, exist_ok=True)
        prepared = prepare(config)
        said = take_over(config, run_dir)
        for stage in prepared.each_stage():
            write_config(run_dir, stage)
            recorder = FileRecorder(run_dir)
            collectives = Collectives(Topology(0, 1, 0, 1))
            trainer = Trainer(stage, run_dir, collectives, recorder, StopRequest(run_dir))
            summary = trainer.train()
            assert summary["stage_finished"]
        assert summary["finished"]
        run_files.write_json(run_dir / run_files.RESULT, {"outcome": "finished"} | summary)
        return run_dir, said

    return carry_out


@pytest.fixture(scope="module")
def first(run):
    """A run of ten steps of four nodes."""
    return run(budget={"fovs": 40})[0]


def newest(run_dir, kind=run_files.CHECKPOINTS):
    return checkpoints.load(checkpoints.latest(run_dir / kind))


def records(run_dir):
    return read_records(run_dir / run_files.METRICS)


def same_numbers(first, second):
    """Whether two runs recorded the same, but for what clocks and machines say."""
    clocks = ("time/", "throughput/", "system/")
    kept = [
        [
            (r.step, r.fovs, {k: v for k, v in r.metrics.items() if not k.startswith(clocks)})
            for r in records(run_dir)
        ]
        for run_dir in (first, second)
    ]
    assert kept[0] == kept[1]


def same_state(first, second):
    ours, theirs = newest(first), newest(second)
    assert (ours.step, ours.progress["fovs"]) == (theirs.step, theirs.progress["fovs"])
    assert ours.averaged_correction == theirs.averaged_correction
    for a, b in zip(ours.weights + ours.averaged, theirs.weights + theirs.averaged, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours.slots.keys() == theirs.slots.keys()
    for name, value in ours.slots.items():
        np.testing.assert_array_equal(value, theirs.slots[name])


def test_another_node_count_takes_weights_average_optimizer_and_counts(run, first):
    earlier = newest(first)
    second, _ = run(
        continue_from=str(first),
        cluster={"nodes": 8},
        budget={"fovs": 80},
        learning_rate={"base": 0.002},
    )
    begun = newest(second, run_files.START)
    for a, b in zip(
        begun.weights + begun.averaged, earlier.weights + earlier.averaged, strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert begun.averaged_correction == earlier.averaged_correction
    found = records(second)
    assert (found[0].step, found[0].fovs) == (10, 40)
    assert "baseline/f1" in found[0].metrics
    # The first scores are those of the weights with which the first run ended.
    for name in ("validation/loss", "averaged/loss", "averaged/f1"):
        assert found[0].metrics[name] == pytest.approx(records(first)[-1].metrics[name], rel=1e-6)
    assert [(r.step, r.fovs) for r in found[1:]] == [(s, 40 + 8 * (s - 10)) for s in range(11, 16)]
    assert found[-1].metrics["learning_rate"] == pytest.approx(0.002 * 8**0.5)
    assert found[-1].elapsed_s > records(first)[-1].elapsed_s
    iterations = [v for k, v in newest(second).slots.items() if k.endswith("/iteration")]
    assert [int(v) for v in iterations] == [15]
    lineage = lineage_of(second)
    assert (lineage.kind, lineage.run_dir, lineage.fovs, lineage.step) == (
        CONTINUED,
        str(first),
        40,
        10,
    )
    assert lineage.recipe == "n=4 sqrt adam lr=0.001 at 40 FOVs"


def test_a_continued_run_that_is_interrupted_ends_as_if_it_was_not(run, first, tmp_path):
    options = {"continue_from": str(first), "budget": {"fovs": 80}}
    whole, _ = run("whole", **options)
    part, _ = run("part", checkpoint={"every_fovs": 12}, **options)
    shutil.rmtree(checkpoints.latest(part / run_files.CHECKPOINTS))
    (part / run_files.RESULT).unlink()
    again, _ = run("part", checkpoint={"every_fovs": 12}, **options)
    assert again == part
    same_state(whole, part)
    same_numbers(whole, part)


def test_its_examples_are_not_those_that_the_first_run_began_with(run, first):
    """Were they, both runs would have the same states of their random numbers."""
    second, _ = run(continue_from=str(first), budget={"fovs": 80})
    states = []
    for run_dir in (first, second):
        path = checkpoints.latest(run_dir / run_files.CHECKPOINTS)
        loaded = checkpoints.load_streams(path, range(4))
        states.append({s["rng_before_canvas"]["state"]["inc"] for n in loaded.states for s in n})
    assert len(states[0]) == len(states[1]) == 4
    assert not states[0] & states[1]


def test_what_does_not_fit_is_one_line(make_config, first, tmp_path):
    name = str(first)
    cases = [
        ({"budget": {"fovs": 40}}, "budget.fovs=40 counts from the beginning"),
        ({"budget": {"steps": 40}}, "budget.steps=40 is not clear"),
        ({"optimizer": {"name": "sgd"}}, "state of optimizer.name=adam, not of sgd"),
        ({"model": {"depth": 3}}, "depth 2 and 4 features, the config 3 and 4"),
        ({"model": {"checkpoint": name}}, "leave out model.checkpoint"),
        ({"continue_from": str(tmp_path)}, "not a run directory with checkpoints"),
    ]
    for sections, said in cases:
        with pytest.raises(InputError) as caught:
            check(make_config(**({"continue_from": name, "budget": {"fovs": 80}} | sections)))
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_who_is_continued_is_part_of_the_identity_and_not_how_it_is_named(make_config, tmp_path):
    plain, near, far, other = (
        make_config(budget={"fovs": 80}, continue_from=name)
        for name in (None, "runs/test/n4-0123abcd", str(tmp_path / "n4-0123abcd"), "n4-0123abce")
    )
    assert identity(near) == identity(far)
    assert len({identity(c) for c in (plain, near, other)}) == 3
    assert point_name(near) == "n=4 continued sqrt adam lr=0.001 s1"


def test_a_raised_budget_goes_on_where_the_run_ended(run):
    """40 steps, then 80, and 80 at once: the same records, weights and streams, to the last bit."""
    options = {"learning_rate": {"warmup": {"steps": 12}}, "validation": {"every_fovs": 32}}
    once, said = run("once", budget={"steps": 80}, **options)
    assert not said
    short, _ = run("twice", budget={"steps": 40}, **options)
    kept = (short / run_files.METRICS).read_bytes()
    long, said = run("twice", budget={"fovs": 320}, **options)
    assert said == f"continues where {short.name} ended, at 160 FOVs"
    same_state(once, long)
    same_numbers(once, long)
    streams = [
        checkpoints.load_streams(checkpoints.latest(d / run_files.CHECKPOINTS), range(4))
        for d in (once, long)
    ]
    assert streams[0].states == streams[1].states
    np.testing.assert_array_equal(streams[0].seeds, streams[1].seeds)
    pictures = [sorted(p.name for p in (d / run_files.CANVASES).iterdir()) for d in (once, long)]
    assert pictures[0] == pictures[1]
    assert (short / run_files.METRICS).read_bytes() == kept
    lineage = lineage_of(long)
    assert (lineage.kind, lineage.run_dir, lineage.step) == (EXTENDED, str(short), 40)


@pytest.mark.parametrize(
    "ramp", [{"warmup": {"fraction": 0.5}}, {"cooldown": {"steps": 4}}], ids=["warmup", "cooldown"]
)
def test_rates_that_follow_the_budget_start_from_zero_and_say_so(run, ramp):
    folder = next(iter(ramp))
    short, _ = run(folder, budget={"steps": 8}, learning_rate=ramp)
    long, said = run(folder, budget={"steps": 12}, learning_rate=ramp)
    assert said.startswith("starts from zero: warm-up or cooldown follow the budget")
    assert short.name in said
    assert records(long)[0].fovs == 0
    assert lineage_of(long) is None


def test_only_a_finished_run_with_less_of_the_same_is_extended(run, configured):
    """Not one that is longer, differs in more than the budget, or has diverged."""
    short, _ = run("others", budget={"steps": 8})

    def found(**sections):
        config = configured("others", **({"budget": {"steps": 12}} | sections))
        earlier, said = shorter_run(config, run_directory(config))
        assert not said
        return None if earlier is None else earlier.run_dir

    assert found() == found(budget={"seconds": 1e6}) == short
    for others in ({"seed": 2}, {"cluster": {"nodes": 8}}, {"budget": {"fovs": 32}}):
        assert found(**others) is None
    config = configured("others", budget={"steps": 12}, sweep={"extend": False})
    assert take_over(config, run_directory(config)) == ""
    run_files.write_json(short / run_files.RESULT, {"outcome": "diverged", "step": 8})
    assert found() is None


@pytest.mark.ranks
def test_mlflow_leads_from_a_run_to_the_one_it_continues(configured, uri):
    """Real ranks, in a real store."""
    store = MlflowClient(uri)
    runs = []
    first = configured("lineage", budget={"fovs": 16})
    longer = {"budget": {"fovs": 24}}
    for config in (
        first,
        configured("lineage", **longer),
        configured("lineage", continue_from=str(run_directory(first)), **longer),
    ):
        assert run_point(config, Terminal()).outcome == "finished"
        link = run_files.read_json(run_directory(config) / "mlflow.json")
        runs.append(store.get_run(link["run_id"]))
    earlier, extended, continued = (r.data for r in runs)
    run_id, experiment = runs[0].info.run_id, runs[0].info.experiment_id
    page = f"#/experiments/{experiment}/runs/{run_id}?workflowType=machine_learning"
    link = f"[n=4 sqrt adam lr=0.001 s1]({page})"
    assert earlier.tags["mlflow.note.content"].startswith("Trained on")
    assert continued.tags["ffn_scaling.continued_from"] == run_id
    said = f"Continues {link}, from 16 FOVs on."
    assert continued.tags["mlflow.note.content"].startswith(said)
    assert extended.tags["ffn_scaling.extends"] == run_id
    said = f"Extends the budget of {link}, from 16 FOVs on."
    assert extended.tags["mlflow.note.content"].startswith(said)
    assert continued.params["continue_from"] == "n=4 sqrt adam lr=0.001 at 16 FOVs"
    assert earlier.params["continue_from"] == extended.params["continue_from"] == "none"
    steps = [[m.step for m in store.get_metric_history(r.info.run_id, "train/loss")] for r in runs]
    assert steps == [[8, 16], [8, 16, 24], [24]]


STAGES = [{"nodes": 4, "fovs": 40}, {"nodes": 8, "fovs": 40, "base": 0.002}]


@pytest.fixture(scope="module")
def staged(run):
    """A run of ten steps of four nodes and five of eight, without a budget of its own."""
    return run(budget={}, stages=STAGES)[0]


def test_two_stages_are_a_run_and_one_that_continues_it(run, first, staged):
    """To the last bit; as one run, with continuous counts and the nodes among its metrics."""
    second, _ = run(
        continue_from=str(first),
        cluster={"nodes": 8},
        budget={"fovs": 80},
        learning_rate={"base": 0.002},
    )
    same_state(staged, second)
    by_hand = records(first) + records(second)[1:]  # whose first scores are the last ones again
    found = records(staged)
    assert [(r.step, r.fovs) for r in found] == [(r.step, r.fovs) for r in by_hand]
    for ours, theirs in zip(found, by_hand, strict=True):
        for name in ("train/loss", "learning_rate", "averaged/f1", "noise_scale/simple"):
            assert ours.metrics.get(name) == theirs.metrics.get(name), (ours.fovs, name)
    assert [r.metrics["cluster/nodes"] for r in found] == [4.0] * 6 + [8.0] * 5
    assert [r.fovs for r in found if "score/final" in r.metrics] == [80]
    result = run_files.read_json(staged / run_files.RESULT)
    facts = [(s["nodes"], s["fovs"], s["step"]) for s in result["stages"]]
    assert facts == [(4, 40, 10), (8, 80, 15)]
    assert [s["learning_rate"] for s in result["stages"]] == pytest.approx([0.002, 0.002 * 8**0.5])
    elapsed_s = [s["elapsed_s"] for s in result["stages"]]
    assert 0 < elapsed_s[0] < elapsed_s[1] == result["elapsed_s"]
    assert lineage_of(staged) is None


@pytest.mark.ranks
def test_stages_train_the_same_on_two_ranks(configured, staged, uri):
    """Both stages, one after the other, each by ranks of its own; as a point of a study."""
    config = configured("two", budget={"fovs": 80}, stages=STAGES, cluster={"ranks": 2})
    assert run_point(config, Terminal()).outcome == "finished"
    run_dir = run_directory(config)
    ours, theirs = newest(run_dir), newest(staged)
    for a, b in zip(ours.weights + ours.averaged, theirs.weights + theirs.averaged, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    losses = [
        [r.metrics["train/loss"] for r in records(d) if "train/loss" in r.metrics]
        for d in (run_dir, staged)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    result = run_files.read_json(run_dir / run_files.RESULT)
    assert [(s["nodes"], s["ranks"]) for s in result["stages"]] == [(4, 2), (8, 2)]
    link = run_files.read_json(run_dir / "mlflow.json")
    shown = MlflowClient(uri).get_run(link["run_id"])
    assert shown.info.status == "FINISHED"
    assert shown.data.params["stages"] == "4 nodes 40 FOVs lr 0.001, 8 nodes 40 FOVs lr 0.002"
    assert shown.data.params["cluster.nodes"] == "4"
    assert shown.data.metrics["cluster/nodes"] == 8
    assert shown.data.tags["cluster.emulated"] == "true"


def test_a_stage_that_was_interrupted_goes_on_in_it(run, staged):
    part, _ = run("part", budget={}, stages=STAGES, checkpoint={"every_fovs": 16, "keep": 9})
    for path in checkpoints.list_checkpoints(part / run_files.CHECKPOINTS):
        if checkpoints.load(path).step > 12:
            shutil.rmtree(path)
    newest_left = checkpoints.latest(part / run_files.CHECKPOINTS)
    assert checkpoints.progress_of(newest_left)["fovs"] == 48
    (part / run_files.RESULT).unlink()
    config = load_config(part)
    assert (config.stage, current_stage(config, part)) == (1, 1)
    recorder, alone = FileRecorder(part), Collectives(Topology(0, 1, 0, 1))
    Trainer(config, part, alone, recorder, StopRequest(part)).train()
    same_state(part, staged)
    same_numbers(part, staged)


def test_one_job_carries_out_one_stage_and_no_other(configured, run):
    config = configured("jobs", budget={}, stages=STAGES)
    too_early = run_point(config, Terminal(), stage=1)
    assert too_early.outcome == "input"
    assert "is in stage 1 of 2, and this job is for stage 2" in too_early.message
    run_dir = run_directory(config)
    run_dir.mkdir(parents=True, exist_ok=True)
    stage = prepare(config).in_stage(0)
    recorder, alone = FileRecorder(run_dir), Collectives(Topology(0, 1, 0, 1))
    summary = Trainer(stage, run_dir, alone, recorder, StopRequest(run_dir)).train()
    assert (summary["finished"], summary["stage_finished"]) == (False, True)
    done = run_point(config, Terminal(), stage=0)
    assert (done.outcome, done.message) == (STAGE_DONE, "stage 1 of 2")
