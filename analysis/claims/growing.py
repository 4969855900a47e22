"""Claims about growing the batch in stages, from the study `growing_batch`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.data_cost import MODEL, Costed, cost_ratio, published_rate, reached_table
from analysis.models.time_and_cost import seconds_of_stages
from analysis.runs.runs import Runs
from analysis.runs.stages import batches
from analysis.verdicts.scored_runs import Studies, ended, scored_points
from analysis.verdicts.verdict import MEASURED, Finding, no_runs

STUDY: Final = "growing_batch"
GROWING: Final = "growing"
FEW: Final = 4
MANY: Final = 64


def growing_batch_data(studies: Studies, target: float | None) -> Finding:
    """log2 of FOVs to the target at constant 64 nodes over those of the growing batch."""
    return _ratio(studies, target, MANY, lambda _, fovs: fovs, MEASURED)


def growing_batch_time(studies: Studies, target: float | None) -> Finding:
    """log2 of the modeled time at constant 4 nodes over that of the growing batch."""
    return _ratio(studies, target, FEW, modeled_seconds, MODEL)


FINDERS: Final[Mapping[str, Costed]] = {
    one.__name__: one for one in (growing_batch_data, growing_batch_time)
}


def modeled_seconds(history: pd.DataFrame, fovs: float) -> float:
    """Seconds until a number of FOVs, at the published throughput of as many nodes as the batch."""
    stretches = batches(history)
    ends, batch = stretches["fovs"].to_numpy(), stretches["batch"].to_numpy()
    return float(seconds_of_stages(ends, published_rate(batch), np.array([fovs]))[0])


def arm_of(history: pd.DataFrame) -> int | str | None:
    """The constant node count of a run with one FOV per node and step, or GROWING."""
    batch = batches(history)["batch"].round()
    if batch.empty:
        return None
    first = batch.iloc[0]
    return int(first) if bool((batch == first).all()) else GROWING


def _ratio(
    studies: Studies,
    target: float | None,
    against: int,
    cost: Callable[[pd.DataFrame, float], float],
    kind: str,
) -> Finding:
    points = scored_points(studies, STUDY)
    if points.empty or target is None:
        why = "no finished point" if target is not None else "no target set by the pilot, or no run"
        return no_runs(STUDY, why=why)
    runs = ended(studies[STUDY])
    reached = reached_table(runs, points, (target,))
    histories = _histories(runs)
    for column in ("fovs", "fovs_done"):
        reached[column] = [
            cost(histories[run_id], fovs) if np.isfinite(fovs) else np.nan
            for run_id, fovs in zip(reached["run_id"], reached[column], strict=True)
        ]
    arms = reached["run_id"].map(lambda run_id: arm_of(histories[run_id]))
    return cost_ratio(reached, arms, against, GROWING, points, f"target F1 {target:g}", kind)


def _histories(runs: Runs) -> dict[str, pd.DataFrame]:
    return {str(run_id): rows for run_id, rows in runs.history.groupby("run_id")}
