import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.config.hydra_app import CONF, register_schema, register_section, split_section
from experiments.config.naming import run_directory
from experiments.launch.prepare import check
from experiments.throughput.plan import (
    Shape,
    ThroughputConfig,
    host_slots,
    make_plan,
    run_config,
    uncoupled_configs,
    uncoupled_steps,
)
from ffn_core.errors import InputError
from ffn_core.training.batches import micro_batch_size


def composed(*overrides):
    GlobalHydra.instance().clear()
    register_schema()
    register_section("throughput", ThroughputConfig)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        chosen = compose("throughput", list(overrides))
        return split_section(chosen, "throughput", ThroughputConfig)


def planned(*overrides, cores=2):
    section, config = composed(*overrides)
    return make_plan(section, config, cores)


def test_defaults_train_on_noise_and_belong_to_one_experiment():
    section, config = composed()
    assert (section.ranks, section.mode, section.repeats) == ([1, 2], "both", 3)
    assert config.data.kind == "dummy"
    assert config.tracking.experiment == "throughput"
    assert config.budget.steps == section.steps
    check(config)


def test_any_data_and_any_model_can_be_chosen():
    _, config = composed("data=synthetic", "model=paper", "throughput.steps=20")
    assert (config.data.kind, config.model.depth, config.budget.steps) == ("synthetic", 12, 20)


def test_weak_scaling_keeps_the_share_and_strong_the_total():
    plan = planned("throughput.ranks=[4,1,2]")
    weak, strong = plan.curves
    assert weak.shapes == [Shape(1, 8), Shape(2, 8), Shape(4, 8)]
    assert strong.shapes == [Shape(1, 8), Shape(2, 4), Shape(4, 2)]
    assert weak.baseline == strong.baseline == plan.shapes[0]
    assert len(plan.shapes) == 5, "the baseline is run once"


def test_one_mode_alone():
    (curve,) = planned("throughput.mode=strong", "throughput.ranks=[2,4]").curves
    assert curve.kind == "strong"
    assert [s.fovs_per_step for s in curve.shapes] == [16, 16]


@pytest.mark.parametrize(
    ("cores", "overrides", "threads"),
    [
        (8, ["throughput.ranks=[1,2]"], 4),
        (2, ["throughput.ranks=[1,8]"], 1),
        (8, ["throughput.ranks=[1,4]", "launcher.hosts='a:2,b:2'"], 4),
        (8, ["throughput.ranks=[1,2]", "cluster.threads_per_rank=3"], 3),
    ],
)
def test_every_rank_count_has_the_same_threads_per_rank(cores, overrides, threads):
    assert planned(*overrides, cores=cores).threads_per_rank == threads


def test_all_processes_pass_the_same_micro_batch(tmp_path):
    """Alone, the trainer would take 4 of 8 FOVs at a time; two ranks with 8 each would take 8."""
    section, config = composed("throughput.mode=weak")
    plan = make_plan(section, config, 2)
    taken = set()
    for shape in plan.shapes:
        made = run_config(section, config, plan, shape, 0, tmp_path)
        for run in [made, *uncoupled_configs(made, 20)]:
            size = run.cluster.local_batch_size
            total = run.cluster.fovs_per_step
            taken.add(micro_batch_size(size, total, run.model.micro_batch_size))
    assert taken == {4}


def test_runs_are_real_ranks_without_validation_and_record_ten_times(tmp_path):
    section, config = composed("throughput.steps=40", "data=synthetic")
    plan = make_plan(section, config, 2)
    made = run_config(section, config, plan, Shape(2, 4), 2, tmp_path)
    assert (made.cluster.nodes, made.cluster.ranks, made.cluster.local_batch_size) == (2, 2, 4)
    assert made.validation.canvases == 0
    assert made.report.every_fovs == 4 * 8, "four steps"
    assert made.seed == config.seed + 2
    assert made.budget.steps == 40


def test_timeline_is_a_file_of_the_run_and_of_no_uncoupled_one(tmp_path):
    section, config = composed("throughput.timeline=true", "+launcher.environment.A=b")
    made = run_config(section, config, make_plan(section, config, 2), Shape(2, 8), 0, tmp_path)
    timeline = str(run_directory(made) / "timeline.json")
    assert made.launcher.environment == {"A": "b", "HOROVOD_TIMELINE": timeline}
    assert [c.launcher.environment for c in uncoupled_configs(made, 20)] == [{"A": "b"}] * 2


def test_uncoupled_runs_stay_on_the_hosts_of_their_ranks(tmp_path):
    hosts = "launcher.hosts='a:2,b:2'"
    section, config = composed("throughput.ranks=[1,3]", "throughput.mode=weak", hosts)
    made = run_config(section, config, make_plan(section, config, 2), Shape(3, 8), 0, tmp_path)
    alone = uncoupled_configs(made, 400)
    assert [c.launcher.hosts for c in alone] == ["a:1", "a:1", "b:1"]
    assert {(c.cluster.nodes, c.cluster.ranks, c.cluster.local_batch_size) for c in alone} == {
        (1, 1, 8)
    }
    assert {c.report.every_fovs for c in alone} == {40 * 8}, "ten records"
    assert {c.budget.steps for c in alone} == {400}
    assert len({c.seed for c in alone}) == 3


def test_uncoupled_runs_last_long_enough_to_overlap():
    assert uncoupled_steps(200, step_s=1.0) == 200
    assert uncoupled_steps(200, step_s=0.01) == 1200
    assert uncoupled_steps(20, step_s=0.59) == 30, "20.3 steps, in ten equal records"


def test_host_slots_are_filled_in_order():
    assert host_slots(None, 2) == ["localhost", "localhost"]
    assert host_slots("a:2,b", 3) == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["throughput.ranks=[]"], "throughput.ranks=[]"),
        (["throughput.ranks=[0,1]"], "throughput.ranks[0]=0"),
        (["throughput.ranks=[2,2]"], "throughput.ranks=[2, 2]"),
        (["throughput.mode=odd"], "throughput.mode='odd'"),
        (["throughput.repeats=0"], "throughput.repeats=0"),
        (["throughput.steps=10"], "throughput.steps=10"),
        (["throughput.steps=25"], "throughput.steps=25"),
        (["throughput.ranks=[1,3]"], "cluster.local_batch_size=8"),
        (["launcher.hosts=a"], "launcher.hosts='a'"),
        (["launcher.hosts='a:x,b'"], "launcher.hosts='a:x,b'"),
        (["budget.fovs=8"], "budget has 2 units"),
    ],
)
def test_bad_input_is_named(overrides, named):
    with pytest.raises(InputError) as caught:
        planned(*overrides)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_suggested_batch_works():
    with pytest.raises(InputError, match="a multiple of 6 "):
        planned("throughput.ranks=[1,2,3]")
    assert planned("throughput.ranks=[1,2,3]", "cluster.local_batch_size=6").shapes
    with pytest.raises(InputError, match="a multiple of 3 "):
        planned("throughput.ranks=[2,3]")
    assert planned("throughput.ranks=[2,3]", "cluster.local_batch_size=3").shapes
