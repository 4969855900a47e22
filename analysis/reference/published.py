"""Values of the published study (arXiv:1905.06236), digitized from its project-page figures.

`analysis/reference/README.md` names the figures, the method and the error of every table.
"""

from __future__ import annotations

import pandas as pd

from ffn_core.files import REPOSITORY

REFERENCE = REPOSITORY / "analysis" / "reference"
ARXIV = "arXiv:1905.06236"

# From the abstract and the project page, not from a figure.
EFFICIENCY_AT_2048_NODES = 0.68


def throughput() -> pd.DataFrame:
    """Weak scaling, 1-1024 nodes: nodes, fovs_per_second, ideal_fovs_per_second, efficiency."""
    return _read("throughput")


def learning_rate_scan() -> pd.DataFrame:
    """55 points: nodes, learning_rate, normalized_accuracy (clipped to 0.94-1) and its bounds."""
    return _read("lr_scan")


def training_curve() -> pd.DataFrame:
    """Accuracy and F1 against hours with their band: hours, metric, mean, low, high."""
    return _read("training_curve")


def f1_against_hours() -> pd.DataFrame:
    """F1 per node count (32-1024) at its evaluations: nodes, hours, f1, reliability."""
    return _read("batch_size_vertices")


def batch_size_curves() -> pd.DataFrame:
    """F1 per node count in bins of hours and of FOVs (`x_kind`), with the bins' reliability."""
    return _read("batch_size_curves")


def evaluation() -> pd.DataFrame:
    """Segmentation error along training: checkpoint, metric (are or voi), value."""
    return _read("evaluation")


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{name}.csv")
