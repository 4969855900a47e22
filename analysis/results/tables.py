"""Tables of the results page: learning-rate laws, scaling of real nodes, segmentations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.claims.crossover import late_noise_of_runs
from analysis.models.learning_rate_law_fits import fit_law
from analysis.models.learning_rate_laws import RISE_AND_FALL, SATURATING
from analysis.runs.runs import Runs
from analysis.runs.scanned_rates import ScannedRates, laws_table, own_scans, published_scan
from analysis.runs.study import NothingToDraw, Study
from analysis.runs.summary import summarize
from analysis.stats.intervals import mean_interval
from analysis.stats.scaling import scaling_series
from analysis.text import capitalized, cell, markdown_table
from analysis.verdicts.plan import FACTOR
from analysis.verdicts.scored_runs import scored_points
from ffn_core.metric_names import COUPLING_EFFICIENCY

_SCALED: Final = (SATURATING, RISE_AND_FALL)
"""Laws with a noise scale in units of one node's batch."""

_COLUMNS: Final = ["source", "law", "parameters", "delta_aicc", "weight", "left_out"]


def laws_text(study: Study) -> str:
    """Findings and the table of all laws, of a scan and of the published one, in Markdown.

    Raises:
        NothingToDraw: the study has no scan of rates.
    """
    ours = own_scans(study)
    scans = [*ours, published_scan(), published_scan(bounds=True)]
    lines = [f"- {capitalized(scan.finding())}." for scan in scans]
    lines += [f"- {line}" for line in _noise_words(study, ours)]
    table = laws_table(scans)[_COLUMNS]
    return "\n".join([*lines, "", markdown_table(table)])


def _noise_words(study: Study, scans: list[ScannedRates]) -> list[str]:
    """The measured noise scale in nodes, and the scales that the fitted laws take."""
    points = study.points
    noise = late_noise_of_runs(study.runs).reindex(points["run_id"]).dropna()
    if noise.empty:
        return ["No noise scale is recorded to compare the laws with."]
    local = float(points["local_batch_size"].median())
    nodes = noise.to_numpy(float) / local
    measured = float(np.exp(np.log(nodes).mean()))
    said = [
        f"Measured gradient noise scale at convergence: {measured * local:.3g} FOVs, the batch of"
        f" {measured:.3g} nodes (geometric mean of {len(nodes)} runs, {nodes.min():.2g} to"
        f" {nodes.max():.2g})."
    ]
    return said + [line for scan in scans for line in _scale_words(scan, measured)]


def _scale_words(scan: ScannedRates, measured: float) -> list[str]:
    said = []
    for law in _SCALED:
        try:
            fit = fit_law(law, scan.observations)
        except ValueError:
            continue
        low, high = fit.shape_interval()
        if not np.isfinite(fit.shape) or np.isnan(low):
            continue
        inside = low <= measured * FACTOR and high >= measured / FACTOR
        how = "includes" if inside else "excludes"
        said.append(
            f"Noise scale that the law `{law.name}` takes: {fit.shape:.3g} nodes (95 % interval"
            f" {low:.3g} to {high:.3g}), which {how} the measured one to a factor of {FACTOR:g}."
        )
    return said


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


def segmentation_rows(segmentations: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Scores of recorded segmentations, a row for each.

    Args:
        segmentations: with ``region_zyx``, ``precision``, ``fovs``, ``segments``,
            ``truth_objects``, ``coverage``, and for ``assigned`` and ``foreground`` voxels ``are``,
            ``voi_split`` and ``voi_merge``.
    """
    rows = []
    for one in segmentations:
        row = {"voxels": " x ".join(str(edge) for edge in one["region_zyx"])}
        row |= {"precision": one["precision"], "FOVs": one["fovs"], "segments": one["segments"]}
        row |= {"true objects": one["truth_objects"], "coverage": one["coverage"]}
        for name in ("assigned", "foreground"):
            scores = one[name]
            row[f"ARE, {name}"] = scores["are"]
            row[f"VOI, {name}"] = f"{cell(scores['voi_split'])} + {cell(scores['voi_merge'])}"
        rows.append(row)
    return pd.DataFrame(rows)


def precision_words(study: Study) -> str:
    """What bfloat16 changes of the scores: paired by seed, as list items in Markdown.

    Raises:
        NothingToDraw: no two runs of a seed differ in precision.
    """
    points = scored_points({study.experiment: study.runs}, study.experiment)
    known = study.runs.table.set_index("run_id")["precision"]
    points["precision"] = points["run_id"].map(known)
    lines = []
    for column, name in (("score", "F1"), ("auc", "AUC")):
        sides = points.pivot_table(index="seed", columns="precision", values=column)
        if not {"bfloat16", "float32"} <= set(sides):
            raise NothingToDraw(f"`{study.experiment}` has no pairs of bfloat16 and float32")
        pairs = (sides["bfloat16"] - sides["float32"]).dropna()
        found = mean_interval(pairs.to_numpy(float))
        text = _with_interval(found.estimate, found.low, found.high)
        lines.append(f"- {name} in bfloat16 minus in float32: {text}, {len(pairs)} pairs.")
    return "\n".join(lines)


def _with_interval(value: float, low: float, high: float) -> str:
    if np.isnan(low):
        return cell(value)
    return f"{cell(value)} ({cell(low)} to {cell(high)})"
