"""Machines and launchers in conf/ compose into commands, and the machine wins over the preset."""

import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.config.hydra_app import CONF, register_schema, to_config
from experiments.config.naming import identity, run_directory
from experiments.config.schema import Config
from experiments.launch.launchers import placement, rank_command
from experiments.sweep.dry_run import what_would_run

SITES = sorted(path.stem for path in (CONF / "site").glob("*.yaml"))
LAUNCHERS = sorted(path.stem for path in (CONF / "launcher").glob("*.yaml"))


STEPS = "budget.steps=10"


def composed(*overrides: str) -> Config:
    GlobalHydra.instance().clear()
    register_schema()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return to_config(compose("config", list(overrides)))


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_is_named_after_its_file_and_says_what_it_is(launcher):
    config = composed(
        STEPS, f"launcher={launcher}", "cluster.ranks=2", "cluster.threads_per_rank=1"
    )
    assert config.launcher.name == launcher
    assert rank_command(config, run_directory(config))
    assert (CONF / "launcher" / f"{launcher}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("preset", ["weak_scaling", "demo_sweep"])
def test_a_site_gives_every_logical_node_a_rank(site, preset):
    config = composed(f"experiment={preset}", f"site={site}", "cluster.nodes=8")
    assert config.cluster.ranks == 8
    assert placement(config).nodes == 8 // config.launcher.ranks_per_node
    assert rank_command(config, run_directory(config))
    header = (CONF / "site" / f"{site}.yaml").read_text()
    assert f"site={site}" in header, "the header says how to use it"


def test_theta_is_the_papers_machine():
    config = composed(STEPS, "site=theta", "cluster.nodes=128")
    command = rank_command(config, run_directory(config))
    assert shlex.join(command).startswith("aprun -n 128 -N 1 -d 128 -j 2 -cc depth ")


def test_polaris_gives_each_of_its_gpus_a_rank():
    config = composed(STEPS, "site=polaris_gpu", "cluster.nodes=8")
    assert config.device == "gpu"
    (line,) = what_would_run(config)
    assert "mpiexec -n 8 --ppn 4 --depth 16 --cpu-bind depth " in line


def test_slurm_is_asked_for_gpus_and_gives_them_to_its_ranks():
    gpus = ["device=gpu", "launcher.ranks_per_node=4", "launcher.gpus_per_node=4"]
    lines = what_would_run(composed(STEPS, "site=slurm", "cluster.nodes=8", *gpus))
    assert "--nodes=2 --ntasks=8 --ntasks-per-node=4 " in lines[0]
    assert " --gpus-per-node=4 " in lines[0]
    assert " --gpus-per-node=4 " in lines[-1]


def test_where_a_run_is_carried_out_does_not_change_what_it_is():
    threads = [
        STEPS,
        "cluster.nodes=2",
        "cluster.ranks=2",
        "cluster.threads_per_rank=16",
    ]
    assert identity(composed("site=slurm", "batch.account=me", *threads, STEPS)) == identity(
        composed(*threads, STEPS)
    )


def test_a_dry_run_of_a_job_shows_its_script():
    lines = what_would_run(composed(STEPS, "site=slurm", "batch.setup=[module load mpi]"))
    assert lines[0].startswith("sbatch --parsable ")
    assert "  module load mpi" in lines
    assert "srun --mpi=pmix --nodes=2" in lines[-1]
