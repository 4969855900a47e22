"""The claim about weak-scaling efficiency at 2048 nodes, from models of published points. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.verdict import MODELLED, Verdict, decide_within
from analysis.reference import published
from analysis.stats.intervals import Interval
from analysis.stats.model_average import average_models

KIND: Final = f"{MODELLED}: scaling models fitted to the published throughput"
WIDEST: Final = 0.1
"""An interval wider than this to either side predicts nothing."""


def efficiency_verdicts(throughput: pd.DataFrame | None = None) -> list[Verdict]:
    """Whether scaling models foretell 1024 nodes from fewer, and the 68 % stated for 2048.

    Args:
        throughput: columns nodes, fovs_per_second; None for the published one.
    """
    table = published.throughput() if throughput is None else throughput
    measured = dict(zip(table["nodes"], table["fovs_per_second"], strict=True))
    at_1024 = measured[1024] / (1024 * measured[1])
    stated = published.EFFICIENCY_AT_2048_NODES
    return [
        _foretold(table[table["nodes"] < 1024], 1024, at_1024, "read off the published figure"),
        _foretold(table, 2048, stated, "stated in the abstract"),
    ]


def modelled_efficiency(throughput: pd.DataFrame, nodes: list[int]) -> pd.DataFrame:
    """Efficiency over one measured node, averaged over the scaling models by Akaike weight.

    Returns:
        nodes, efficiency, low, high: 95 % interval of one new measurement.
    """
    rates = throughput["fovs_per_second"].to_numpy(dtype=float)
    average = average_models(throughput["nodes"].to_numpy(dtype=float), rates)
    predicted = average.predict(nodes, measured=True)
    single = float(throughput.set_index("nodes")["fovs_per_second"].loc[1])
    ideal = single * np.asarray(nodes, dtype=float)
    bounds = {"efficiency": "fovs_per_second", "low": "low", "high": "high"}
    return pd.DataFrame(
        {"nodes": nodes} | {name: predicted[column] / ideal for name, column in bounds.items()}
    )


def _foretold(throughput: pd.DataFrame, nodes: int, published_value: float, source: str) -> Verdict:
    largest = int(throughput["nodes"].max())
    table = modelled_efficiency(throughput, [*throughput["nodes"].astype(int), nodes])
    last = table.iloc[-1]
    estimate, low, high = (float(last[c]) for c in ("efficiency", "low", "high"))
    effect = Interval(estimate, low, high, len(throughput))
    # The interval must cover the published value and be narrow enough to say something.
    gap = Interval(
        estimate - published_value, low - published_value, high - published_value, effect.count
    )
    covered = gap.low <= 0 <= gap.high
    verdict = decide_within(gap, -WIDEST, WIDEST) if covered else decide_within(gap, 0.0, 0.0)
    fps = dict(zip(throughput["nodes"], throughput["fovs_per_second"], strict=True))
    evidence = table.assign(published=[fps[n] / (n * fps[1]) for n in fps] + [published_value])
    return Verdict(
        f"efficiency_{nodes}",
        f"Scaling models fitted to 1 to {largest} nodes foretell the efficiency at {nodes} nodes, "
        f"{published_value:.0%} ({source})",
        verdict,
        effect,
        f"modelled efficiency at {nodes} nodes",
        f"supported: interval holds the published value and stays within {WIDEST} of it; not "
        "supported: interval misses it",
        KIND,
        f"{len(throughput)} published points, 1 to {largest} nodes",
        evidence,
    )
