"""Known answers on made-up file systems of the kernel."""

import os
from pathlib import Path

import pytest

from ffn_core.limits.host import Host

GIB = 2**30


@pytest.fixture
def host(tmp_path) -> Host:
    write(tmp_path / "proc/meminfo", f"MemTotal: 99 kB\nMemAvailable: {16 * 2**20} kB\n")
    write(tmp_path / "proc/self/cgroup", "0::/job/step\n")
    return Host(tmp_path / "proc", tmp_path / "sys")


def write(path: Path, text: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def test_a_machine_without_groups(host):
    assert host.free_memory_bytes() == 16 * GIB
    assert host.cpu_quota() is None
    assert host.cores() == len(os.sched_getaffinity(0))


def test_a_machine_that_says_nothing(tmp_path):
    assert Host(tmp_path, tmp_path).free_memory_bytes() is None


def test_version_2_the_tightest_of_all_groups_above(host):
    root = host.sys / "fs/cgroup"
    write(root / "cgroup.controllers", "cpu memory")
    write(root / "job/cpu.max", "150000 100000")
    write(root / "job/step/cpu.max", "max 100000")
    assert host.cpu_quota() == 1.5
    assert host.cores() == 1
    write(root / "job/memory.max", 8 * GIB)
    write(root / "job/memory.current", 3 * GIB)
    write(root / "job/memory.stat", f"anon {GIB}\ninactive_file {GIB}")
    write(root / "job/step/memory.max", "max")
    write(root / "job/step/memory.current", 3 * GIB)
    assert host.free_memory_bytes() == 6 * GIB


def test_version_1(host):
    write(host.proc / "self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/")
    cpu, memory = (host.sys / "fs/cgroup" / name for name in ("cpu,cpuacct", "memory"))
    write(cpu / "cpu.cfs_quota_us", 50000)  # in a container its own group is the root
    write(cpu / "cpu.cfs_period_us", 100000)
    assert host.cpu_quota() == 0.5
    assert host.cores() == 1
    write(memory / "memory.limit_in_bytes", 9223372036854771712)
    write(memory / "memory.usage_in_bytes", GIB)
    assert host.free_memory_bytes() == 16 * GIB
    write(memory / "docker/abc/memory.limit_in_bytes", 4 * GIB)
    write(memory / "docker/abc/memory.usage_in_bytes", GIB)
    write(memory / "docker/abc/memory.stat", f"total_inactive_file {GIB // 2}")
    assert host.free_memory_bytes() == 3.5 * GIB
    write(cpu / "cpu.cfs_quota_us", -1)
    assert host.cpu_quota() is None
