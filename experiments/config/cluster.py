"""The sections of a run's configuration that say how its ranks are started, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.config.parsing import no_secret
from ffn_core.errors import InputError
from ffn_core.limits.ranges import MOST_NODES, MOST_SECONDS, MOST_THREADS, number, option
from ffn_core.training.node_group import NodeGroup

BATCH_SYSTEMS = ("slurm",)
_TIME_LIMIT = re.compile(r"\d+(:\d\d){0,2}|\d+-\d\d?(:\d\d){0,2}")


@dataclass(frozen=True)
class ClusterConfig:
    """Logical nodes, the processes that carry them, and the batch of each node.

    ``ranks=0`` leaves their number to the machine on which a run is started, see `ranks_on`: such
    a run is the same point of a study wherever it is started, and may be resumed elsewhere. Given
    ``ranks`` make points of their own, which compute the same and differ in time.
    A run ends when ranks have waited for others for ``stall_timeout_s`` (0: they wait for ever).
    With ``elastic`` it continues from its newest checkpoint as long as ``min_ranks`` are left, and
    takes a host in again when ``readmit_after_s`` have passed since its rank died.
    """

    nodes: int = number(
        1, "logical nodes: what the training depends on", at_least=1, at_most=MOST_NODES
    )
    ranks: int = number(
        1,
        "processes that carry the nodes; 0: as many as fit where the run is started",
        at_least=0,
        at_most=MOST_NODES,
    )
    local_batch_size: int = number(1, "FOVs of one node in a step", at_least=1, at_most=MOST_NODES)
    threads_per_rank: int | None = number(
        None,
        "compute threads of a rank; null: its share of the cores",
        at_least=1,
        at_most=MOST_THREADS,
    )
    stall_timeout_s: float = number(
        300.0,
        "the run ends when ranks have waited this long for others; 0: they wait for ever",
        at_least=0,
        at_most=MOST_SECONDS,
    )
    elastic: bool = option(False, "continue without ranks that died")
    min_ranks: int = number(
        1, "fewest ranks with which an elastic run continues", at_least=1, at_most=MOST_NODES
    )
    readmit_after_s: int = number(
        60,
        "seconds after which a host whose rank died is taken in again",
        at_least=1,
        at_most=MOST_SECONDS,
    )

    @property
    def even_ranks(self) -> list[int]:
        """Numbers of ranks that carry the same number of nodes each, the largest first."""
        return [count for count in range(self.nodes, 0, -1) if self.nodes % count == 0]

    def ranks_on(self, cores: int) -> int:
        """Ranks of a run that is started on so many cores: those given, or as many as fit."""
        return self.ranks or next(count for count in self.even_ranks if count <= max(cores, 1))

    @property
    def group(self) -> NodeGroup:
        """Nodes and ranks, checked."""
        return NodeGroup(self.nodes, self.ranks, uneven=self.elastic)

    @property
    def fovs_per_step(self) -> int:
        """FOVs of one optimizer step, summed over nodes."""
        return self.nodes * self.local_batch_size

    def fovs_done(self, progress: Mapping[str, Any]) -> int:
        """FOVs trained on by the ``progress`` of a checkpoint; older ones count steps only."""
        return int(progress.get("fovs", progress["step"] * self.fovs_per_step))


@dataclass(frozen=True)
class LauncherConfig:
    """How ranks are started; see `experiments.launch.launchers`.

    ``hosts`` matters to launchers that take hosts, such as gloo and mpi; ``ranks_per_node``,
    ``cpus_per_rank`` (None: ``cluster.threads_per_rank``) and ``threads_per_core`` to launchers
    that place the ranks of an allocation, ``mpi`` (the process manager interface) to srun, and
    ``gpus_per_node`` (None: not asked for) to srun, flux and jobs of Slurm.
    ``arguments`` are added to the launcher's own, which other users can read, ``environment`` to
    that of the ranks, which they cannot.
    """

    name: str = option("gloo", "what starts the ranks; see conf/launcher/")
    hosts: str | None = option(None, "host:ranks,... of launchers that take hosts")
    ranks_per_node: int = number(
        1, "ranks on one node of an allocation", at_least=1, at_most=MOST_THREADS
    )
    cpus_per_rank: int | None = number(
        None,
        "cores of a rank in an allocation; null: cluster.threads_per_rank",
        at_least=1,
        at_most=MOST_THREADS,
    )
    threads_per_core: int | None = number(
        None, "hardware threads of a core that are used", at_least=1, at_most=64
    )
    gpus_per_node: int | None = number(
        None, "GPUs of a node that jobs ask for", at_least=1, at_most=1024
    )
    mpi: str = option("pmix", "process manager interface of srun")
    arguments: list[str] = option([], "further arguments of the launcher")
    environment: dict[str, str] = option({}, "further variables of the ranks' environment")

    def __post_init__(self) -> None:
        no_secret("launcher.arguments", self.arguments, "on the command line of the launcher")


@dataclass(frozen=True)
class BatchConfig:
    """How a point becomes a job of a batch system; without a ``system`` it runs where we are.

    A job is asked to save a checkpoint before its time limit. It goes back to the queue when it is
    preempted, reaches its time limit or loses ranks, and continues from its checkpoint each time.
    """

    system: str | None = option(None, f"null or {' | '.join(BATCH_SYSTEMS)}")
    time_limit: str = option("1:00:00", "of one job: minutes, H:MM:SS or D-HH:MM:SS")
    account: str | None = option(None, "what a job is charged to; null: what the site has set")
    partition: str | None = option(None, "where a job queues; null: what the site has set")
    qos: str | None = option(None, "quality of service; null: what the site has set")
    constraint: str | None = option(None, "node features; null: what the site has set")
    setup: list[str] = option([], "lines of shell that a job runs first, used as they are")
    options: list[str] = option([], "further options of sbatch, one argument each")
    warning_s: int = number(
        180,
        "seconds before its time limit at which a job saves a checkpoint",
        at_least=1,
        at_most=MOST_SECONDS,
    )
    requeues: int = number(
        5, "how often a job goes back to the queue; 0: never", at_least=0, at_most=10**4
    )

    def __post_init__(self) -> None:
        if self.system is not None and self.system not in BATCH_SYSTEMS:
            raise InputError(
                f"batch.system={self.system!r} is unknown; choose from {', '.join(BATCH_SYSTEMS)},"
                " or null to run inside an allocation"
            )
        if not _TIME_LIMIT.fullmatch(self.time_limit):
            raise InputError(
                f"batch.time_limit={self.time_limit!r} should be minutes, H:MM:SS or D-HH:MM:SS"
            )
        no_secret("batch.options", self.options, "on the command line of sbatch and in its queue")
        no_secret("batch.setup", self.setup, "in the script of the job")
