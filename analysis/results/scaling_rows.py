"""Weak and strong scaling of real nodes, with the coupling of their ranks, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from analysis.runs.runs import Runs
from analysis.runs.summary import summarize
from analysis.stats.intervals import mean_interval
from analysis.stats.scaling import scaling_series
from analysis.text import cell
from ffn_core.metric_names import COUPLING_EFFICIENCY

COUPLED: Final = "coupled over uncoupled"


def scaling_rows(studies: Mapping[str, Runs]) -> pd.DataFrame:
    """Every curve of the finished runs on real nodes, a row for each node count.

    Returns:
        study; scaling: weak, strong, or `COUPLED`, of which the efficiency is that of ranks that
        train together over as many that train alone; nodes; runs; FOVs/s, mean; efficiency with
        its 95 % interval, as text.
    """
    tables = [_curves(name, runs) for name, runs in studies.items()]
    tables += [_coupling(name, runs) for name, runs in studies.items()]
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _curves(name: str, runs: Runs) -> pd.DataFrame:
    finished = runs.finished()
    if finished.table.empty:
        return pd.DataFrame()
    points = summarize(finished)
    real = points[~points["emulated"].astype(bool)].dropna(subset=["fovs_per_second"])
    rows = []
    for series in scaling_series(real):
        rates = series.points.groupby("nodes")["fovs_per_second"].mean()
        for _, row in series.table.iterrows():
            nodes, efficiency = int(row["nodes"]), "parallel_efficiency"
            text = _with_interval(*row[[efficiency, f"{efficiency}_low", f"{efficiency}_high"]])
            counts = [nodes, int(row["repeats"]), float(rates[nodes])]
            rows.append([f"`{name}`", series.kind, *counts, text])
    return _table(rows)


def _coupling(name: str, runs: Runs) -> pd.DataFrame:
    finished = runs.finished()
    coupled = finished.table["run_id"].map(finished.last(COUPLING_EFFICIENCY)).astype(float)
    known = finished.table.assign(coupling=coupled).dropna(subset=["coupling"])
    rows = []
    for _, group in known[known["nodes"] > 1].groupby(["nodes", "local_batch_size"]):
        found = mean_interval(group["coupling"].to_numpy(float))
        text = _with_interval(found.estimate, found.low, found.high)
        kind = f"{COUPLED}, {group['local_batch_size'].iloc[0]:g} FOVs per node"
        nodes = int(group["nodes"].iloc[0])
        rows.append([f"`{name}`", kind, nodes, len(group), None, text])
    return _table(rows)


def _table(rows: list[list[object]]) -> pd.DataFrame:
    columns = ["study", "scaling", "nodes", "runs", "FOVs/s", "efficiency (95 % interval)"]
    return pd.DataFrame(rows, columns=columns)


def _with_interval(value: float, low: float, high: float) -> str:
    if np.isnan(low):
        return cell(value)
    return f"{cell(value)} ({cell(low)} to {cell(high)})"
