"""Time of a step split into its phases, comparable between real and emulated nodes. Pure."""

from __future__ import annotations

import pandas as pd

_PHASE_COLUMNS = {
    "compute_s": "compute",
    "allreduce_s": "allreduce",
    "straggler_wait_s": "straggler wait",
    "input_s": "input",
    "update_s": "update",
}


def phase_table(points: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds per FOV of one rank, by phase, mean over the runs of each node count.

    A step is divided by the FOVs each rank works through in it (nodes * local batch / ranks), so
    that an emulated node count, whose ranks carry several nodes, compares with a real one.

    Args:
        points: from `analysis.summary.summarize`; rows without step_s are dropped, a phase that
            was not recorded counts as zero.

    Returns:
        Ordered by nodes: nodes, emulated, runs, compute, allreduce, straggler wait, input, update,
        other (the rest of the step, never below 0).
    """
    timed = points.dropna(subset=["step_s"])
    fovs_per_rank = timed["nodes"] * timed["local_batch_size"] / timed["ranks"]
    table = timed[["nodes", "emulated"]].copy()
    for column, phase in _PHASE_COLUMNS.items():
        table[phase] = 1e3 * timed[column].fillna(0) / fovs_per_rank
    named = table[list(_PHASE_COLUMNS.values())].sum(axis=1)
    table["other"] = (1e3 * timed["step_s"] / fovs_per_rank - named).clip(lower=0)
    grouped = table.groupby(["nodes", "emulated"])
    return grouped.mean().assign(runs=grouped.size()).reset_index()
