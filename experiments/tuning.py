"""How to split a machine among ranks: what can be tried, and what came out best. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ffn_core.errors import InputError


@dataclass(frozen=True, order=True)
class Setup:
    """Ranks on one machine, compute threads of each, FOVs in one pass of a rank."""

    ranks: int
    threads: int
    micro_batch: int


@dataclass(frozen=True)
class Trial:
    """What a setup reached.

    Attributes:
        setup: what was tried.
        fovs_per_second: of all its ranks, a value for every repeat.
        of_gemm: training operations over those of matrix products, likewise.
    """

    setup: Setup
    fovs_per_second: Sequence[float]
    of_gemm: Sequence[float]

    @property
    def median(self) -> float:
        """FOVs per second."""
        return statistics.median(self.fovs_per_second)


def splits(ranks: Sequence[int], cores: int) -> list[tuple[int, int]]:
    """(ranks, threads of each) that share ``cores`` cores, none of them twice.

    Args:
        ranks: to be tried; none for all powers of two up to ``cores``.
        cores: of this machine.

    Raises:
        InputError: There are more ranks than cores.
    """
    if too_many := [count for count in ranks if count > cores]:
        raise InputError(
            f"tune.ranks={list(ranks)}: this machine has {cores} cores for {too_many[0]} ranks; "
            f"choose up to {cores}"
        )
    chosen = sorted(ranks) or [2**i for i in range(cores.bit_length()) if 2**i <= cores]
    return [(count, cores // count) for count in chosen]


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Fastest first."""
    return sorted(trials, key=lambda trial: -trial.median)


def as_good(trials: Sequence[Trial]) -> list[Trial]:
    """The fastest, and those that beat it in some repeat: noise does not tell them apart."""
    best = ranked(trials)[0]
    pairs = [(t, zip(t.fovs_per_second, best.fovs_per_second, strict=True)) for t in trials]
    equal = [t for t, pair in pairs if t is best or any(mine > other for mine, other in pair)]
    return ranked(equal)


def recommended(trials: Sequence[Trial]) -> Trial:
    """Of those as good as the fastest the one with the fewest ranks, then the smallest micro-batch.

    Fewer ranks mean a smaller global batch for the same speed, and a smaller micro-batch less
    memory and a batch that can be chosen more freely.
    """
    return min(as_good(trials), key=lambda trial: (trial.setup.ranks, trial.setup.micro_batch))
