"""The runs of one experiment, prepared once for all figures, and how captions speak of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis.runs.grouping import varies
from analysis.runs.recipes import best_recipe_runs, latest_of_each_point, recipe_labels
from analysis.runs.runs import Runs
from analysis.runs.score import Score, baseline_f1, ranking, score_of
from analysis.runs.stages import is_staged
from analysis.runs.summary import summarize

_IDS_IN_CAPTION = 24
_COUNTS = ("nodes", "ranks", "local_batch_size", "global_batch_size", "seed", "depth", "features")


class NothingToDraw(Exception):
    """Why a figure is left out, in one line."""


@dataclass(frozen=True)
class Study:
    """The point runs of one experiment.

    Attributes:
        experiment: its name.
        runs: every point run, however it ended.
        baseline_nodes: what scaling is relative to; None is a curve's smallest node count.
    """

    experiment: str
    runs: Runs
    baseline_nodes: int | None = None

    @cached_property
    def score(self) -> Score:
        """What the runs are judged by."""
        return score_of(self.runs)

    def baseline(self, of: pd.DataFrame) -> float | None:
        """F1 of calling every held-out voxel object, over the runs in `of`; None if unknown."""
        return baseline_f1(self.runs, of["run_id"])

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per run, see `analysis.runs.summary.summarize`, with a `recipe` label."""
        table = summarize(self.runs)
        parameters = self.runs.table.set_index("run_id", drop=False)
        table["recipe"] = table["run_id"].map(recipe_labels(parameters))
        return table

    @cached_property
    def finished(self) -> pd.DataFrame:
        """Summary of the finished runs, repeats of the same point included.

        Without those in `staged`, which belong to no single node count.
        """
        table = self.summary[self.summary["status"] == "FINISHED"]
        return _with_whole_counts(table[~table["run_id"].isin(self._staged.table["run_id"])])

    @cached_property
    def staged(self) -> pd.DataFrame:
        """Summary of the finished runs in stages, one per point; nodes are those of the first."""
        kept = latest_of_each_point(self._staged.finished())
        rows = self.summary[self.summary["run_id"].isin(kept.table["run_id"])]
        return _with_whole_counts(rows)

    @cached_property
    def _staged(self) -> Runs:
        return self.runs.select(is_staged(self.runs.table))

    @cached_property
    def _constant(self) -> Runs:
        return self.runs.select(~is_staged(self.runs.table))

    @cached_property
    def points(self) -> pd.DataFrame:
        """Summary of the finished runs, one per point (nodes, recipe, seed)."""
        kept = latest_of_each_point(self._constant.finished())
        return self.finished[self.finished["run_id"].isin(kept.table["run_id"])]

    @cached_property
    def best(self) -> pd.DataFrame:
        """Of `points`, the recipe that ranks highest over its seeds at each node count."""
        kept = latest_of_each_point(self._constant.finished())
        best = best_recipe_runs(kept, ranking(kept, self.score))
        return self.finished[self.finished["run_id"].isin(best.table["run_id"])]

    def curves(self, metric: str, of: pd.DataFrame) -> pd.DataFrame:
        """History of one metric over the runs in `of`, with their summary columns joined on."""
        rows = self.runs.history_of(metric)
        rows = rows[rows["run_id"].isin(of["run_id"])]
        columns = of.drop(columns=["fovs"])
        return rows.merge(columns, on="run_id").sort_values(["run_id", "fovs"], ignore_index=True)


def _with_whole_counts(finished: pd.DataFrame) -> pd.DataFrame:
    """Integer columns again, where a run that failed early left them with a missing value."""
    columns = [c for c in _COUNTS if c in finished and finished[c].notna().all()]
    return finished.astype(dict.fromkeys(columns, int))


def nodes_text(count: int) -> str:
    """``1 node``, ``4 nodes``."""
    return f"{count} node{'s' if count != 1 else ''}"


def describe_runs(table: pd.DataFrame) -> str:
    """Which runs a figure shows: count, experiment, seeds, real or emulated, short ids."""
    emulated = int(table["emulated"].sum())
    kinds = [f"{len(table) - emulated} on real nodes"] if emulated < len(table) else []
    if emulated:
        kinds.append(f"{emulated} on emulated nodes")
    ids = sorted(run_id[:8] for run_id in table["run_id"])
    listed = ", ".join(f"`{i}`" for i in ids[:_IDS_IN_CAPTION])
    if len(ids) > _IDS_IN_CAPTION:
        listed += f" and {len(ids) - _IDS_IN_CAPTION} more (in `summary.csv`)"
    seeds = _listed(table["seed"]) if "seed" in table else "not recorded"
    experiments = ", ".join(sorted(table["experiment"].unique()))
    plural = "s" if len(table) != 1 else ""
    return (
        f"Runs: {len(table)} finished point{plural} of `{experiments}` ({', '.join(kinds)}; "
        f"nodes {_listed(table['nodes'])}; seeds {seeds}): {listed}."
    )


def describe_best(table: pd.DataFrame) -> str:
    """Which recipe was chosen per node count, and that it was chosen after the fact."""
    chosen = table.groupby("nodes")["recipe"].first()
    if not varies(chosen):
        return f"Recipe at every node count: {chosen.iloc[0]}."
    listed = "; ".join(f"{nodes}: {recipe}" for nodes, recipe in chosen.items())
    return (
        "Shown at each node count is the recipe with the highest final score (mean over seeds),"
        f" chosen after the fact: {listed}."
    )


def describe_score(study: Study, of: pd.DataFrame) -> str:
    """Which F1 is shown, and the trivial baseline, for the details of a figure."""
    said = f"F1 is `{study.score.f1}`, of single evaluations."
    baseline = study.baseline(of)
    if baseline is None:
        return f"{said} The trivial baseline was not recorded."
    return f"{said} Calling every voxel object gives {baseline:.3f}."


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{value}" for value in sorted(values.unique()))
