"""Claims about scaling: coupling of real ranks, and what models of published points predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from analysis.models.model_average import average_models
from analysis.reference import published
from analysis.stats.intervals import mean_estimate
from analysis.verdicts.plan import LEVEL
from analysis.verdicts.scored_runs import Studies, ended
from analysis.verdicts.verdict import MODELED, Finding, no_runs
from ffn_core.metric_names import COUPLING_EFFICIENCY

STUDY: Final = "throughput"
KIND: Final = f"{MODELED}: scaling models fitted to the published throughput"


def coupling(studies: Studies) -> Finding:
    """Coupling efficiency of two real ranks, weak scaling."""
    if STUDY not in studies:
        return no_runs(STUDY)
    runs = ended(studies[STUDY])
    table = runs.table.assign(coupling=runs.table["run_id"].map(runs.last(COUPLING_EFFICIENCY)))
    table = table[(table["nodes"] == 2) & ~table["emulated"].astype(bool)].dropna(
        subset=["coupling"]
    )
    if table.empty:
        return no_runs(STUDY, why=f"no real run on two ranks with `{COUPLING_EFFICIENCY}`")
    smallest = table[table["local_batch_size"] == table["local_batch_size"].max()]
    values = smallest["coupling"].to_numpy(dtype=float)
    shown = smallest[["nodes", "local_batch_size", "coupling"]]
    return Finding(mean_estimate(values, "run"), f"{len(values)} real runs on two ranks", shown)


def efficiency_1024(_: Studies) -> Finding:
    """Models of 1 to 512 nodes against the published efficiency at 1024."""
    table = published.throughput()
    measured = dict(zip(table["nodes"], table["fovs_per_second"], strict=True))
    at_1024 = measured[1024] / (1024 * measured[1])
    return predicted_efficiency(table[table["nodes"] < 1024], 1024, at_1024)


def efficiency_2048(_: Studies) -> Finding:
    """Models of 1 to 1024 nodes against the efficiency stated for 2048."""
    return predicted_efficiency(published.throughput(), 2048, published.EFFICIENCY_AT_2048_NODES)


FINDERS: Final[Mapping[str, Callable[[Studies], Finding]]] = {
    one.__name__: one for one in (coupling, efficiency_1024, efficiency_2048)
}


@dataclass(frozen=True)
class Predicted:
    """A model's prediction minus what was published, judged by its 95 % interval as a whole.

    The model is right where the interval holds 0 and stays within `PREDICTED_WITHIN` of it, and
    wrong where the interval misses 0. p-values are 0 or 1: an interval of prediction is no test
    over runs.
    """

    value: float
    low: float
    high: float
    count: int
    reason: str = ""

    def bounds(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval; it is known at one level only."""
        del level
        return self.low, self.high

    def p_above(self, bound: float) -> float:
        """0 where the prediction holds and is narrow enough, or misses on the upper side."""
        missed_above = self.low > 0 and bound > 0
        right = self.low <= 0 <= self.high and self.low > bound
        return 0.0 if missed_above or right else 1.0

    def p_below(self, bound: float) -> float:
        """Likewise on the lower side."""
        missed_below = self.high < 0 and bound < 0
        right = self.low <= 0 <= self.high and self.high < bound
        return 0.0 if missed_below or right else 1.0


def predicted_efficiency(throughput: pd.DataFrame, nodes: int, published_value: float) -> Finding:
    """What models of some throughput predict for a node count, against its published efficiency.

    Args:
        throughput: columns nodes and fovs_per_second, 1 node among them.
        nodes: count to predict.
        published_value: efficiency there.
    """
    largest = int(throughput["nodes"].max())
    table = modeled_efficiency(throughput, [*throughput["nodes"].astype(int), nodes])
    last = table.iloc[-1]
    value, low, high = (float(last[c]) - published_value for c in ("efficiency", "low", "high"))
    fps = dict(zip(throughput["nodes"], throughput["fovs_per_second"], strict=True))
    evidence = table.assign(published=[fps[n] / (n * fps[1]) for n in fps] + [published_value])
    return Finding(
        Predicted(value, low, high, len(throughput)),
        f"{len(throughput)} published points, 1 to {largest} nodes",
        evidence,
        note=f"modeled {last['efficiency']:.1%}, published {published_value:.1%}",
        kind=KIND,
    )


def modeled_efficiency(throughput: pd.DataFrame, nodes: list[int]) -> pd.DataFrame:
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
