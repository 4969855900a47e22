import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.throughput.machine import (
    Machine,
    physical_cores,
    read_machine,
    warn_of_noise,
    warn_of_sharing,
    warnings_before,
)

QUIET = Machine(cpus=4, physical_cores=4, quota=None, load=0.1, onednn=True)


@pytest.fixture
def sys_root(tmp_path) -> Path:
    """Two cores of two threads, numbered as Linux often does; 1.5 processors' worth of time."""
    for cpu, siblings in {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}.items():
        folder = tmp_path / f"devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    (tmp_path / "fs/cgroup").mkdir(parents=True)
    (tmp_path / "fs/cgroup/cpu.max").write_text("150000 100000\n")
    return tmp_path


def test_hyper_threads_are_not_cores(sys_root):
    assert physical_cores([0, 1, 2, 3], sys_root) == 2
    assert physical_cores([0, 2], sys_root) == 1
    assert physical_cores([0, 1], sys_root) == 2


def test_unknown_topology_counts_every_processor(tmp_path):
    assert physical_cores([0, 1], tmp_path) == 2


@pytest.mark.parametrize(("value", "on"), [("1", True), ("0", False), ("false", False)])
def test_read_machine(monkeypatch, tmp_path, value, on):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
    machine = read_machine(tmp_path)
    assert machine.onednn is on
    assert machine.cpus == machine.physical_cores > 0
    assert machine.quota is None


def test_a_quiet_machine_with_room_has_no_warnings():
    assert warnings_before(QUIET, 2, 2) == []


@pytest.mark.parametrize(
    ("machine", "ranks", "threads", "named"),
    [
        (QUIET, 3, 2, "oversubscribed: 3 ranks x 2 threads on 4"),
        (replace(QUIET, physical_cores=2), 4, 1, "4 threads share 2 cores by hyper-threading"),
        (replace(QUIET, quota=1.5), 2, 1, "1.5 processors' worth"),
        (replace(QUIET, onednn=False), 1, 1, "TF_ENABLE_ONEDNN_OPTS=0"),
        (replace(QUIET, load=2.0), 1, 1, "load average 2.0 on 4"),
    ],
)
def test_each_limit_has_its_line(machine, ranks, threads, named):
    (line,) = warnings_before(machine, ranks, threads)
    assert named in line


def test_shared_hardware_shows_in_the_gemm_rate():
    assert warn_of_sharing(80.0, 152.0, 1, 2) is None
    line = warn_of_sharing(80.0, 88.0, 1, 2)
    assert line is not None
    assert "2 processes at once multiply matrices at 55% of the rate per process of 1" in line


def test_noise():
    assert warn_of_noise("1 rank", 0.1) is None
    assert "repeats of 1 rank differ by 40%" in str(warn_of_noise("1 rank", 0.4))


def test_peak_memory_follows_what_was_touched_and_is_not_inherited():
    held = bytearray(200_000_000)  # of the parent: a child must not report it
    code = (
        "from ffn_core.runtime import peak_rss_bytes as peak\n"
        "before = peak()\n"
        "held = b'1' * 80_000_000\n"
        "print(before, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, grown = map(int, done.stdout.split())
    assert before < len(held) / 2
    assert 0.9 * 80e6 < grown < 1.5 * 80e6
