"""What this process may use of its machine: processors and memory.

A container or a job has less than the machine: its control group limits it, in version 1 or 2 of
the kernel's interface, and so do all groups above that one. What the files mean is said in
`man 7 cgroups` and, in the kernel's documentation, ``admin-guide/cgroup-v1/memory``,
``scheduler/sched-bwc`` and ``admin-guide/cgroup-v2``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNLIMITED_BYTES = 2**60
"""Version 1 writes a number near 2^63 where there is no limit."""


@dataclass(frozen=True)
class Host:
    """Where the kernel says what there is; other folders serve tests.

    Attributes:
        proc: the process file system.
        sys: the file system of devices and control groups.
    """

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")

    def cpu_quota(self) -> float | None:
        """Processors' worth of time that the control groups allow; None if unlimited."""
        quotas = [self._quota_v2(folder) for folder in self._groups("")]
        quotas += [self._quota_v1(folder) for folder in self._groups("cpu")]
        return min((quota for quota in quotas if quota is not None), default=None)

    def cores(self) -> int:
        """Processors that this process can keep busy, at least 1: part of one is left out."""
        allowed, quota = len(os.sched_getaffinity(0)), self.cpu_quota()
        return allowed if quota is None else max(1, min(allowed, int(quota)))

    def free_memory_bytes(self) -> int | None:
        """Memory that can still be taken: what the machine has, or less that a group allows.

        Pages of files that the kernel would give back count as free. None if nothing says.
        """
        free = [self._machine_bytes()]
        free += [
            _free(folder / "memory.max", folder / "memory.current", folder / "memory.stat")
            for folder in self._groups("")
        ]
        free += [
            _free(
                folder / "memory.limit_in_bytes",
                folder / "memory.usage_in_bytes",
                folder / "memory.stat",
            )
            for folder in self._groups("memory")
        ]
        return min((one for one in free if one is not None), default=None)

    def _machine_bytes(self) -> int | None:
        for line in _lines(self.proc / "meminfo"):
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return None

    def _groups(self, controller: str) -> Iterator[Path]:
        """Folders of this process's group and those above it; ``""``: those of version 2.

        Inside a container the group's own path may not exist: its group then is the root.
        """
        mounts = [self.sys / "fs/cgroup", self.sys / "fs/cgroup/unified"]
        mount = next((one for one in mounts if (one / "cgroup.controllers").is_file()), mounts[0])
        for line in _lines(self.proc / "self/cgroup"):
            _, _, rest = line.partition(":")
            controllers, colon, path = rest.partition(":")
            if not colon or controller not in controllers.split(","):
                continue
            root = self.sys / "fs/cgroup" / controllers if controllers else mount
            folder = root / path.lstrip("/")
            while folder != root and root in folder.parents:
                if folder.is_dir():
                    yield folder
                folder = folder.parent
            yield root

    def _quota_v2(self, folder: Path) -> float | None:
        for line in _lines(folder / "cpu.max"):
            quota, period = line.split()
            return None if quota == "max" else int(quota) / int(period)
        return None

    def _quota_v1(self, folder: Path) -> float | None:
        quota = _number(folder / "cpu.cfs_quota_us")
        period = _number(folder / "cpu.cfs_period_us")
        return quota / period if quota and period and quota > 0 else None


def _free(limit_file: Path, used_file: Path, stat_file: Path) -> int | None:
    """What a group may still take; None if it is not limited."""
    limit, used = _number(limit_file), _number(used_file)
    if limit is None or used is None or limit >= UNLIMITED_BYTES:
        return None
    stat = dict(line.split(maxsplit=1) for line in _lines(stat_file))
    reclaimable = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return max(0, limit - used + reclaimable)


def _number(path: Path) -> int | None:
    text = "".join(_lines(path))
    return int(text) if text.lstrip("-").isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # not there, or not for us to read
        return []
