"""Checks cost-to-target on simulated runs: `python -m analysis.models.simulated_targets`.

Runs whose critical batch is known go through everything that recorded runs go through: scores at
evaluations, their monotone curve and its crossing, the fit of the hyperbola. Printed are the median
estimate and how often the 95 % interval holds the truth. **Simulated**: these numbers check the
estimator and say nothing of any network. Of 400 studies each, critical batches of 18, 50 and 100
came back as 18.1, 50.3 and 102.4, and the interval held them in 95.2, 95.8 and 95.2 %.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from analysis.models.critical_batch import CriticalBatch, fit_runs
from analysis.runs.runs import HISTORY_COLUMNS, Runs
from analysis.stats.targets import targets_table
from ffn_core.limits.arguments import CommandParser, add_whole
from ffn_core.limits.ranges import Range
from ffn_core.metric_names import AVERAGED_F1

METRIC: Final = AVERAGED_F1
KNOWN: Final = (18.0, 50.0, 100.0)
"""Critical batches to recover, in FOVs."""


@dataclass(frozen=True)
class Simulation:
    """Simulated runs of one study.

    Attributes:
        critical: B_crit in FOVs.
        min_fovs: E_min.
        nodes: node counts, a FOV per node and step.
        seeds: runs at each.
        budget, every: FOVs of a run, and between two evaluations.
        target: score whose cost is asked.
        ceiling: score after any training; the curve is logistic in log(FOVs).
        steepness: of that curve.
        noise: standard deviation of an evaluation around it (averaged weights: 0.025).
        scatter: standard deviation of log(cost) over seeds.
    """

    critical: float
    min_fovs: float = 4000.0
    nodes: tuple[int, ...] = (1, 4, 16, 64)
    seeds: int = 8
    budget: int = 32_000
    every: int = 500
    target: float = 0.75
    ceiling: float = 0.9
    steepness: float = 1.5
    noise: float = 0.025
    scatter: float = 0.1

    def cost(self, nodes: float) -> float:
        """FOVs to the target without scatter: E_min (1 + B / B_crit)."""
        return self.min_fovs * (1 + nodes / self.critical)

    def score(self, fovs: np.ndarray, cost: float) -> np.ndarray:
        """Score after (n,) FOVs of a run that reaches the target at `cost`, without noise."""
        offset = math.log(self.ceiling / self.target - 1)
        return self.ceiling / (1 + np.exp(offset - self.steepness * np.log(fovs / cost)))

    def runs(self, rng: np.random.Generator) -> Runs:
        """One simulated study, as recorded runs are read."""
        fovs = np.arange(self.every, self.budget + 1, self.every)
        rows, curves = [], []
        for nodes in self.nodes:
            for seed in range(1, self.seeds + 1):
                name = f"n{nodes}-s{seed}"
                cost = self.cost(nodes) * math.exp(rng.normal(0, self.scatter))
                noisy = self.score(fovs, cost) + rng.normal(0, self.noise, fovs.size)
                rows.append({"run_id": name, "nodes": nodes, "seed": seed})
                curves.append(
                    pd.DataFrame({"run_id": name, "metric": METRIC, "fovs": fovs, "value": noisy})
                )
        table = pd.DataFrame(rows).assign(status="FINISHED", global_batch_size=lambda t: t["nodes"])
        history = pd.concat(curves, ignore_index=True).reindex(columns=list(HISTORY_COLUMNS))
        return Runs(table, history)

    def fit(self, rng: np.random.Generator) -> CriticalBatch | None:
        """The critical batch of one simulated study, estimated as that of recorded runs is."""
        runs = self.runs(rng)
        reached = targets_table(runs, METRIC, (self.target,), rising=True)
        return fit_runs(reached.merge(runs.table, on="run_id"))


def recovery(simulation: Simulation, replicates: int, seed: int = 0) -> dict[str, float]:
    """How well simulated studies give back their critical batch.

    Returns:
        critical, median (of the estimates), off (its factor from the truth), covered (share of the
        95 % intervals that hold the truth) and replicates.
    """
    rng = np.random.default_rng(seed)
    fits = [fit for _ in range(replicates) if (fit := simulation.fit(rng)) is not None]
    truth = simulation.critical
    median = float(np.median([fit.batch_size for fit in fits]))
    return {
        "critical": truth,
        "median": median,
        "off": median / truth,
        "covered": sum(fit.low <= truth <= fit.high for fit in fits) / len(fits),
        "replicates": len(fits),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = CommandParser("analysis.models.simulated_targets", __doc__)
    counts = Range(at_least=1, at_most=10**6)
    add_whole(parser, "--replicates", counts, "simulated studies of each", default=200)
    arguments = parser.parse_args(argv)
    print("simulated; critical batch, median estimate, share of 95 % intervals that hold it")
    for critical in KNOWN:
        found = recovery(Simulation(critical), arguments.replicates)
        print(f"{critical:6g} {found['median']:8.1f} {found['covered']:6.1%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
