"""The claim about how far training with Adam gets. Pure."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from analysis.claims.scored_runs import Studies, ended
from analysis.claims.seed_intervals import seed_interval
from analysis.claims.verdict import MEASURED, UNDECIDED, UNKNOWN, Verdict, decide
from analysis.runs.summary import FINAL_EVALUATIONS

STUDY: Final = "training_curve"
PUBLISHED_ACCURACY: Final = 0.95
"""Reached in about 4.5 h on 1024 nodes (abstract)."""


def accuracy_verdict(studies: Studies) -> Verdict:
    """Adam trains to the published accuracy, by the seeds of the study's largest node count."""
    key = "accuracy"
    claim = (
        f"Training with Adam reaches an accuracy of {PUBLISHED_ACCURACY:.0%} (published: in about"
        " 4.5 h on 1024 nodes)"
    )
    rule = (
        "supported: interval above 0; never refuted: a smaller network and budget that fall short"
        " say nothing against it"
    )
    scores = accuracy_table(studies)
    if scores.empty:
        reason = f"no finished point of {STUDY} with Adam"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, "", rule, MEASURED, reason, scores)
    nodes = int(scores["nodes"].max())
    here = scores[scores["nodes"] == nodes]
    effect = seed_interval((here["accuracy"] - PUBLISHED_ACCURACY).to_numpy())
    verdict = decide(effect, supported_above=0.0, refuted_below=-math.inf)
    measure = (
        f"validation accuracy, mean of the last {FINAL_EVALUATIONS} evaluations, on {nodes} nodes,"
        f" minus {PUBLISHED_ACCURACY}"
    )
    basis = f"{len(here)} point{'s' if len(here) > 1 else ''} of {STUDY}"
    return Verdict(key, claim, verdict, effect, measure, rule, MEASURED, basis, here)


def accuracy_table(studies: Studies) -> pd.DataFrame:
    """Final validation accuracy and F1 of every ended point of the study trained with Adam.

    Returns:
        seed, nodes, accuracy, f1 (means of the last evaluations) and hours (training wall time).
    """
    columns = ["seed", "nodes", "accuracy", "f1", "hours"]
    if STUDY not in studies:
        return pd.DataFrame(columns=columns)
    runs = ended(studies[STUDY])
    if runs.table.empty:
        return pd.DataFrame(columns=columns)
    ids = runs.table["run_id"]
    table = runs.table.assign(
        accuracy=ids.map(runs.last("validation/accuracy", FINAL_EVALUATIONS)),
        f1=ids.map(runs.last("validation/f1", FINAL_EVALUATIONS)),
        hours=ids.map(runs.last("time/elapsed_s")) / 3600,
    )
    table = table[table["optimizer"] == "adam"].dropna(subset=["accuracy"])
    return table[columns].sort_values(["nodes", "seed"], ignore_index=True)
