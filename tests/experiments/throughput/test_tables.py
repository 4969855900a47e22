import json

import pytest

from experiments.throughput.efficiency import Measurement, Reference, Results, Uncoupled
from experiments.throughput.plan import Curve, Shape
from experiments.throughput.tables import (
    CURVE_COLUMNS,
    PHASE_COLUMNS,
    curve_rows,
    curve_title,
    document,
    phase_rows,
    scaling_metrics,
    warnings_after,
)
from ffn_core.metric_names import PHASES

ONE, TWO, FOUR = Shape(1, 8), Shape(2, 8), Shape(4, 8)
CURVE = Curve("weak", [ONE, TWO, FOUR])


def measurement(
    shape: Shape, repeat: int, rate: float, gemm: float, together: float | None = None
) -> Measurement:
    return Measurement(
        shape,
        repeat,
        rate,
        dict.fromkeys(("step", *PHASES), 0.002 * (repeat + 1)),
        slowest_rank=repeat,
        training_flops=3.0,
        uncoupled=None if together is None else Uncoupled(together, 0.4),
        reference=Reference(2 * rate, gemm, 0.95, 0.9),
    )


@pytest.fixture
def measurements() -> list[Measurement]:
    """Two repeats on one and two ranks; four ranks were not reached."""
    return [
        measurement(ONE, 0, 10.0, 40.0),
        measurement(TWO, 0, 16.0, 60.0, together=20.0),
        measurement(ONE, 1, 10.0, 40.0),
        measurement(TWO, 1, 18.0, 60.0, together=20.0),
    ]


def test_curve_rows(measurements):
    rows = curve_rows(CURVE, Results(measurements))
    assert len(rows[0]) == len(CURVE_COLUMNS)
    assert rows == [
        ["1", "8", "10.00", "1", "-", "75.0 %", "50.0 %"],
        [
            "2",
            "16",
            "17.00 (16.00 - 18.00)",
            "85.0 % (80.0 - 90.0)",
            "85.0 % (80.0 - 90.0)",
            "85.0 % (80.0 - 90.0)",
            "50.0 %",
        ],
    ]


def test_titles_name_what_is_fixed_and_the_baseline():
    assert curve_title(CURVE).startswith("weak scaling, 8 FOVs per rank, baseline 1 rank;")
    strong = Curve("strong", [TWO, Shape(4, 4)])
    assert curve_title(strong).startswith("strong scaling, 16 FOVs a step in all, baseline 2 ranks")


def test_phase_rows(measurements):
    rows = phase_rows(CURVE.shapes, Results(measurements))
    assert len(rows[0]) == len(PHASE_COLUMNS)
    assert rows == [
        ["1", "8", *["3.00 ms"] * 6, "-"],
        ["2", "8", *["3.00 ms"] * 6, "0, 1"],
    ]


def test_scaling_metrics_of_a_run(measurements):
    assert scaling_metrics(measurements[1], measurements[0]) == {
        "scaling/parallel_efficiency": 0.8,
        "scaling/baseline_nodes": 1.0,
        "scaling/coupling_efficiency": 0.8,
        "scaling/uncoupled_fovs_per_second": 20.0,
        "compute/fraction_of_peak": 0.8,
        "compute/fraction_of_bare_step": 0.5,
        "compute/gemm_flops": 60.0,
        "compute/bare_step_fovs_per_second": 32.0,
        "compute/bare_step_fraction_of_peak": 0.95,
    }


def test_what_was_not_measured_is_not_recorded():
    plain = Measurement(TWO, 0, 16.0, {}, 0, 3.0)
    assert scaling_metrics(plain, plain) == {
        "scaling/parallel_efficiency": 1.0,
        "scaling/baseline_nodes": 2.0,
    }


def test_warnings_after(measurements):
    sharing, overlap = warnings_after([ONE, TWO], Results(measurements))
    assert "at 75% of the rate per process of 1" in sharing
    assert "2 ranks x 8 FOVs" in overlap
    assert "only 40%" in overlap
    noisy = [measurement(ONE, 0, 10.0, 40.0), measurement(ONE, 1, 15.0, 40.0)]
    (noise,) = warnings_after([ONE], Results(noisy))
    assert "repeats of 1 rank x 8 FOVs differ by 40%" in noise


def test_document_is_json_with_summary_and_all_measurements(measurements):
    values = json.loads(json.dumps(document(measurements, [CURVE], {"command": "x"})))
    assert values["command"] == "x"
    assert len(values["measurements"]) == 4
    one, two = values["summary"]
    assert one["coupling_efficiency"] is None
    assert (two["curve"], two["ranks"], two["repeats"]) == ("weak", 2, 2)
    assert two["parallel_efficiency"] == pytest.approx({"median": 0.85, "low": 0.8, "high": 0.9})
