"""The sections of a run's configuration that say how its ranks are started, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.config.parsing import at_least_one, no_secret
from ffn_core.errors import InputError
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

    nodes: int = 1
    ranks: int = 1
    local_batch_size: int = 1
    threads_per_rank: int | None = None
    stall_timeout_s: float = 300.0
    elastic: bool = False
    min_ranks: int = 1
    readmit_after_s: int = 60

    def __post_init__(self) -> None:
        if self.stall_timeout_s < 0:
            raise InputError(
                f"cluster.stall_timeout_s={self.stall_timeout_s} must be at least 0 (off)"
            )
        at_least_one("cluster", self, "nodes", "local_batch_size", "readmit_after_s")
        at_least_one("cluster", self, "threads_per_rank")

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

    name: str = "gloo"
    hosts: str | None = None
    ranks_per_node: int = 1
    cpus_per_rank: int | None = None
    threads_per_core: int | None = None
    gpus_per_node: int | None = None
    mpi: str = "pmix"
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least_one("launcher", self, "ranks_per_node", "cpus_per_rank", "threads_per_core")
        at_least_one("launcher", self, "gpus_per_node")
        no_secret("launcher.arguments", self.arguments, "on the command line of the launcher")


@dataclass(frozen=True)
class BatchConfig:
    """How a point becomes a job of a batch system; without a ``system`` it runs where we are.

    Attributes:
        system: None or ``slurm``.
        time_limit: of one job, as Slurm writes it: minutes, ``H:MM:SS`` or ``D-HH:MM:SS``.
        account: what the job is charged to. As the next three: None leaves it to the site.
        partition: where it queues.
        qos: quality of service.
        constraint: node features.
        setup: lines of shell that a job runs first, such as ``module load openmpi``; used as they
            are.
        options: further options of sbatch, one argument each.
        warning_s: how long before its time limit a job is asked to save a checkpoint.
        requeues: how often a job goes back to the queue when it is preempted, reaches its time
            limit or loses ranks; each time it continues from its checkpoint. 0: never.
    """

    system: str | None = None
    time_limit: str = "1:00:00"
    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    constraint: str | None = None
    setup: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    warning_s: int = 180
    requeues: int = 5

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
        at_least_one("batch", self, "warning_s")
        no_secret("batch.options", self.options, "on the command line of sbatch and in its queue")
        no_secret("batch.setup", self.setup, "in the script of the job")
        if self.requeues < 0:
            raise InputError(f"batch.requeues={self.requeues} must be at least 0 (never)")
