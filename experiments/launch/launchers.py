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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.config.cluster import LauncherConfig
from experiments.config.schema import Config
from experiments.launch.elastic import elastic_command
from experiments.launch.horovodrun import HOROVODRUN
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


@dataclass(frozen=True)
class Placement:
    """Processes to be started together, of a training run or of anything else.

    Attributes:
        launcher: what starts them.
        ranks: how many.
        threads: compute threads of each; None where the config leaves it to the machine.
        environment: variables they get beside those of the process that starts them.
    """

    launcher: LauncherConfig
    ranks: int
    threads: int | None
    environment: Mapping[str, str]

    @property
    def nodes(self) -> int:
        """Machine nodes they fill."""
        return -(-self.ranks // self.launcher.ranks_per_node)

    @property
    def ranks_on_a_node(self) -> int:
        """Of them, those on a full machine node."""
        return min(self.ranks, self.launcher.ranks_per_node)

    @property
    def cpus_per_rank(self) -> int:
        """Processors each is given by a launcher that places ranks.

        Raises:
            InputError: the config does not say; a share of the machine we are on would be no guide.
        """
        if self.threads is None:
            raise InputError(
                f"launcher.name={self.launcher.name} needs cluster.threads_per_rank, the compute "
                "threads of a rank; a file in conf/site/ is the place for it"
            )
        return self.launcher.cpus_per_rank or self.threads

    def require_program(self) -> None:
        """Check that the launcher is installed here.

        Raises:
            InputError: it is not.
        """
        program = start_command(self, ["any"])[0]
        if program != "any" and shutil.which(program) is None:
            name = self.launcher.name
            raise InputError(
                f"launcher.name={name} needs {program} on the PATH; install "
                f"{_NEEDED.get(name, 'it')} or choose another launcher"
            )


def placement(config: Config) -> Placement:
    """The ranks of a training run."""
    environment = {"HOROVOD_CYCLE_TIME": f"{cycle_time_ms(config):g}"}
    cluster, launcher = config.cluster, config.launcher
    environment |= launcher.environment
    return Placement(launcher, cluster.ranks, cluster.threads_per_rank, environment)


def rank_command(config: Config, run_dir: Path, as_root: bool = False) -> list[str]:
    """The command that starts all ranks of a training run.

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
    return start_command(placement(config), worker, as_root)


def start_command(placed: Placement, worker: list[str], as_root: bool = False) -> list[str]:
    """The command that starts ``worker`` as often as there are ranks.

    Raises:
        InputError: as of `rank_command`.
    """
    if placed.launcher.name == "mpi":
        return _mpi(placed, worker, as_root)
    try:
        return _COMMANDS[placed.launcher.name](placed, worker)
    except KeyError:
        names = ", ".join(sorted({*_COMMANDS, "mpi"}))
        raise InputError(
            f"launcher.name={placed.launcher.name!r} is unknown; choose from {names}"
        ) from None


def as_typed(config: Config, run_dir: Path, as_root: bool = False) -> str:
    """Environment and command of the ranks as one would type them, for people to read."""
    variables = [f"{k}={shlex.quote(v)}" for k, v in placement(config).environment.items()]
    return " ".join([*variables, shlex.join(rank_command(config, run_dir, as_root))])


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


def _gloo(placed: Placement, worker: list[str]) -> list[str]:
    launcher, ranks = placed.launcher, placed.ranks
    if ranks == 1 and launcher.hosts is None:
        return worker
    hosts = launcher.hosts or f"localhost:{ranks}"
    # What Horovod keeps in the home folder is about other hosts, and two that start at the same
    # time can spoil it for each other.
    local = [] if launcher.hosts else ["--disable-cache"]
    placed_ranks = ["--gloo", *local, "-np", str(ranks), "-H", hosts]
    return [*HOROVODRUN, *placed_ranks, *launcher.arguments, *worker]


def _mpi(placed: Placement, worker: list[str], as_root: bool) -> list[str]:
    launcher, ranks = placed.launcher, placed.ranks
    return [
        "mpirun",
        *(["--allow-run-as-root"] if as_root else []),
        *("-np", str(ranks), "-H", launcher.hosts or f"localhost:{ranks}", "--bind-to", "none"),
        *("--mca", "btl_vader_single_copy_mechanism", "none"),
        *(part for name in ("PYTHONPATH", *placed.environment) for part in ("-x", name)),
        *launcher.arguments,
        *worker,
    ]


def _srun(placed: Placement, worker: list[str]) -> list[str]:
    return [
        "srun",
        f"--mpi={placed.launcher.mpi}",
        f"--nodes={placed.nodes}",
        f"--ntasks={placed.ranks}",
        f"--ntasks-per-node={placed.ranks_on_a_node}",
        f"--cpus-per-task={placed.cpus_per_rank}",
        "--kill-on-bad-exit=1",
        "--export=ALL",  # also where the site's jobs start with an empty environment
        *placed.launcher.arguments,
        *worker,
    ]


def _aprun(placed: Placement, worker: list[str]) -> list[str]:
    per_core = placed.launcher.threads_per_core
    return [
        *("aprun", "-n", str(placed.ranks), "-N", str(placed.ranks_on_a_node)),
        *("-d", str(placed.cpus_per_rank)),
        *(["-j", str(per_core)] if per_core else []),
        *placed.launcher.arguments,
        *worker,
    ]


def _pbs(placed: Placement, worker: list[str]) -> list[str]:
    return [
        *("mpiexec", "-n", str(placed.ranks), "--ppn", str(placed.ranks_on_a_node)),
        *("--depth", str(placed.cpus_per_rank)),
        *placed.launcher.arguments,
        *worker,
    ]


def _flux(placed: Placement, worker: list[str]) -> list[str]:
    return [
        *("flux", "run", f"--nodes={placed.nodes}", f"--ntasks={placed.ranks}"),
        f"--cores-per-task={placed.cpus_per_rank}",
        *placed.launcher.arguments,
        *worker,
    ]


_COMMANDS: dict[str, Callable[[Placement, list[str]], list[str]]] = {
    "gloo": _gloo,
    "srun": _srun,
    "aprun": _aprun,
    "pbs": _pbs,
    "flux": _flux,
}
