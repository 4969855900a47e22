"""What the machine is, and what of it would spoil a measurement."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ffn_core.devices.host import gpu_models
from ffn_core.limits.host import Host

BUSY = 0.25
"""Load per core from which other programs are likely to disturb."""

SHARED = 0.85
"""Part of N times one process's GEMM rate below which N processes clearly share hardware."""

NOISY = 0.15
"""Range of repeats over their median from which they should not be trusted to a few percent."""


@dataclass(frozen=True)
class Machine:
    """This host as processes of this user see it.

    Attributes:
        cpus: Logical processors that may be used.
        physical_cores: Cores that these are threads of; as many as ``cpus`` if unknown.
        quota: Processors' worth of time a container may use; None without such a limit.
        load: Runnable processes, mean over the last minute.
        onednn: Whether TensorFlow will use oneDNN.
        gpus: Names of its GPUs, whether or not they are used.
    """

    cpus: int
    physical_cores: int
    quota: float | None
    load: float
    onednn: bool
    gpus: tuple[str, ...] = ()


def read_machine(sys_root: Path = Path("/sys")) -> Machine:
    """Look at this host; ``sys_root`` is where the kernel's sysfs is mounted."""
    cpus = sorted(os.sched_getaffinity(0))
    return Machine(
        len(cpus),
        physical_cores(cpus, sys_root),
        Host(sys=sys_root).cpu_quota(),
        os.getloadavg()[0],
        # Not set counts as on: `ffn_core.runtime.before_tensorflow` turns it on.
        os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() not in ("0", "false"),
        tuple(gpu_models()),
    )


def physical_cores(cpus: list[int], sys_root: Path) -> int:
    """How many cores the logical processors ``cpus`` are threads of."""
    siblings = set()
    for cpu in cpus:
        path = sys_root / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        # A list names all threads of the core, so equal texts are the same core.
        siblings.add(path.read_text().strip() if path.is_file() else f"cpu{cpu}")
    return len(siblings)


def warnings_before(machine: Machine, ranks: int, threads_per_rank: int) -> list[str]:
    """What will hold back ``ranks`` processes here, a line each.

    Args:
        machine: The host.
        ranks: Most processes at the same time on it.
        threads_per_rank: Compute threads of each.
    """
    found, busy = [], ranks * threads_per_rank
    if busy > machine.cpus:
        found.append(
            f"oversubscribed: {ranks} ranks x {threads_per_rank} threads on {machine.cpus} "
            "available processors; lower throughput.ranks or cluster.threads_per_rank"
        )
    elif busy > machine.physical_cores:
        found.append(
            f"{busy} threads share {machine.physical_cores} cores by hyper-threading: expect "
            "less than twice the work from two; judge by coupling efficiency"
        )
    if machine.quota is not None and busy > machine.quota:
        found.append(
            f"this container may use {machine.quota:g} processors' worth of time, {busy} threads "
            "will be throttled"
        )
    if not machine.onednn:
        found.append("TF_ENABLE_ONEDNN_OPTS=0 turns oneDNN off: unset it, steps are slower without")
    if machine.load > BUSY * machine.cpus:
        found.append(
            f"other programs are running: load average {machine.load:.1f} on {machine.cpus} "
            "processors"
        )
    return found


def warn_of_sharing(gemm_one: float, gemm_many: float, one: int, many: int) -> str | None:
    """Line about processes that slow each other down without any communication.

    Args:
        gemm_one: GEMM operations per second of ``one`` processes together.
        gemm_many: Of ``many`` processes together.
        one: Smaller number of processes.
        many: Larger number of processes.
    """
    part = gemm_many * one / (gemm_one * many)
    if part >= SHARED:
        return None
    return (
        f"{many} processes at once multiply matrices at {part:.0%} of the rate per process of "
        f"{one}: they share cores, caches or power, which bounds parallel efficiency; judge "
        "synchronization by coupling efficiency"
    )


def warn_of_noise(what: str, relative_range: float) -> str | None:
    """Line about repeats that differ."""
    if relative_range <= NOISY:
        return None
    return (
        f"repeats of {what} differ by {relative_range:.0%}: something else uses the machine, or it "
        "throttles"
    )
