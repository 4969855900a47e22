"""Which runs are repeats of each other, what to call them, and which recipe won. Pure."""

from __future__ import annotations

import math

import pandas as pd

from analysis.runs.grouping import varies
from analysis.runs.runs import RUN_COLUMNS, Runs, is_among
from ffn_core.metric_names import SAME_RECIPE

# What tells two points apart without being part of the recipe: the scale, the repeat, and what
# follows from both (the peak rate from base, rule and nodes).
_NOT_RECIPE = (*RUN_COLUMNS, "nodes", "ranks", "seed", "lr_peak", "global_batch_size")
# Named first in a label, in this order; a budget is never named.
_RATE = ("lr_rule", "lr_base", "warmup", "cooldown")
_LABEL_ORDER = ("optimizer", *_RATE, "local_batch_size", "precision")


def recipe_columns(table: pd.DataFrame) -> list[str]:
    """Parameter columns that make two points different recipes, apart from scale and seed."""
    return [
        column
        for column in table.columns
        if column not in _NOT_RECIPE and not is_among(column, SAME_RECIPE)
    ]


def latest_of_each_point(runs: Runs) -> Runs:
    """Keep one run per point: the latest, and a real one before an emulated one.

    A point is its nodes, recipe and seed. The training trajectory depends on nothing else, so a
    second run of it is not a repeat and must not narrow an interval.
    """
    identity = [c for c in ("nodes", "seed") if c in runs.table] + recipe_columns(runs.table)
    ordered = runs.table.sort_values(
        ["emulated", "start_time"], ascending=[False, True], kind="stable"
    )
    kept = ordered.drop_duplicates(identity, keep="last")
    return runs.select(runs.table["run_id"].isin(kept["run_id"]))


def recipe_labels(table: pd.DataFrame) -> pd.Series:
    """Short name of each row's recipe: only what varies over the table, `square root, warm-up` say.

    A detail that follows from what is named already, an optimizer's argument say, is left out.
    Aligned with `table`; the optimizer where nothing varies.
    """
    columns = [c for c in recipe_columns(table) if c != "budget"]
    varying = [c for c in columns if varies(table[c])]
    order = [c for c in _LABEL_ORDER if c in varying]
    for column in (c for c in varying if c not in _LABEL_ORDER):
        # An empty cell is a value too: an argument that only one of the recipes has.
        rows = table[[*order, column]].astype(str).drop_duplicates()
        if not order or rows.duplicated(order).any():
            order.append(column)
    kinds_of_warmup = table["warmup"][table["warmup"] != "none"].nunique()
    labels = table.apply(
        lambda row: ", ".join(_word(c, row[c], kinds_of_warmup > 1) for c in order), axis=1
    )
    return labels if order else table["optimizer"].astype(str)


def _word(column: str, value: object, name_warmup: bool) -> str:
    if column == "warmup":
        if value == "none":
            return "no warm-up"
        return f"warm-up {value}" if name_warmup else "warm-up"
    if column == "cooldown":
        return "no cooldown" if value == "none" else f"cooldown {value}"
    if column == "lr_rule":
        return {"none": "unscaled", "sqrt": "square root"}.get(str(value), str(value))
    if column == "lr_base":
        return f"lr {value:.3g}"
    if column == "local_batch_size":
        return f"b={value}"
    return str(value) if column in ("optimizer", "precision") else f"{column}={value}"


def best_recipe_runs(runs: Runs, score: pd.Series) -> Runs:
    """Keeps, per node count, the runs of the recipe with the highest mean score over its seeds.

    Args:
        runs: finished runs, one per point.
        score: indexed by run_id; a run without a score loses.
    """
    columns = recipe_columns(runs.table)
    scores = runs.table["run_id"].map(score).astype(float).fillna(-math.inf)
    scored = runs.table.assign(_score=scores)
    means = scored.groupby(["nodes", *columns], dropna=False)["_score"].mean().reset_index()
    winners = means.loc[means.groupby("nodes")["_score"].idxmax(), ["nodes", *columns]]
    kept = runs.table.merge(winners, on=["nodes", *columns], how="inner")
    return runs.select(runs.table["run_id"].isin(kept["run_id"]))
