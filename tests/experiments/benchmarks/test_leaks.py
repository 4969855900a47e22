import numpy as np
import pytest

from experiments.benchmarks.leaks import EXTRA, Sample, judge
from ffn_core.errors import InputError


def samples(
    mb_per_h: float = 0.0, descriptors: int = 0, noise_mb: float = 1.0, warm_up_mb: float = 0.0
) -> list[Sample]:
    """Two hours of one rank, a look a minute; what grows, grows in the second hour."""
    rng = np.random.default_rng(0)
    made = []
    for minute in range(120):
        memory = 300 + mb_per_h * minute / 60 + noise_mb * rng.standard_normal()
        memory -= warm_up_mb * (minute < 20)
        extra = descriptors if minute > 60 else 0
        made.append(Sample(60.0 * minute, 0, 100 * minute, memory, 14 + extra, 11))
    return made


def test_noise_is_no_leak():
    verdict = judge(samples(), 0)
    assert verdict.passed
    assert abs(verdict.memory_mb_per_h[0]) < 1.0


def test_a_leak_is_found_and_measured():
    verdict = judge(samples(mb_per_h=30.0), 0)
    assert not verdict.passed
    assert verdict.memory_mb_per_h[0] == pytest.approx(30.0, abs=1.0)
    assert "FAIL" in str(verdict)


def test_warm_up_does_not_count():
    assert judge(samples(warm_up_mb=200.0), 0).passed


@pytest.mark.parametrize(("extra", "passed"), [(EXTRA, True), (EXTRA + 1, False)])
def test_descriptors_that_pile_up_are_found(extra, passed):
    assert judge(samples(descriptors=extra), 0).passed is passed


def test_too_short_a_soak_says_so():
    with pytest.raises(InputError, match="soak for longer"):
        judge(samples()[:6], 0)
