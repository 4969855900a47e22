"""Contrasts that keep the seeds paired, and deaths counted apart. Pure."""

from __future__ import annotations

from typing import Final

import pandas as pd

from analysis.stats.hypothesis_tests import Deaths
from analysis.stats.intervals import Estimate, mean_estimate, mean_interval
from analysis.verdicts.scored_runs import alive
from analysis.verdicts.verdict import Finding

METHOD: Final = (
    "Intervals are 95 % Student t intervals over seeds, paired by seed; those of ratios are of "
    "their logarithms. Deaths are counted apart, compared by Fisher's exact test, and left out of "
    "score differences. Holm's correction over each family of claims decides what stands."
)


def contrast(first: pd.DataFrame, second: pd.DataFrame, value: str = "score") -> pd.DataFrame:
    """Score of `first` minus that of `second`, paired by seed and node count.

    Args:
        first: columns seed, nodes and the value; one row per point.
        second: likewise.
        value: column of the score.

    Returns:
        Index seed, one column per node count that both hold; NaN where a seed lacks one of them.
    """
    tables = [t.pivot_table(index="seed", columns="nodes", values=value) for t in (first, second)]
    difference = tables[0] - tables[1]
    return difference.dropna(axis="columns", how="all").dropna(axis="index", how="all")


def mean_over_nodes(difference: pd.DataFrame) -> pd.Series:
    """Mean over the node counts for every seed that has all of them, by seed."""
    return difference.dropna().mean(axis="columns").dropna()


def contrast_table(difference: pd.DataFrame) -> pd.DataFrame:
    """Per node count: nodes, difference with low and high, seeds."""
    rows = []
    for nodes in difference.columns:
        interval = mean_interval(difference[nodes].to_numpy(dtype=float))
        rows.append(
            {
                "nodes": int(nodes),
                "difference": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "seeds": interval.count,
            }
        )
    return pd.DataFrame(rows, columns=["nodes", "difference", "low", "high", "seeds"])


def score_contrast(first: pd.DataFrame, second: pd.DataFrame) -> Finding:
    """What `first` gains over `second` in score, over pairs of which both survived.

    Args:
        first: points as of `scored_points`, at the node counts the claim is about.
        second: likewise, at the same node counts.
    """
    both = (alive(first), alive(second))
    difference = contrast(*both)
    counts = sorted(set(first["nodes"]) & set(second["nodes"]))
    pairs = len(contrast(first, second).dropna())
    lost = [n for n in counts if n not in difference.columns]
    per_seed = mean_over_nodes(difference)
    effect = mean_estimate(per_seed.to_numpy())
    if lost:
        named = ", ".join(map(str, lost))
        effect = Estimate(None, None, 0, 0, f"no pair survived at nodes {named}")
    elif not counts:
        effect = Estimate(None, None, 0, 0, "no seed has both sides at one node count")
    co_primary = mean_estimate(mean_over_nodes(contrast(*both, value="auc")).to_numpy())
    died = f"; {pairs - len(per_seed)} of {pairs} pairs left out, in which one died"
    return Finding(
        effect,
        f"{len(first)} and {len(second)} runs" + (died if len(per_seed) < pairs else ""),
        with_deaths(contrast_table(difference), first, second),
        co_primary,
    )


def death_contrast(first: pd.DataFrame, second: pd.DataFrame) -> Finding:
    """How much more often `first` died than `second`, as points of `scored_points`."""
    effect = Deaths(int(first["dead"].sum()), len(first), int(second["dead"].sum()), len(second))
    basis = (
        f"{effect.dead} of {effect.runs} died against {effect.other_dead} of {effect.other_runs}"
    )
    counts = pd.DataFrame({"nodes": sorted(set(first["nodes"]) | set(second["nodes"]))})
    return Finding(effect, basis, with_deaths(counts, first, second))


def with_deaths(table: pd.DataFrame, first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """A table by node count with how many runs of either side died there."""
    died = [points.groupby("nodes")["dead"] for points in (first, second)]
    added = pd.DataFrame(
        {
            "died": died[0].sum(),
            "of": died[0].size(),
            "other_died": died[1].sum(),
            "other_of": died[1].size(),
        }
    )
    return table.merge(added.reset_index(names="nodes"), on="nodes", how="outer")
