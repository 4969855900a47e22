import pytest

from experiments.reporting.records import Record
from experiments.throughput.efficiency import (
    BareRates,
    Measurement,
    Reference,
    Results,
    Spread,
    Uncoupled,
    combine,
    common_rate,
    phases,
)
from experiments.throughput.plan import Shape
from ffn_core.metric_names import PHASES

ONE, TWO = Shape(1, 8), Shape(2, 8)


def measurement(shape=ONE, repeat=0, rate=10.0, **values) -> Measurement:
    return Measurement(shape, repeat, rate, {}, 0, 3.0, **values)


def test_ratios_of_a_measurement():
    reference = Reference(
        fovs_per_second=20.0, gemm_flops=60.0, fraction_of_peak=0.9, forward_fraction_of_peak=0.9
    )
    known = measurement(rate=16.0, uncoupled=Uncoupled(32.0, 1.0), reference=reference)
    assert known.coupling_efficiency == 0.5
    assert known.fraction_of_peak == pytest.approx(3 * 16 / 60)
    assert known.fraction_of_bare_step == pytest.approx(0.8)
    unknown = measurement()
    assert unknown.coupling_efficiency is None
    assert unknown.fraction_of_peak is None
    assert unknown.fraction_of_bare_step is None


def line(start_unix_s: float, rate: float, seconds: int) -> list[Record]:
    """A record each second of a run at a constant rate."""
    return [Record(i, i * int(rate), float(i), start_unix_s + i, {}) for i in range(seconds + 1)]


def test_common_rate_is_the_sum_where_rates_are_constant():
    found = common_rate([line(100.0, 5, 10), line(102.5, 7, 10)])
    assert found is not None
    assert found.fovs_per_second == pytest.approx(12.0)
    assert found.overlap == pytest.approx(0.75)


def test_common_rate_leaves_out_what_was_not_shared():
    """Alone until t=4 at 8 a second, then both at 3; the second still alone after t=10, at 9."""
    first = [Record(0, 0, 0, 0.0, {}), Record(1, 32, 4, 4.0, {}), Record(2, 50, 10, 10.0, {})]
    second = [Record(0, 0, 0, 4.0, {}), Record(1, 18, 6, 10.0, {}), Record(2, 36, 8, 12.0, {})]
    found = common_rate([first, second])
    assert found is not None
    assert found.fovs_per_second == pytest.approx(6.0)
    assert found.overlap == pytest.approx(0.6)


def test_common_rate_counts_training_time_only():
    """Ten seconds on the wall, five of them training."""
    run = [Record(0, 0, 0.0, 0.0, {}), Record(1, 50, 5.0, 10.0, {})]
    found = common_rate([run, run])
    assert found is not None
    assert found.fovs_per_second == pytest.approx(20.0)


def test_common_rate_needs_a_common_time():
    assert common_rate([line(0.0, 5, 3), line(10.0, 5, 3)]) is None
    assert common_rate([line(0.0, 5, 3), line(0.0, 5, 0)]) is None


def test_phases_leave_the_tracing_out():
    def record(step, seconds, slowest):
        metrics = dict.fromkeys((f"time/{name}_s" for name in ("step", *PHASES)), seconds)
        return Record(step, 0, 0.0, 0.0, metrics | {"time/slowest_rank": slowest})

    untimed = Record(0, 0, 0.0, 0.0, {"time/input_s": 9.0})
    run = [untimed, record(1, 9.0, 0), record(2, 1.0, 1), record(3, 2.0, 1), record(4, 3.0, 0)]
    run.append(Record(4, 0, 0.0, 0.0, {"scaling/parallel_efficiency": 1.0}))
    means, slowest = phases(run)
    assert means == dict.fromkeys(("step", *PHASES), 2.0)
    assert slowest == 1


def test_combine_sums_processes_and_pairs_rounds():
    one = BareRates([2.0, 4.0, 3.0], [3.0, 6.0, 4.5], [24.0, 24.0, 18.0])
    other = BareRates([1.0], [4.0], [12.0])
    found = combine([one, other], 2.0, 1.5)
    assert found.fovs_per_second == pytest.approx(1.5 * (3 + 1))
    assert found.gemm_flops == pytest.approx(1.5 * (24 + 12))
    assert found.fraction_of_peak == pytest.approx(0.75), "median of 0.5, 1, 1, 0.5"
    assert found.forward_fraction_of_peak == pytest.approx(0.5), "of 0.25, 0.5, 0.5, 0.67"


def test_spread():
    assert Spread.of([3.0, None, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread(2.0, 1.0, 3.0).relative_range == 1.0
    assert Spread.of([None]) is None


def test_efficiency_is_against_the_baseline_of_the_same_repeat():
    results = Results(
        [
            measurement(ONE, 0, 10.0),
            measurement(TWO, 0, 18.0),
            measurement(ONE, 1, 5.0),
            measurement(TWO, 1, 9.0),
        ]
    )
    assert results.efficiencies(TWO, ONE) == pytest.approx([0.9, 0.9])
    assert [m.repeat for m in results.of(ONE)] == [0, 1]
