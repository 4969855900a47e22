"""Which law the best learning rate follows, and whether its scale is the measured noise scale."""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.claims.crossover import late_noise_of_runs
from analysis.models.learning_rate_law_fits import fit_law
from analysis.models.learning_rate_laws import RISE_AND_FALL, SATURATING
from analysis.runs.scanned_rates import ScannedRates, laws_table, own_scans, published_scan
from analysis.runs.study import Study
from analysis.text import capitalized, markdown_table
from analysis.verdicts.plan import FACTOR

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
