"""The command line that starts the ranks of a run: one pure function of its config per launcher.

Commands are lists of arguments, never shell strings. ``gloo`` and ``mpi`` start ranks on named
hosts; ``srun``, ``aprun``, ``pbs`` and ``flux`` place them on the nodes of the allocation in which
they are called.
"""

from __future__ import annotations

import math
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from experiments.elastic import elastic_command
from experiments.schema import Config
from ffn_core.errors import InputError

_NEEDED = {
    "mpi": "Open MPI",
    "srun": "Slurm",
    "aprun": "Cray ALPS",
    "pbs": "the MPI of a PBS site",
    "flux": "Flux",
}

CYCLE_COST_MS = 0.05
"""Computing time of one cycle of Horovod's thread: measured, a quarter of a core at 0.2 ms."""

SHORTEST_CYCLE_MS = 1.0
ASSUMED_FLOPS_PER_THREAD = 50e9


def node_count(config: Config) -> int:
    """Machine nodes that the ranks of a run fill."""
    return -(-config.cluster.ranks // config.launcher.ranks_per_node)


def rank_command(config: Config, run_dir: Path, as_root: bool = False) -> list[str]:
    """The command that starts all ranks.

    Args:
        config: the run.
        run_dir: its directory.
        as_root: whether root starts it, which mpirun refuses unless told that it is meant.

    Raises:
        InputError: for an unknown launcher, or one that needs more of the config.
    """
    worker = [sys.executable, "-m", "experiments.worker", str(run_dir)]
    if config.cluster.elastic:
        return elastic_command(config, worker)
    if config.launcher.name == "mpi":
        return _mpi(config, worker, as_root)
    try:
        return _COMMANDS[config.launcher.name](config, worker)
    except KeyError:
        names = ", ".join(sorted({*_COMMANDS, "mpi"}))
        raise InputError(
            f"launcher.name={config.launcher.name!r} is unknown; choose from {names}"
        ) from None


def rank_environment(config: Config) -> dict[str, str]:
    """Variables that the ranks get beside those of the process that starts them."""
    return {"HOROVOD_CYCLE_TIME": f"{cycle_time_ms(config):g}"} | config.launcher.environment


def cycle_time_ms(config: Config) -> float:
    """How often Horovod's thread should look for gradients to sum.

    Each time it asks all other ranks, at the expense of computing where no core is to spare; and
    gradients wait for half a cycle. These take the shares ``CYCLE_COST_MS / cycle`` and
    ``cycle / 2 / step`` of a step, least in sum where the cycle is the root of twice the product
    of cost and step. The length of a step is guessed from its arithmetic.
    """
    cluster = config.cluster
    fovs = cluster.fovs_per_step / cluster.ranks
    flops_per_s = ASSUMED_FLOPS_PER_THREAD * (cluster.threads_per_rank or 1)
    step_ms = 1e3 * fovs * config.model.training_flops / flops_per_s
    return max(round(math.sqrt(2 * CYCLE_COST_MS * step_ms), 1), SHORTEST_CYCLE_MS)


def as_typed(config: Config, run_dir: Path, as_root: bool = False) -> str:
    """Environment and command of the ranks as one would type them, for people to read."""
    variables = [f"{k}={shlex.quote(v)}" for k, v in rank_environment(config).items()]
    return " ".join([*variables, shlex.join(rank_command(config, run_dir, as_root))])


def require_program(config: Config) -> None:
    """Check that the launcher is installed here.

    Raises:
        InputError: it is not.
    """
    program = rank_command(config, Path())[0]
    if shutil.which(program) is None:
        name = config.launcher.name
        raise InputError(
            f"launcher.name={name} needs {program} on the PATH; install "
            f"{_NEEDED.get(name, 'it')} or choose another launcher"
        )


def _gloo(config: Config, worker: list[str]) -> list[str]:
    launcher, ranks = config.launcher, config.cluster.ranks
    if ranks == 1 and launcher.hosts is None:
        return worker
    horovodrun = str(Path(sys.executable).with_name("horovodrun"))
    hosts = launcher.hosts or f"localhost:{ranks}"
    return [horovodrun, "--gloo", "-np", str(ranks), "-H", hosts, *launcher.arguments, *worker]


def _mpi(config: Config, worker: list[str], as_root: bool) -> list[str]:
    launcher, ranks = config.launcher, config.cluster.ranks
    return [
        "mpirun",
        *(["--allow-run-as-root"] if as_root else []),
        *("-np", str(ranks), "-H", launcher.hosts or f"localhost:{ranks}", "--bind-to", "none"),
        *("--mca", "btl_vader_single_copy_mechanism", "none"),
        *(part for name in ("PYTHONPATH", *rank_environment(config)) for part in ("-x", name)),
        *launcher.arguments,
        *worker,
    ]


def _srun(config: Config, worker: list[str]) -> list[str]:
    return [
        "srun",
        f"--mpi={config.launcher.mpi}",
        f"--nodes={node_count(config)}",
        f"--ntasks={config.cluster.ranks}",
        f"--ntasks-per-node={ranks_on_a_node(config)}",
        f"--cpus-per-task={cpus_per_rank(config)}",
        "--kill-on-bad-exit=1",
        "--export=ALL",  # also where the site's jobs start with an empty environment
        *config.launcher.arguments,
        *worker,
    ]


def _aprun(config: Config, worker: list[str]) -> list[str]:
    per_core = config.launcher.threads_per_core
    return [
        *("aprun", "-n", str(config.cluster.ranks), "-N", str(ranks_on_a_node(config))),
        *("-d", str(cpus_per_rank(config))),
        *(["-j", str(per_core)] if per_core else []),
        *config.launcher.arguments,
        *worker,
    ]


def _pbs(config: Config, worker: list[str]) -> list[str]:
    return [
        *("mpiexec", "-n", str(config.cluster.ranks), "--ppn", str(ranks_on_a_node(config))),
        *("--depth", str(cpus_per_rank(config))),
        *config.launcher.arguments,
        *worker,
    ]


def _flux(config: Config, worker: list[str]) -> list[str]:
    return [
        *("flux", "run", f"--nodes={node_count(config)}", f"--ntasks={config.cluster.ranks}"),
        f"--cores-per-task={cpus_per_rank(config)}",
        *config.launcher.arguments,
        *worker,
    ]


_COMMANDS: dict[str, Callable[[Config, list[str]], list[str]]] = {
    "gloo": _gloo,
    "srun": _srun,
    "aprun": _aprun,
    "pbs": _pbs,
    "flux": _flux,
}


def ranks_on_a_node(config: Config) -> int:
    """Ranks of a full machine node."""
    return min(config.cluster.ranks, config.launcher.ranks_per_node)


def cpus_per_rank(config: Config) -> int:
    """Processors each rank is given by a launcher that places ranks.

    Raises:
        InputError: the config does not say; a share of the machine we are on would be no guide.
    """
    cpus = config.launcher.cpus_per_rank or config.cluster.threads_per_rank
    if cpus is None or config.cluster.threads_per_rank is None:
        raise InputError(
            f"launcher.name={config.launcher.name} needs cluster.threads_per_rank, the compute "
            "threads of a rank; a file in conf/site/ is the place for it"
        )
    return cpus
