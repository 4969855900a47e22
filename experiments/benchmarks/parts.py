"""The parts of the benchmark: each carries out real runs and returns claims."""

from __future__ import annotations

from collections.abc import Callable

from experiments.benchmarks.bench import Bench
from experiments.benchmarks.choices import choices
from experiments.benchmarks.claim import Claim
from experiments.benchmarks.commands import emulation, prepare, startup
from experiments.benchmarks.network import PAPER, TINY, network

PARTS: dict[str, Callable[[Bench], list[Claim]]] = {
    "paper": lambda bench: network(bench, PAPER),
    "tiny": lambda bench: network(bench, TINY),
    "emulation": emulation,
    "choices": choices,
    "prepare": prepare,
    "startup": startup,
}
"""By name, in the order in which they are run."""
