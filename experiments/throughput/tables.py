"""The results of a series as tables, MLflow metrics and a JSON document. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from experiments.throughput.efficiency import Measurement, Results, Spread
from experiments.throughput.machine import warn_of_noise, warn_of_sharing
from experiments.throughput.plan import Curve, Shape
from ffn_core import metric_names as names
from ffn_core.parallel_efficiency import parallel_efficiency

CURVE_COLUMNS = [
    "ranks",
    "FOVs/step",
    "FOV/s",
    "parallel eff.",
    "coupling eff.",
    "of GEMM peak",
    "of bare step",
]
PHASE_COLUMNS = ["ranks", "FOVs each", "step", *(name.replace("_", " ") for name in names.PHASES)]
PHASE_COLUMNS += ["slowest rank"]


def curve_title(curve: Curve) -> str:
    """What a scaling table shows."""
    base = curve.baseline
    fixed = f"{base.local_batch_size} FOVs per rank"
    if curve.kind == "strong":
        fixed = f"{base.fovs_per_step} FOVs a step in all"
    ranks = "1 rank" if base.ranks == 1 else f"{base.ranks} ranks"
    return f"{curve.kind} scaling, {fixed}, baseline {ranks}; median (lowest - highest) of repeats"


def curve_rows(curve: Curve, results: Results) -> list[list[str]]:
    """A row for each rank count, in `CURVE_COLUMNS`."""
    rows = []
    for shape in curve.shapes:
        runs = results.of(shape)
        if not runs:
            continue
        efficiencies: Sequence[float | None] = results.efficiencies(shape, curve.baseline)
        cells = [str(shape.ranks), str(shape.fovs_per_step)]
        cells.append(_numbers(Spread.of([m.fovs_per_second for m in runs])))
        cells.append("1" if shape == curve.baseline else _percents(Spread.of(efficiencies)))
        cells.append(_percents(Spread.of([m.coupling_efficiency for m in runs])))
        cells.append(_percents(Spread.of([m.fraction_of_peak for m in runs])))
        cells.append(_percents(Spread.of([m.fraction_of_bare_step for m in runs])))
        rows.append(cells)
    return rows


def phase_rows(shapes: Sequence[Shape], results: Results) -> list[list[str]]:
    """Milliseconds per step of each shape, in `PHASE_COLUMNS`; medians of repeats."""
    rows = []
    for shape in shapes:
        runs = results.of(shape)
        if not runs:
            continue
        cells = [str(shape.ranks), str(shape.local_batch_size)]
        for name in (names.STEP, *names.PHASES):
            spread = Spread.of([m.phases_s[name] for m in runs])
            assert spread is not None
            cells.append(f"{1000 * spread.median:.2f} ms")
        slowest = "-" if shape.ranks == 1 else ", ".join(str(m.slowest_rank) for m in runs)
        rows.append([*cells, slowest])
    return rows


def scaling_metrics(measurement: Measurement, baseline: Measurement | None) -> dict[str, float]:
    """What a run's record gains from its references and from the baseline of its repeat."""
    values: dict[str, float | None] = {
        names.COUPLING_EFFICIENCY: measurement.coupling_efficiency,
        names.FRACTION_OF_PEAK: measurement.fraction_of_peak,
        names.FRACTION_OF_BARE_STEP: measurement.fraction_of_bare_step,
    }
    if measurement.uncoupled is not None:
        values[names.UNCOUPLED_THROUGHPUT] = measurement.uncoupled.fovs_per_second
    if (reference := measurement.reference) is not None:
        values[names.GEMM_FLOPS] = reference.gemm_flops
        values[names.BARE_STEP_THROUGHPUT] = reference.fovs_per_second
        values[names.BARE_STEP_FRACTION_OF_PEAK] = reference.fraction_of_peak
    if baseline is not None:
        values[names.BASELINE_NODES] = float(baseline.shape.ranks)
        values[names.PARALLEL_EFFICIENCY] = parallel_efficiency(
            measurement.shape.ranks,
            measurement.fovs_per_second,
            baseline.shape.ranks,
            baseline.fovs_per_second,
        )
    return {name: value for name, value in values.items() if value is not None}


def warnings_after(shapes: Sequence[Shape], results: Results) -> list[str]:
    """What the measurements themselves say against the machine, a line each."""
    found = [
        warn_of_noise(str(shape), spread.relative_range)
        for shape in shapes
        if (spread := Spread.of([m.fovs_per_second for m in results.of(shape)]))
    ]
    few, many = shapes[0], shapes[-1]
    rates = [
        Spread.of([m.reference.gemm_flops for m in results.of(shape) if m.reference])
        for shape in (few, many)
    ]
    if few.ranks != many.ranks and rates[0] and rates[1]:
        found.append(warn_of_sharing(rates[0].median, rates[1].median, few.ranks, many.ranks))
    for shape in shapes:
        overlap = Spread.of([m.uncoupled.overlap for m in results.of(shape) if m.uncoupled])
        if overlap and overlap.low < 0.5:
            found.append(
                f"{shape}: uncoupled processes trained at the same time for only "
                f"{overlap.low:.0%} of their runs; raise throughput.steps"
            )
    return [line for line in found if line is not None]


def document(
    measurements: Sequence[Measurement], curves: Sequence[Curve], about: dict[str, Any]
) -> dict[str, Any]:
    """Content of ``throughput.json``: ``about`` with a summary and every measurement."""
    results = Results(measurements)
    summary = [
        {
            "curve": curve.kind,
            **asdict(shape),
            "baseline_ranks": curve.baseline.ranks,
            "repeats": len(runs),
            "fovs_per_second": _spread([m.fovs_per_second for m in runs]),
            "parallel_efficiency": _spread(results.efficiencies(shape, curve.baseline)),
            "coupling_efficiency": _spread([m.coupling_efficiency for m in runs]),
            "fraction_of_peak": _spread([m.fraction_of_peak for m in runs]),
            "fraction_of_bare_step": _spread([m.fraction_of_bare_step for m in runs]),
            "bare_step_fraction_of_peak": _spread(
                [m.reference.fraction_of_peak for m in runs if m.reference]
            ),
        }
        for curve in curves
        for shape in curve.shapes
        if (runs := results.of(shape))
    ]
    return about | {"summary": summary, "measurements": [asdict(m) for m in measurements]}


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    spread = Spread.of(values)
    return asdict(spread) if spread else None


def _numbers(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    digits = 2 if spread.median < 100 else 0
    return _text(spread, digits)


def _percents(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return _text(Spread(100 * spread.median, 100 * spread.low, 100 * spread.high), 1, " %")


def _text(spread: Spread, digits: int, unit: str = "") -> str:
    median = f"{spread.median:,.{digits}f}{unit}"
    if spread.low == spread.high:
        return median
    return f"{median} ({spread.low:,.{digits}f} - {spread.high:,.{digits}f})"
