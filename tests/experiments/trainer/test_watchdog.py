import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from experiments.trainer.watchdog import (
    Presence,
    Watchdog,
    end_silent,
    missing_ranks,
    read_presence,
)
from ffn_core.training.distributed import Collectives, Topology


def said(rank: int, beat: int, entered: int) -> Presence:
    return Presence(rank, f"node{rank}", 1000 + rank, beat, entered)


def test_a_silent_rank_is_missing_even_if_it_came_to_the_collective():
    before, after = [said(0, 5, 9), said(1, 5, 9)], [said(0, 8, 9), said(1, 5, 9)]
    assert missing_ranks(before, after, entered=9) == {
        1: "rank 1 (host node1, process 1001: stopped or gone)"
    }


def test_a_rank_that_lags_behind_is_missing_though_alive():
    before, after = [said(0, 5, 9), said(1, 5, 8)], [said(0, 8, 9), said(1, 7, 8)]
    assert missing_ranks(before, after, entered=9) == {
        1: "rank 1 (host node1, process 1001: alive, but busy)"
    }


def test_a_rank_that_never_said_anything_is_missing():
    assert missing_ranks([said(0, 5, 9), None], [said(0, 8, 9), None], entered=9) == {
        1: "rank 1 (nothing heard of it)"
    }


def test_no_rank_is_missing_when_all_wait():
    before, after = [said(0, 5, 9), said(1, 5, 9)], [said(0, 8, 9), said(1, 7, 9)]
    assert missing_ranks(before, after, entered=9) == {}


@pytest.fixture
def rank_0() -> Collectives:
    return Collectives(Topology(rank=0, size=2, local_rank=0, local_size=2))


def test_the_one_who_waits_names_the_one_who_does_not_come(rank_0, tmp_path):
    stalls, found = [], threading.Event()

    def on_stall(stall):
        stalls.append(stall)
        found.set()

    rank_1 = Collectives(Topology(rank=1, size=2, local_rank=1, local_size=2))
    Watchdog(tmp_path, rank_1, 0.3, on_stall)  # says so once and is never heard of again
    with Watchdog(tmp_path, rank_0, 0.3, on_stall), rank_0.waiting():
        assert found.wait(10.0)
    (stall,) = stalls[:1]
    pid, host = os.getpid(), socket.gethostname()
    assert f"for rank 1 (host {host}, process {pid}: stopped or gone)" in stall.problem
    assert [presence.rank for presence in stall.silent] == [1]
    assert not stall.left


def test_one_who_has_left_is_not_taken_for_dead(rank_0, tmp_path):
    stalls, found = [], threading.Event()

    def on_stall(stall):
        stalls.append(stall)
        found.set()

    rank_1 = Collectives(Topology(rank=1, size=2, local_rank=1, local_size=2))
    with Watchdog(tmp_path, rank_1, 0.3, on_stall):
        pass
    with Watchdog(tmp_path, rank_0, 0.3, on_stall), rank_0.waiting():
        assert found.wait(10.0)
    assert stalls[0].left
    assert stalls[0].silent == []
    assert "rank 1 (host" in stalls[0].problem
    assert "has left" in stalls[0].problem


def test_short_waits_and_long_work_are_no_stall(rank_0, tmp_path):
    with Watchdog(tmp_path, rank_0, 0.3, lambda *_: pytest.fail("no stall")):
        for _ in range(5):
            with rank_0.waiting():
                time.sleep(0.1)
        time.sleep(0.6)
    assert read_presence(tmp_path / "ranks", 0).entered == 5


def test_only_ranks_of_this_run_are_killed(tmp_path):
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen([*sleep, str(tmp_path)]) as ours, subprocess.Popen(sleep) as other:
        here = socket.gethostname()
        hung = [Presence(rank, here, p.pid, 1, 1) for rank, p in enumerate((ours, other))]
        assert end_silent(tmp_path, hung)
        assert ours.wait(10.0) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()
    assert not end_silent(tmp_path, [Presence(0, "elsewhere", 1, 1, 1)])
