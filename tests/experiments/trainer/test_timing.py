import time

import pytest

from experiments.trainer.timing import KEPT_STEPS, MEASURED, REDUCE, PhaseTimes, pooled
from ffn_core.metric_names import PHASES


def report(reduces, **means):
    own = dict.fromkeys(MEASURED, 0.0) | means
    mean = sum(reduces) / len(reduces) if reduces else 0.0
    return {"means_s": own | {REDUCE: mean}, "reduces_s": reduces}


def test_what_the_last_to_arrive_spends_is_communication_and_the_rest_is_waiting():
    ranks = [
        report([0.5, 0.1, 0.6], compute=2.0),
        report([0.1, 0.3, 0.2], compute=2.6),
        report([0.3, 0.2, 0.4], compute=2.3),
    ]
    phases, slowest = pooled(ranks)
    assert slowest == 1, "last in the first and in the third step"
    assert phases["allreduce"] == pytest.approx((0.1 + 0.1 + 0.2) / 3)
    assert phases["straggler_wait"] == pytest.approx(2.7 / 9 - 0.4 / 3)
    assert phases["compute"] == pytest.approx(2.3)
    assert tuple(phases) == PHASES


def test_a_rank_that_is_alone_waits_for_none():
    phases, slowest = pooled([report([0.1, 0.2])])
    assert slowest == 0
    assert phases["straggler_wait"] == 0
    assert phases["allreduce"] == pytest.approx(0.15)


def test_before_the_first_step_there_is_nothing():
    phases, slowest = pooled([PhaseTimes().measured()] * 2)
    assert set(phases.values()) == {0.0}
    assert slowest == 0


def test_times_are_means_over_steps_and_the_newest_collectives_are_kept():
    times = PhaseTimes()
    for step in range(KEPT_STEPS + 5):
        with times.phase("input"):
            time.sleep(0.001)
        with times.phase(REDUCE):
            time.sleep(0.0005 if step else 0.05)
        times.steps += 1
    found = times.measured()
    assert 0.001 < found["means_s"]["input"] < 0.01
    assert found["means_s"][REDUCE] > 0.05 / (KEPT_STEPS + 5)
    assert len(found["reduces_s"]) == KEPT_STEPS
    assert max(found["reduces_s"]) < 0.05, "the first is forgotten"
    times.reset()
    assert times.measured() == PhaseTimes().measured()
