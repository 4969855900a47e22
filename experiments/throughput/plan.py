"""Which runs make a series: shapes of the cluster, scaling curves over them, their configs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.config.naming import run_directory
from experiments.config.schema import BudgetConfig, Config
from ffn_core.devices.host import on_gpu
from ffn_core.errors import InputError
from ffn_core.limits.ranges import MOST_NODES, number, numbers, option
from ffn_core.training.batches import micro_batch_size

WEAK, STRONG = "weak", "strong"
MODES = (WEAK, STRONG, "both")
RECORDS_PER_RUN = 10
"""Records of each run. They are equally long, so that a mean over them is one over steps."""


@dataclass(frozen=True)
class ThroughputConfig:
    """What to measure; see ``conf/throughput.yaml``."""

    ranks: list[int] = numbers(
        [1, 2],
        "real processes, one logical node each; the smallest count is the baseline",
        at_least=1,
        at_most=MOST_NODES,
    )
    mode: str = option("both", "weak (same FOVs per rank) | strong (same FOVs in all) | both")
    repeats: int = number(3, "runs of each", at_least=1, at_most=1000)
    steps: int = number(
        200,
        f"of each run; a multiple of {RECORDS_PER_RUN}",
        at_least=2 * RECORDS_PER_RUN,
        at_most=10**6,
    )
    coupling: bool = option(True, "also run as many uncoupled processes at the same time")
    peak: bool = option(True, "also measure the bare step and the GEMM rate")
    timeline: bool = option(False, "write Horovod's timeline into each run directory")

    def __post_init__(self) -> None:
        if not self.ranks or len(set(self.ranks)) != len(self.ranks):
            raise InputError(f"throughput.ranks={self.ranks} must be different counts, as [1,2]")
        if self.mode not in MODES:
            raise InputError(
                f"throughput.mode={self.mode!r} is unknown; choose from {', '.join(MODES)}"
            )
        if self.steps % RECORDS_PER_RUN:
            raise InputError(
                f"throughput.steps={self.steps} must be a multiple of {RECORDS_PER_RUN}"
            )

    @property
    def modes(self) -> list[str]:
        """``weak``, ``strong`` or both."""
        return [WEAK, STRONG] if self.mode == "both" else [self.mode]


TIMELINE = "timeline.json"

UNCOUPLED_S = 12.0
"""Shortest training of uncoupled processes: on a busy machine they are ready seconds apart."""


@dataclass(frozen=True, order=True)
class Shape:
    """Ranks that train together, one logical node each, and the FOVs of each in a step."""

    ranks: int
    local_batch_size: int

    @property
    def fovs_per_step(self) -> int:
        """FOVs of one step, summed over ranks."""
        return self.ranks * self.local_batch_size

    def __str__(self) -> str:
        ranks = "1 rank" if self.ranks == 1 else f"{self.ranks} ranks"
        return f"{ranks} x {self.local_batch_size} FOVs"


@dataclass(frozen=True)
class Curve:
    """A scaling curve: ``kind`` is weak or strong, the first of ``shapes`` is the baseline."""

    kind: str
    shapes: list[Shape]

    @property
    def baseline(self) -> Shape:
        """The shape with the fewest ranks."""
        return self.shapes[0]


@dataclass(frozen=True)
class Plan:
    """What is the same in all runs of a series.

    Attributes:
        curves: The curves to measure; both start from the same baseline.
        threads_per_rank: Compute threads of each process.
        micro_batch: FOVs in one pass. Left to each run it would grow with the number of ranks
            (the noise scale needs two micro-batches in a step), and pass for scaling.
        ranks_per_host: Most ranks that share a machine, at the largest rank count.
    """

    curves: list[Curve]
    threads_per_rank: int
    micro_batch: int
    ranks_per_host: int

    @property
    def shapes(self) -> list[Shape]:
        """All that must be run, the baseline first."""
        return sorted({shape for curve in self.curves for shape in curve.shapes})


def make_plan(section: ThroughputConfig, config: Config, cores: int) -> Plan:
    """Plan a series on machines of ``cores`` cores.

    Raises:
        InputError: The fixed batch of strong scaling does not divide, or there are too few hosts.
    """
    local, ranks = config.cluster.local_batch_size, sorted(section.ranks)
    curves = [Curve(kind, _shapes(kind, ranks, local)) for kind in section.modes]
    sizes = [shape.local_batch_size for curve in curves for shape in curve.shapes]
    crowd = max(Counter(host_slots(config.launcher.hosts, ranks[-1])).values())
    threads = config.cluster.threads_per_rank or max(1, cores // crowd)
    micro = micro_batch_size(math.gcd(*sizes), min(sizes), config.model.micro_batch_size)
    return Plan(curves, threads, micro, crowd)


def _shapes(kind: str, ranks: Sequence[int], local: int) -> list[Shape]:
    if kind != STRONG:
        return [Shape(count, local) for count in ranks]
    total = ranks[0] * local
    for count in ranks:
        if total % count:
            raise InputError(
                f"cluster.local_batch_size={local} gives strong scaling {total} FOVs a step, which "
                f"{count} ranks cannot share; choose a multiple of {math.lcm(*ranks) // ranks[0]}"
                " or throughput.mode=weak"
            )
    return [Shape(count, total // count) for count in ranks]


def host_slots(hosts: str | None, ranks: int) -> list[str]:
    """The host of each of ``ranks`` ranks, as launchers fill ``host:slots,...`` in order.

    Raises:
        InputError: It names fewer slots than ranks, or is not of that form.
    """
    if hosts is None:
        return ["localhost"] * ranks
    slots: list[str] = []
    for entry in hosts.split(","):
        host, _, count = entry.strip().partition(":")
        if not host or (count and not count.isdigit()):
            raise InputError(f"launcher.hosts={hosts!r} should look like node1:1,node2:1")
        slots += [host] * int(count or 1)
    if len(slots) < ranks:
        raise InputError(
            f"launcher.hosts={hosts!r} has {len(slots)} slots for throughput.ranks up to {ranks}"
        )
    return slots[:ranks]


def run_config(
    section: ThroughputConfig, config: Config, plan: Plan, shape: Shape, repeat: int, folder: Path
) -> Config:
    """The config of one run: the user's, with all that is not training or would vary set.

    Args:
        section: What to measure.
        config: What the user composed.
        plan: What is the same in all runs.
        shape: Ranks and FOVs of each.
        repeat: 0, 1, ...; repeats differ in their seed.
        folder: Below which the run directory is made.
    """
    record_steps = section.steps // RECORDS_PER_RUN
    made = replace(
        config,
        runs_dir=str(folder),
        seed=config.seed + repeat,
        budget=BudgetConfig(steps=section.steps),
        model=replace(config.model, micro_batch_size=plan.micro_batch),
        cluster=replace(
            config.cluster,
            nodes=shape.ranks,
            ranks=shape.ranks,
            local_batch_size=shape.local_batch_size,
            threads_per_rank=plan.threads_per_rank,
        ),
        report=replace(
            config.report,
            every_fovs=record_steps * shape.fovs_per_step,
            canvases=0,
        ),
        validation=replace(config.validation, canvases=0),
        checkpoint=replace(config.checkpoint, every_fovs=section.steps * shape.fovs_per_step),
        sweep=replace(config.sweep, extend=False),  # all of it is to be measured now
    )
    if not section.timeline:
        return made
    timeline = {"HOROVOD_TIMELINE": str(run_directory(made) / TIMELINE)}
    environment = made.launcher.environment | timeline
    return replace(made, launcher=replace(made.launcher, environment=environment))


def uncoupled_steps(steps: int, step_s: float) -> int:
    """Steps of uncoupled runs: ``steps``, or more where these would take less than `UNCOUPLED_S`.

    Args:
        steps: Of the run whose ranks they are.
        step_s: Seconds of one of its steps.
    """
    return max(steps, RECORDS_PER_RUN * math.ceil(UNCOUPLED_S / step_s / RECORDS_PER_RUN))


def uncoupled_configs(config: Config, steps: int, gpus: list[str] | None = None) -> list[Config]:
    """The ranks of ``config`` as runs of their own, each where the launcher would put that rank.

    Args:
        config: a run of several ranks.
        steps: of each of theirs.
        gpus: of each host, as `visible_gpus` returns them; None where ranks compute on the CPU.
    """
    ranks, launcher = config.cluster.ranks, config.launcher
    local = config.cluster.local_batch_size
    environment = {k: v for k, v in launcher.environment.items() if k != "HOROVOD_TIMELINE"}
    slots = host_slots(launcher.hosts, ranks)
    hosts = [f"{host}:1" for host in slots] if launcher.hosts else None
    # Each would be the first rank of its host, and all take the first GPU.
    variables = [on_gpu(slots[:i].count(host), gpus or []) for i, host in enumerate(slots)]
    return [
        replace(
            config,
            seed=config.seed + 1000 * i,
            budget=BudgetConfig(steps=steps),
            cluster=replace(config.cluster, nodes=1, ranks=1),
            report=replace(config.report, every_fovs=steps // RECORDS_PER_RUN * local),
            checkpoint=replace(config.checkpoint, every_fovs=steps * local),
            launcher=replace(
                launcher,
                hosts=hosts[i] if hosts else None,
                environment=environment | variables[i],
            ),
        )
        for i in range(ranks)
    ]
