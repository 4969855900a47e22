"""Who runs when, and what Ctrl-C does: points whose work is a count of polls."""

import os
import signal
from pathlib import Path

import pytest

from experiments.sweep.outcome import Outcome
from experiments.sweep.scheduler import Interrupts, carry_out


class Counted:
    """Runs for some polls; one that is asked to stop is over at the next."""

    def __init__(self, log, name, polls, outcome="finished"):
        self.log, self.name, self.left, self.kind = log, name, polls, outcome
        self.outcome = None

    def start(self, _interruptible):
        self.log.append(f"{self.name} starts")

    def poll(self):
        self.left -= 1
        if self.left <= 0:
            self.log.append(f"{self.name} ends")
            self.outcome = Outcome(self.name, Path(), self.kind)
        return self.outcome

    def stop(self):
        self.log.append(f"{self.name} stops")
        self.left, self.kind = 1, "stopped"

    def terminate(self):
        self.log.append(f"{self.name} is terminated")
        self.left, self.kind = 1, "stopped"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("experiments.sweep.scheduler.POLL_S", 0.0)


@pytest.fixture(autouse=True)
def ctrl_c_is_taken():
    """Jobs that a shell starts in the background ignore SIGINT, and so would these tests there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def carried_out(points, limit, again=None):
    """Outcomes by name, in the order of their ends."""
    ends = []

    def ended(point, outcome):
        ends.append((point.name, outcome.outcome))
        return again.pop(point.name, None) if again else None

    carry_out(iter(points), limit, ended)
    return ends


def test_a_point_starts_when_there_is_room_for_it():
    log = []
    points = [Counted(log, "a", 3), Counted(log, "b", 1), Counted(log, "c", 4)]
    assert carried_out(points, 2) == [("b", "finished"), ("a", "finished"), ("c", "finished")]
    assert log == ["a starts", "b starts", "b ends", "c starts", "a ends", "c ends"]


def test_one_at_a_time_keeps_their_order():
    log = []
    carried_out([Counted(log, name, 2) for name in "ab"], 1)
    assert log == ["a starts", "a ends", "b starts", "b ends"]


def test_points_are_made_when_their_turn_has_come():
    """What an earlier point came to may decide about a later one."""
    log = []

    def made():
        for name in "ab":
            log.append(f"{name} is made")
            yield Counted(log, name, 1)

    carried_out(made(), 1)
    assert log.index("a ends") < log.index("b is made")


def test_another_attempt_takes_the_place_of_the_first():
    log = []
    points = [Counted(log, "a", 1, "failed"), Counted(log, "b", 2)]
    again = {"a": Counted(log, "a2", 1)}
    assert carried_out(points, 1, again) == [
        ("a", "failed"),
        ("a2", "finished"),
        ("b", "finished"),
    ]


class Pressed(Counted):
    """Its user presses Ctrl-C at some of its polls, counted down."""

    def __init__(self, log, name, polls, at):
        super().__init__(log, name, polls)
        self.at = at

    def poll(self):
        if self.left in self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().poll()


def test_ctrl_c_stops_those_that_run_and_starts_no_other():
    log, ends = [], []
    points = [Pressed(log, "a", 9, at=[8]), Counted(log, "b", 9), Counted(log, "c", 9)]
    with pytest.raises(KeyboardInterrupt):
        carry_out(iter(points), 2, lambda _, outcome: ends.append(outcome))
    assert [(one.name, one.outcome) for one in ends] == [("a", "stopped"), ("b", "stopped")]
    assert log == ["a starts", "b starts", "a stops", "b stops", "a ends", "b ends"]


def test_ctrl_c_twice_does_not_wait():
    log, ends = [], []

    class Slow(Pressed):
        def stop(self):
            self.log.append(f"{self.name} is slow to stop")

    points = [Slow(log, "a", 9, at=[8, 6]), Slow(log, "b", 999, at=[])]
    with pytest.raises(KeyboardInterrupt):
        carry_out(iter(points), 2, lambda _, outcome: ends.append(outcome))
    assert log[2:4] == ["a is slow to stop", "b is slow to stop"]
    assert log[4:] == ["a is terminated", "b is terminated", "a ends", "b ends"]
    assert [one.name for one in ends] == ["a", "b"]


def test_an_error_in_between_leaves_nothing_running():
    log = []

    def ended(_point, _outcome):
        raise ValueError("no room on the terminal")

    with pytest.raises(ValueError, match="no room"):
        carry_out(iter([Counted(log, "a", 1), Counted(log, "b", 99)]), 2, ended)
    assert "b is terminated" in log


def test_long_work_is_given_up_at_the_first_ctrl_c():
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.at_once():
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt), interrupts.at_once():
            pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupts.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
