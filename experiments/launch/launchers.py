"""All that is known of launchers, in one table, and the command lines that follow from it.

Commands are lists of arguments, never shell strings. ``gloo`` and ``mpi`` start ranks on named
hosts; ``srun``, ``aprun``, ``pbs`` and ``flux`` place them on the nodes of the allocation in which
they are called.

To add a launcher, add an entry to `LAUNCHERS` and a file ``conf/launcher/NAME.yaml`` that says
``name: NAME``. Training, segmentation, jobs and dry runs take everything from the entry.
"""

from __future__ import annotations

import math
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.config.cluster import LauncherConfig
from experiments.config.schema import Config
from experiments.launch.elastic import elastic_command
from experiments.launch.horovodrun import HOROVODRUN, without_equals
from ffn_core.child_process import python_module
from ffn_core.errors import InputError

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
        name, entry = self.launcher.name, launcher_of(self.launcher)
        program = entry.program[0]
        if entry.provider is not None and shutil.which(program) is None:
            raise InputError(
                f"launcher.name={name} needs {program} on the PATH; install {entry.provider} or "
                "choose another launcher"
            )


@dataclass(frozen=True)
class RankVariables:
    """Environment variables by which a launcher numbers the processes that it starts.

    Attributes:
        rank: holds the number of a process, from 0.
        size: holds how many there are; None if no variable does.
        local_size: holds how many there are on the same machine, likewise.
        local_rank: holds the number of a process among those, from 0, likewise.
    """

    rank: str
    size: str | None = None
    local_size: str | None = None
    local_rank: str | None = None


@dataclass(frozen=True)
class Launcher:
    """One way to start processes: an entry of `LAUNCHERS`.

    Attributes:
        program: its first words on a command line.
        options: what follows them; ``launcher.arguments`` and the worker's command come last.
        provider: what to install where the program is missing; None if it is part of the project.
        rank_variables: how a process learns its number. Without them Horovod may still know it, but
            a segmentation cannot share its work.
        takes_hosts: whether it starts processes on ``launcher.hosts``, else on this machine. If
            not, it places them on the nodes of an allocation, and must be given their threads.
        bypassed: whether it is left out where processes of this machine do not communicate.
        root_options: what it wants to hear before it works for root.
    """

    program: tuple[str, ...]
    options: Callable[[Placement], list[str]]
    provider: str | None
    rank_variables: RankVariables | None
    takes_hosts: bool = False
    bypassed: bool = False
    root_options: tuple[str, ...] = ()


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
        as_root: whether root starts it, which mpirun refuses without an option that allows it.

    Raises:
        InputError: for an unknown launcher, or one that needs more of the config.
    """
    worker = python_module("experiments.worker", str(run_dir))
    if config.cluster.elastic:
        return elastic_command(config, worker)
    return start_command(placement(config), worker, as_root)


def start_command(placed: Placement, worker: list[str], as_root: bool = False) -> list[str]:
    """The command that starts ``worker`` as often as there are ranks.

    Raises:
        InputError: as of `rank_command`.
    """
    entry = launcher_of(placed.launcher)
    if placed.ranks == 1 and is_direct(placed.launcher):
        return worker
    worker = without_equals(worker)
    return [
        *entry.program,
        *(entry.root_options if as_root else ()),
        *entry.options(placed),
        *placed.launcher.arguments,
        *worker,
    ]


def launcher_of(config: LauncherConfig) -> Launcher:
    """The entry of the table that ``config`` names.

    Raises:
        InputError: there is none.
    """
    try:
        return LAUNCHERS[config.name]
    except KeyError:
        names = ", ".join(sorted(LAUNCHERS))
        raise InputError(f"launcher.name={config.name!r} is unknown; choose from {names}") from None


def is_direct(config: LauncherConfig) -> bool:
    """Whether processes that do not communicate are started without a launcher.

    Raises:
        InputError: for an unknown launcher.
    """
    return launcher_of(config).bypassed and config.hosts is None


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


def _hosts(placed: Placement) -> str:
    return placed.launcher.hosts or f"localhost:{placed.ranks}"


def first_slots(hosts: str, ranks: int) -> str:
    """As many slots of ``hosts`` as there are ranks: 3 of ``n1:2,n2:2`` are ``n1:2,n2:1``.

    What is not written like that is returned as it is, for the launcher to refuse.
    """
    kept, left = [], ranks
    for entry in hosts.split(","):
        name, _, slots = entry.rpartition(":")
        if not slots.isdecimal():
            return hosts
        if left:
            kept.append(f"{name}:{min(int(slots), left)}")
            left -= min(int(slots), left)
    return ",".join(kept)


def _gloo(placed: Placement) -> list[str]:
    # Horovod would start a rank on each slot, however many are asked for; a stage may need fewer.
    hosts = first_slots(_hosts(placed), placed.ranks)
    # Horovod would keep what it finds out about other hosts in the home folder, which there may be
    # none of, and two that start at the same time can spoil it for each other.
    return ["--gloo", "--disable-cache", "-np", str(placed.ranks), "-H", hosts]


def _mpi(placed: Placement) -> list[str]:
    return [
        *("-np", str(placed.ranks), "-H", _hosts(placed), "--bind-to", "none"),
        *("--mca", "btl_vader_single_copy_mechanism", "none"),
        *(part for name in ("PYTHONPATH", *placed.environment) for part in ("-x", name)),
    ]


def _srun(placed: Placement) -> list[str]:
    return [
        f"--mpi={placed.launcher.mpi}",
        f"--nodes={placed.nodes}",
        f"--ntasks={placed.ranks}",
        f"--ntasks-per-node={placed.ranks_on_a_node}",
        f"--cpus-per-task={placed.cpus_per_rank}",
        *gpu_options(placed.launcher),
        "--kill-on-bad-exit=1",
        "--export=ALL",  # also where the site's jobs start with an empty environment
    ]


def gpu_options(launcher: LauncherConfig) -> list[str]:
    """Options by which Slurm gives GPUs to a job, and srun all those of a node to each rank of it.

    Each rank then takes its own, as on machines whose launcher knows nothing of GPUs.
    """
    count = launcher.gpus_per_node
    return [] if count is None else [f"--gpus-per-node={count}"]


def _aprun(placed: Placement) -> list[str]:
    per_core = placed.launcher.threads_per_core
    return [
        *("-n", str(placed.ranks), "-N", str(placed.ranks_on_a_node)),
        *("-d", str(placed.cpus_per_rank)),
        *(["-j", str(per_core)] if per_core else []),
    ]


def _pbs(placed: Placement) -> list[str]:
    return [
        *("-n", str(placed.ranks), "--ppn", str(placed.ranks_on_a_node)),
        *("--depth", str(placed.cpus_per_rank)),
    ]


def _flux(placed: Placement) -> list[str]:
    return [
        f"--nodes={placed.nodes}",
        f"--ntasks={placed.ranks}",
        f"--cores-per-task={placed.cpus_per_rank}",
        *_flux_gpus(placed),
    ]


def _flux_gpus(placed: Placement) -> list[str]:
    """Flux gives GPUs to tasks: each the share that it has in those of a node."""
    gpus = placed.launcher.gpus_per_node
    if gpus is None:
        return []
    return [f"--gpus-per-task={max(1, gpus // placed.launcher.ranks_per_node)}"]


# One entry, and conf/launcher/NAME.yaml, is all that a launcher needs. Where the variables of
# several are set at the same time, the process belongs to the first of them here.
LAUNCHERS = {
    "gloo": Launcher(
        program=tuple(HOROVODRUN),
        options=_gloo,
        provider=None,
        rank_variables=RankVariables(
            "HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_SIZE", "HOROVOD_LOCAL_RANK"
        ),
        takes_hosts=True,
        bypassed=True,
    ),
    "mpi": Launcher(
        program=("mpirun",),
        options=_mpi,
        provider="Open MPI",
        rank_variables=RankVariables(
            "OMPI_COMM_WORLD_RANK",
            "OMPI_COMM_WORLD_SIZE",
            "OMPI_COMM_WORLD_LOCAL_SIZE",
            "OMPI_COMM_WORLD_LOCAL_RANK",
        ),
        takes_hosts=True,
        root_options=("--allow-run-as-root",),
    ),
    "flux": Launcher(
        program=("flux", "run"),
        options=_flux,
        provider="Flux",
        rank_variables=RankVariables(
            "FLUX_TASK_RANK", "FLUX_JOB_SIZE", local_rank="FLUX_TASK_LOCAL_ID"
        ),
    ),
    "srun": Launcher(
        program=("srun",),
        options=_srun,
        provider="Slurm",
        # Not SLURM_NTASKS: a batch script, which is no step, has that too.
        rank_variables=RankVariables(
            "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", local_rank="SLURM_LOCALID"
        ),
    ),
    "pbs": Launcher(
        program=("mpiexec",),
        options=_pbs,
        provider="the MPI of a PBS site",
        rank_variables=RankVariables("PALS_RANKID", local_rank="PALS_LOCAL_RANKID"),
    ),
    "aprun": Launcher(
        program=("aprun",),
        options=_aprun,
        provider="Cray ALPS",
        rank_variables=RankVariables("ALPS_APP_PE"),
    ),
}
