"""Runs that change their number of nodes on the way: which they are, and what they did. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd

STAGES = "stages"
"""Column of the stages of a run in words; NO_STAGES, or missing in older runs, without."""

NO_STAGES = "none"


def is_staged(table: pd.DataFrame) -> pd.Series:
    """Which runs went through stages (boolean, aligned with `table`)."""
    if STAGES not in table:
        return pd.Series(False, index=table.index)
    return table[STAGES].fillna(NO_STAGES).astype(str) != NO_STAGES


def batches(history: pd.DataFrame) -> pd.DataFrame:
    """Global batch of a run between records: fovs (at the end of each stretch), batch.

    What a run did, whatever its configuration calls it: FOVs over optimizer steps.

    Args:
        history: of one run, columns fovs and optimizer_step.
    """
    rows = history[["fovs", "optimizer_step"]].dropna().drop_duplicates().sort_values("fovs")
    fovs = np.concatenate([[0.0], rows["fovs"].to_numpy(dtype=float)])
    steps = np.concatenate([[0.0], rows["optimizer_step"].to_numpy(dtype=float)])
    moved = np.diff(steps) > 0
    batch = np.diff(fovs)[moved] / np.diff(steps)[moved]
    return pd.DataFrame({"fovs": fovs[1:][moved], "batch": batch})


def stage_table(history: pd.DataFrame) -> pd.DataFrame:
    """Stretches of equal batch of one run, as of `batches`: fovs (at the end of each), batch."""
    stretches = batches(history)
    batch = stretches["batch"].round(6)
    last = batch.ne(batch.shift(-1))
    return stretches[last].reset_index(drop=True)
