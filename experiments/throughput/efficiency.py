"""What the runs of a series say: rates, efficiencies, medians. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.reporting.records import Record
from experiments.throughput.plan import Shape
from ffn_core.metric_names import PHASES, SLOWEST_RANK, STEP, STEP_S, time_metric
from ffn_core.model_size import TRAINING_OVER_FORWARD
from ffn_core.parallel_efficiency import parallel_efficiency


@dataclass(frozen=True)
class Reference:
    """What a machine could do, measured in processes that do nothing else at the same time.

    Attributes:
        fovs_per_second: Bare training steps (forward, backward, update on fixed arrays), summed
            over processes.
        gemm_flops: Floating-point operations per second of a matrix product, likewise.
        fraction_of_peak: Median over rounds of the operations per second of bare steps over those
            of the product beside them.
        forward_fraction_of_peak: The same of forward passes.
    """

    fovs_per_second: float
    gemm_flops: float
    fraction_of_peak: float
    forward_fraction_of_peak: float


@dataclass(frozen=True)
class BareRates:
    """What one process measured, a value for every round.

    Attributes:
        fovs_per_second: Of bare training steps.
        forward_fovs_per_second: Of forward passes alone.
        gemm_flops: Floating-point operations per second of a matrix product.
    """

    fovs_per_second: Sequence[float]
    forward_fovs_per_second: Sequence[float]
    gemm_flops: Sequence[float]


@dataclass(frozen=True)
class Uncoupled:
    """Independent processes: FOVs per second summed over them while all were training.

    ``overlap`` is the part of the longest's time for which all were.
    """

    fovs_per_second: float
    overlap: float


@dataclass(frozen=True)
class Measurement:
    """One run of a shape, with its references measured right after it.

    Attributes:
        shape: Ranks and FOVs of each in a step.
        repeat: 0, 1, ...
        fovs_per_second: Of all ranks training together.
        phases_s: Seconds per step by phase, and ``step`` for all of it; mean over ranks.
        slowest_rank: The rank that the others most often waited for.
        training_flops: Analytic floating-point operations of training on one FOV.
        uncoupled: The same number of independent processes; None if not measured.
        reference: None if not measured.
    """

    shape: Shape
    repeat: int
    fovs_per_second: float
    phases_s: dict[str, float]
    slowest_rank: int
    training_flops: float
    uncoupled: Uncoupled | None = None
    reference: Reference | None = None

    @property
    def coupling_efficiency(self) -> float | None:
        """FOVs per second together over those of uncoupled processes on the same cores."""
        return self.fovs_per_second / self.uncoupled.fovs_per_second if self.uncoupled else None

    @property
    def fraction_of_peak(self) -> float | None:
        """Analytic training operations per second over the GEMM rate of as many processes."""
        if self.reference is None:
            return None
        return self.training_flops * self.fovs_per_second / self.reference.gemm_flops

    @property
    def fraction_of_bare_step(self) -> float | None:
        """FOVs per second of the whole trainer over those of the bare step."""
        if self.reference is None:
            return None
        return self.fovs_per_second / self.reference.fovs_per_second


def common_rate(runs: Sequence[Sequence[Record]]) -> Uncoupled | None:
    """FOVs per second summed over runs, over the time in which all of them were training.

    Processes started together are not ready together: at both ends some have the machine for
    themselves. A rate is FOVs over training time between two moments, both interpolated between
    the records around them; before a run's first record lies its tracing.

    Args:
        runs: Records of each run, in order of time.

    Returns:
        None if they were never all training between two records.
    """
    clocks = [np.array([[r.unix_s, r.fovs, r.elapsed_s] for r in run]) for run in runs]
    if any(len(clock) < 2 for clock in clocks):
        return None
    start_s = max(clock[0, 0] for clock in clocks)
    stop_s = min(clock[-1, 0] for clock in clocks)
    longest_s = max(clock[-1, 0] - clock[0, 0] for clock in clocks)
    if stop_s <= start_s:
        return None
    rate = 0.0
    for unix_s, fovs, elapsed_s in (clock.T for clock in clocks):
        edges = [start_s, stop_s]
        rate += (
            np.diff(np.interp(edges, unix_s, fovs))[0]
            / (np.diff(np.interp(edges, unix_s, elapsed_s))[0])
        )
    return Uncoupled(float(rate), float((stop_s - start_s) / longest_s))


def phases(records: Sequence[Record]) -> tuple[dict[str, float], int]:
    """Seconds per step of each phase and in all, and the rank that was slowest most often.

    Args:
        records: Equally long stretches of one run. The first holds the tracing and is left out.
    """
    kept = [r.metrics for r in records if STEP_S in r.metrics][1:]
    means = {
        n: statistics.fmean(metrics[time_metric(n)] for metrics in kept) for n in (STEP, *PHASES)
    }
    return means, statistics.mode(int(metrics[SLOWEST_RANK]) for metrics in kept)


def combine(processes: Sequence[BareRates], forward_flops: float, scale: float) -> Reference:
    """The reference that simultaneous processes make up.

    Args:
        processes: What each measured.
        forward_flops: Operations of a forward pass on one FOV; training takes
            `TRAINING_OVER_FORWARD` times as many.
        scale: Ranks per process that was measured; not 1 where ranks are on other hosts.
    """
    training, forward = [], []
    for rates in processes:
        gemm = np.array(rates.gemm_flops)
        training += list(
            TRAINING_OVER_FORWARD * forward_flops * np.array(rates.fovs_per_second) / gemm
        )
        forward += list(forward_flops * np.array(rates.forward_fovs_per_second) / gemm)
    return Reference(
        scale * sum(statistics.median(p.fovs_per_second) for p in processes),
        scale * sum(statistics.median(p.gemm_flops) for p in processes),
        statistics.median(training),
        statistics.median(forward),
    )


@dataclass(frozen=True)
class Spread:
    """Median and range of repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """Of the values that are there; None if there are none."""
        known = [value for value in values if value is not None]
        return cls(statistics.median(known), min(known), max(known)) if known else None

    @property
    def relative_range(self) -> float:
        """Largest minus smallest, over the median."""
        return (self.high - self.low) / self.median


class Results:
    """All measurements so far."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._by_key = {(m.shape, m.repeat): m for m in measurements}

    def of(self, shape: Shape) -> list[Measurement]:
        """Those of ``shape``, in the order of repeats."""
        return [m for (key, _), m in self._by_key.items() if key == shape]

    def efficiencies(self, shape: Shape, baseline: Shape) -> list[float]:
        """Parallel efficiency of each repeat against the baseline of the same repeat.

        Pairing them takes out whatever changed on the machine between repeats.
        """
        pairs = [(m, self._by_key.get((baseline, m.repeat))) for m in self.of(shape)]
        return [
            parallel_efficiency(shape.ranks, m.fovs_per_second, baseline.ranks, b.fovs_per_second)
            for m, b in pairs
            if b is not None
        ]
