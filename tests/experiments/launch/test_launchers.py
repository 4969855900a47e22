"""Known command lines, written out by hand, and what each launcher asks of the config."""

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.horovodrun import without_equals
from experiments.launch.launchers import (
    LAUNCHERS,
    Launcher,
    RankVariables,
    as_typed,
    cycle_time_ms,
    first_slots,
    placement,
    rank_command,
)
from experiments.launch.rank_numbers import rank_of, ranks_here
from experiments.segment.config import ResolvedRegion, ResolvedSegment
from experiments.segment.flooding import Task, task_of
from experiments.segment.processes import worker_commands
from experiments.sweep.slurm_job import inside_job
from ffn_core.errors import InputError

RUN_DIR = Path("/scratch/my runs/n4")
HOROVODRUN = f"{sys.executable} -m experiments.launch.horovodrun"
WORKER = [sys.executable, "-m", "experiments.worker", "/scratch/my runs/n4"]


def config(name: str, ranks: int = 4, threads: int | None = None, **launcher: object) -> Config:
    return from_dict(
        Config,
        {
            "data": {"name": "dummy", "kind": "dummy"},
            "model": {
                "name": "tiny",
                "fov_zyx": [7, 7, 7],
                "deltas_zyx": [2, 2, 2],
                "depth": 2,
                "features": 4,
            },
            "budget": {"steps": 1},
            "cluster": {"nodes": ranks, "ranks": ranks, "threads_per_rank": threads},
            "launcher": {"name": name} | launcher,
        },
    )


@pytest.mark.parametrize(
    ("hosts", "ranks", "expected"),
    [
        ("n1:2,n2:2", 4, "n1:2,n2:2"),
        ("n1:2,n2:2", 3, "n1:2,n2:1"),
        ("n1:2,n2:2", 2, "n1:2"),
        ("localhost:4", 1, "localhost:1"),
        ("n1:1", 2, "n1:1"),  # Horovod says that they are too few
        ("n1,n2:1", 1, "n1,n2:1"),
    ],
)
def test_gloo_is_given_no_more_slots_than_ranks(hosts, ranks, expected):
    """Horovod starts a rank on each slot, whatever number is asked for."""
    assert first_slots(hosts, ranks) == expected
    command = rank_command(config("gloo", ranks=ranks, hosts=hosts), RUN_DIR)
    assert command[command.index("-H") + 1] == expected


def test_gloo_runs_a_single_rank_without_a_launcher():
    assert rank_command(config("gloo", ranks=1), RUN_DIR) == WORKER


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            config("gloo", arguments=["--verbose"]),
            f"{HOROVODRUN} --gloo --disable-cache -np 4 -H localhost:4 --verbose",
        ),
        (
            config("gloo", ranks=1, hosts="a:1"),
            f"{HOROVODRUN} --gloo --disable-cache -np 1 -H a:1",
        ),
        (
            config("mpi", hosts="a:2,b:2", environment={"A": "b"}),
            "mpirun -np 4 -H a:2,b:2 --bind-to none --mca btl_vader_single_copy_mechanism none "
            "-x PYTHONPATH -x HOROVOD_CYCLE_TIME -x A",
        ),
        (
            config("srun", threads=16),
            "srun --mpi=pmix --nodes=4 --ntasks=4 --ntasks-per-node=1 --cpus-per-task=16 "
            "--kill-on-bad-exit=1 --export=ALL",
        ),
        (
            config("srun", threads=8, ranks_per_node=3, mpi="pmi2", arguments=["--overlap"]),
            "srun --mpi=pmi2 --nodes=2 --ntasks=4 --ntasks-per-node=3 --cpus-per-task=8 "
            "--kill-on-bad-exit=1 --export=ALL --overlap",
        ),
        (
            config("aprun", ranks=128, threads=128, threads_per_core=2, arguments=["-cc", "depth"]),
            "aprun -n 128 -N 1 -d 128 -j 2 -cc depth",
        ),
        (config("aprun", ranks=1, threads=4, ranks_per_node=2), "aprun -n 1 -N 1 -d 4"),
        (
            config("pbs", threads=16, cpus_per_rank=32, ranks_per_node=2),
            "mpiexec -n 4 --ppn 2 --depth 32",
        ),
        (
            config("flux", threads=8, ranks_per_node=2),
            "flux run --nodes=2 --ntasks=4 --cores-per-task=8",
        ),
    ],
)
def test_known_command_lines(made, expected):
    assert rank_command(made, RUN_DIR) == [*expected.split(), *WORKER]


@pytest.mark.parametrize("name", ["gloo", "mpi", "srun", "aprun", "pbs", "flux"])
def test_no_launcher_is_given_the_value_of_a_variable(name):
    made = config(name, threads=1, environment={"API_KEY": "planted", "ORDINARY": "planted"})
    assert placement(made).environment["API_KEY"] == "planted"
    assert "planted" not in " ".join(rank_command(made, RUN_DIR))


def test_mpirun_is_allowed_to_run_as_root():
    command = rank_command(config("mpi"), RUN_DIR, as_root=True)
    assert command[:2] == ["mpirun", "--allow-run-as-root"]


def test_a_value_stays_one_argument():
    evil = "x; touch /tmp/evil $(id) 'and more'"
    command = rank_command(config("srun", threads=1, arguments=[evil]), RUN_DIR)
    assert evil in command
    typed = as_typed(config("srun", threads=1, arguments=[evil], environment={"A": evil}), RUN_DIR)
    variable, *words = shlex.split(typed)[1:]
    assert variable == f"A={evil}"
    assert words == command


def test_the_ranks_environment_is_the_users_over_ours():
    assert placement(config("gloo", environment={"HOROVOD_CYCLE_TIME": "1"})).environment == {
        "HOROVOD_CYCLE_TIME": "1"
    }


@pytest.mark.parametrize(
    ("fov", "depth", "features", "local", "threads", "ranks", "expected_ms"),
    [
        (11, 3, 8, 1, 1, 4, 1.0),  # a step of milliseconds
        (13, 4, 8, 32, 1, 4, 3.3),  # 5.29 GF in 106 ms
        (13, 4, 8, 32, 1, 2, 4.6),  # each rank carries two nodes
        (33, 12, 32, 1, 1, 4, 16.6),  # 137 GF in 2.75 s
        (33, 12, 32, 1, 128, 4, 1.5),
    ],
)
def test_horovod_looks_for_work_more_seldom_in_longer_steps(
    fov, depth, features, local, threads, ranks, expected_ms
):
    made = config("gloo")
    size = {"fov_zyx": [fov] * 3, "depth": depth, "features": features}
    cluster = replace(made.cluster, local_batch_size=local, ranks=ranks, threads_per_rank=threads)
    made = replace(made, model=replace(made.model, **size), cluster=cluster)
    assert cycle_time_ms(made) == pytest.approx(expected_ms, abs=0.1)


@pytest.mark.parametrize(("ranks", "per_node", "nodes"), [(1, 4, 1), (4, 4, 1), (5, 4, 2)])
def test_ranks_fill_nodes(ranks, per_node, nodes):
    assert placement(config("srun", ranks=ranks, ranks_per_node=per_node)).nodes == nodes


@pytest.mark.parametrize("name", ["srun", "aprun", "pbs", "flux"])
def test_launchers_that_place_ranks_need_their_threads(name):
    with pytest.raises(InputError, match=r"cluster\.threads_per_rank"):
        rank_command(config(name), RUN_DIR)


def test_an_unknown_launcher_is_named_with_those_there_are():
    with pytest.raises(InputError, match="'jsrun' is unknown; choose from aprun, flux, gloo, mpi"):
        rank_command(config("jsrun"), RUN_DIR)


def test_a_launcher_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="needs aprun on the PATH"):
        placement(config("aprun", threads=1)).require_program()
    placement(config("gloo")).require_program()  # comes with the environment


JSRUN = Launcher(
    program=("jsrun",),
    options=lambda placed: ["--np", str(placed.ranks), "-c", str(placed.cpus_per_rank)],
    provider="IBM LSF",
    rank_variables=RankVariables("JSM_RANK", "JSM_SIZE", "JSM_LOCAL_SIZE"),
)


@pytest.fixture
def jsrun(monkeypatch):
    """A launcher of which nothing is known but its entry in the table."""
    monkeypatch.setitem(LAUNCHERS, "jsrun", JSRUN)
    return config("jsrun", threads=8, arguments=["--smpiargs=off"])


def test_a_new_entry_starts_ranks(jsrun):
    words = ["jsrun", "--np", "4", "-c", "8", "--smpiargs=off"]
    assert rank_command(jsrun, RUN_DIR) == [*words, *WORKER]
    with pytest.raises(InputError, match=r"cluster\.threads_per_rank"):
        rank_command(config("jsrun"), RUN_DIR)
    with pytest.raises(InputError, match="choose from aprun, flux, gloo, jsrun, mpi, pbs, srun"):
        rank_command(config("prun"), RUN_DIR)


def test_a_new_entry_says_what_to_install(jsrun, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="needs jsrun on the PATH; install IBM LSF or"):
        placement(jsrun).require_program()


def test_a_new_entry_numbers_ranks_and_tasks(jsrun):
    environment = {"JSM_RANK": "3", "JSM_SIZE": "4", "JSM_LOCAL_SIZE": "2"}
    assert rank_of(environment) == 3
    assert ranks_here(environment, 4) == 2
    assert task_of(environment, expected=4) == Task(3, 4)


def test_a_new_entry_starts_segment_workers(jsrun, monkeypatch, tmp_path):
    program = tmp_path / "jsrun"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    segmentation = ResolvedSegment(
        checkpoint="c",
        image="em.h5:raw",
        mean=128.0,
        stddev=33.0,
        fov_zyx=[7, 7, 7],
        deltas_zyx=[2, 2, 2],
        region=ResolvedRegion(size_zyx=[32, 32, 32]),
        out=str(tmp_path),
        processes=4,
        threads_per_process=2,
        launcher=jsrun.launcher,
    )
    worker = [sys.executable, "-m", "experiments.segment_worker", str(tmp_path), "--tasks", "4"]
    words = ["jsrun", "--np", "4", "-c", "2", "--smpiargs=off"]
    assert worker_commands(segmentation, subvolumes=8) == [[*words, *worker]]
    with pytest.raises(InputError, match="launcher=jsrun needs threads_per_process"):
        worker_commands(replace(segmentation, threads_per_process=None), subvolumes=8)
    monkeypatch.setitem(LAUNCHERS, "jsrun", replace(JSRUN, rank_variables=None))
    with pytest.raises(InputError, match="launcher=jsrun does not number its processes"):
        worker_commands(segmentation, subvolumes=8)


@pytest.mark.parametrize(("takes_hosts", "hosts"), [(False, None), (True, "n1:1,n2:1")])
def test_a_new_entry_is_given_the_hosts_of_a_job_if_it_takes_any(
    jsrun, monkeypatch, tmp_path, takes_hosts, hosts
):
    monkeypatch.setitem(LAUNCHERS, "jsrun", replace(JSRUN, takes_hosts=takes_hosts))
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\necho n1; echo n2\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    assert inside_job(jsrun).launcher.hosts == hosts


def test_bad_numbers_are_named():
    with pytest.raises(InputError, match=r"launcher\.ranks_per_node=0"):
        config("srun", ranks_per_node=0)


def test_a_program_in_a_folder_with_an_equals_sign_is_no_variable():
    """Horovod puts ``env A=1 B=2`` in front of it."""
    command = without_equals(["/bin/../bin/a=b/echo", "a b"])
    assert without_equals(WORKER) == WORKER
    assert "=" not in command[0]
    shown = [word.replace("/bin/../bin/a=b/echo", "/bin/echo") for word in command]
    done = subprocess.run(["env", "X=1", *shown], check=True, capture_output=True, text=True)
    assert done.stdout == "a b\n"
