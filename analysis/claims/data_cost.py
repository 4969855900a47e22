"""Claims about what a large batch costs in data and saves in time. Pure."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from analysis.claims.crossover import late_noise_scale
from analysis.claims.scored_runs import Studies, describe, ended, ruled, scored_points, with_warmup
from analysis.claims.seed_intervals import seed_interval
from analysis.claims.verdict import (
    MEASURED,
    MODELLED,
    UNDECIDED,
    UNKNOWN,
    Verdict,
    decide,
    decide_within,
    power_of_two,
)
from analysis.reference import published
from analysis.stats.critical_batch import CriticalBatch, fit_runs
from analysis.stats.intervals import Interval
from analysis.stats.targets import F1_TARGETS, targets_table

STUDIES: Final = ("batch_size", "lr_rules")
"""`lr_rules` holds the same points: square-root scaling, warmed up."""

WINDOW: Final = 3
LEAST_COUNTS: Final = 3
WORTH: Final = math.log2(1.1)
"""A tenth more data or time is the least that matters."""


def data_cost_verdicts(studies: Studies) -> list[Verdict]:
    """Small batches need less data; large ones are faster on real nodes; the critical batch."""
    points = batch_points(studies)
    reached = reached_table(studies, points)
    target = best_target(reached)
    table = reached[reached["target"] == target] if target is not None else reached.iloc[:0]
    return [
        _data(points, table, target),
        _time(points, table, target),
        _critical(studies, points, table, target),
    ]


def batch_points(studies: Studies) -> pd.DataFrame:
    """Warmed-up square-root points with Adam: what varies is the number of nodes."""
    points = ruled(with_warmup(scored_points(studies, *STUDIES)), "sqrt")
    return points[points["optimizer"] == "adam"]


def reached_table(studies: Studies, points: pd.DataFrame) -> pd.DataFrame:
    """FOVs to each target per point; NaN where not reached.

    Columns run_id, target, fovs, optimizer_step, steps_done and processed (steps and FOVs of the
    whole run), nodes, seed, global_batch_size.
    """
    tables = []
    for name in STUDIES:
        here = points.loc[points["experiment"] == name, "run_id"]
        if here.empty:
            continue
        runs = ended(studies[name])
        runs = runs.select(runs.table["run_id"].isin(here))
        processed = runs.history.groupby("run_id")["fovs"].max().rename("processed")
        tables.append(targets_table(runs, window=WINDOW).merge(processed, on="run_id"))
    columns = ["run_id", "target", "fovs", "optimizer_step", "steps_done", "processed"]
    if not tables:
        return pd.DataFrame(columns=[*columns, "nodes", "seed", "global_batch_size"])
    known = points[["run_id", "nodes", "seed", "global_batch_size"]]
    return pd.concat(tables, ignore_index=True)[columns].merge(known, on="run_id")


def best_target(reached: pd.DataFrame) -> float | None:
    """The highest target that every seed of at least three node counts reaches; None if none."""
    for target in sorted(F1_TARGETS, reverse=True):
        rows = reached[reached["target"] == target]
        complete = rows.groupby("nodes")["fovs"].apply(lambda v: bool(v.notna().all()))
        if int(complete.sum()) >= LEAST_COUNTS:
            return target
    return None


def published_rate(nodes: np.ndarray) -> np.ndarray:
    """Published throughput in FOVs/s at node counts, interpolated in the logarithms.

    Raises:
        ValueError: a count outside the 1 to 1024 nodes published.
    """
    table = published.throughput()
    counts = np.asarray(nodes, dtype=float)
    if counts.min() < table["nodes"].min() or counts.max() > table["nodes"].max():
        raise ValueError("throughput is published for 1 to 1024 nodes")
    logs = np.interp(np.log(counts), np.log(table["nodes"]), np.log(table["fovs_per_second"]))
    return np.exp(logs)


def cost_table(table: pd.DataFrame) -> pd.DataFrame:
    """Per node count: FOVs to the target (mean, range), seeds that reach it, modelled hours.

    A run that did not reach the target counts with the FOVs it processed, a lower bound.
    """
    bounded = table.assign(cost=table["fovs"].fillna(table["processed"]))
    grouped = bounded.groupby("nodes")
    result = grouped["cost"].agg(fovs="mean", lowest="min", highest="max").reset_index()
    result["seeds"] = grouped.size().to_numpy()
    result["reached"] = grouped["fovs"].count().to_numpy()
    result["modelled_hours"] = result["fovs"] / published_rate(result["nodes"].to_numpy()) / 3600
    return result


def _data(points: pd.DataFrame, table: pd.DataFrame, target: float | None) -> Verdict:
    key, claim = "small_batch_data", "Small batches are more data-efficient than large ones"
    rule = "supported: interval of the ratio above 1; not supported: below 1.1"
    if target is None:
        return _no_target(key, claim, "FOVs to a target F1", rule, MEASURED, points)
    few, many = int(table["nodes"].min()), int(table["nodes"].max())
    bounded = table.assign(cost=table["fovs"].fillna(table["processed"]))
    costs = np.log2(bounded.pivot_table(index="seed", columns="nodes", values="cost"))
    logs = seed_interval((costs[many] - costs[few]).to_numpy())
    measure = f"FOVs to F1 {target} at {many} nodes over those at {few}"
    if table.loc[table["nodes"] == many, "fovs"].isna().any():
        measure += " (a lower bound: not every run reached it within its budget)"
    verdict = decide(logs, supported_above=0.0, refuted_below=WORTH)
    evidence = cost_table(table).drop(columns="modelled_hours")
    return Verdict(
        key,
        claim,
        verdict,
        power_of_two(logs),
        measure,
        rule,
        MEASURED,
        describe(points),
        evidence,
    )


def _time(points: pd.DataFrame, table: pd.DataFrame, target: float | None) -> Verdict:
    key, claim = "large_batch_time", "Large batches reach the target sooner on real nodes"
    rule = "supported: interval of the speed-up above 1; not supported: below 1.1"
    kind = f"{MODELLED}: FOVs of this study over the published throughput"
    if target is None:
        return _no_target(key, claim, "time to a target F1", rule, kind, points)
    table = table[table["nodes"] <= published.throughput()["nodes"].max()]
    every = table.groupby("nodes")["fovs"].apply(lambda fovs: bool(fovs.notna().all()))
    complete = [int(nodes) for nodes in every.index[every]]
    few, many = min(complete), max(complete)
    costs = table.pivot_table(index="seed", columns="nodes", values="fovs")
    hours = costs[[few, many]].dropna() / published_rate(np.array([few, many]))
    logs = seed_interval(np.log2((hours[few] / hours[many]).to_numpy()))
    measure = (
        f"time to F1 {target} at {few} node{'s' if few > 1 else ''} over that at {many}, the most "
        "at which every seed reached it"
    )
    verdict = decide(logs, supported_above=0.0, refuted_below=WORTH)
    evidence = cost_table(table)
    return Verdict(
        key, claim, verdict, power_of_two(logs), measure, rule, kind, describe(points), evidence
    )


def _critical(
    studies: Studies, points: pd.DataFrame, table: pd.DataFrame, target: float | None
) -> Verdict:
    key = "noise_predicts_critical_batch"
    claim = "The gradient noise scale at convergence predicts the critical batch to a factor of two"
    rule = "supported: interval within 1/2 to 2; not supported: interval outside it"
    measure = "fitted critical batch size over the noise scale"
    if target is None:
        return _no_target(key, claim, measure, rule, MEASURED, points)
    fit = fit_runs(table)
    noise = late_noise_scale(studies, points).dropna()
    evidence = _critical_evidence(table, noise)
    # Far beyond the largest batch tried the data only say that it is larger.
    if fit is None or fit.unseen or noise.empty:
        lacking = "no noise scale" if noise.empty else "the data do not bound the critical batch"
        reason = f"{lacking}: {describe(points)}"
        return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, evidence)
    interval = _log2_ratio(fit, noise)
    verdict = decide_within(interval, -1.0, 1.0)
    full = f"{measure}, for F1 {target}"
    effect = power_of_two(interval)
    return Verdict(key, claim, verdict, effect, full, rule, MEASURED, describe(points), evidence)


def _log2_ratio(fit: CriticalBatch, noise: pd.Series) -> Interval:
    """Of the critical batch, fitted to all seeds, over the noise scale, averaged over seeds.

    The two err independently: the halves of their intervals, in the logarithm, add in quadrature.
    """
    late = seed_interval(np.log2(noise.to_numpy(dtype=float)))
    critical, low, high = np.log2([fit.batch_size, fit.low, fit.high])
    ratio = critical - late.estimate
    return Interval(
        float(ratio),
        float(ratio - np.hypot(critical - low, late.high - late.estimate)),
        float(ratio + np.hypot(high - critical, late.estimate - late.low)),
        late.count,
    )


def _critical_evidence(table: pd.DataFrame, noise: pd.Series) -> pd.DataFrame:
    """Critical batch fitted to all seeds, and to each alone, beside the noise scale; in FOVs."""
    fits = {"all": fit_runs(table)} | {str(s): fit_runs(rows) for s, rows in table.groupby("seed")}
    late = {str(seed): value for seed, value in noise.items()}
    late["all"] = (
        float(np.exp(np.log(noise.to_numpy(dtype=float)).mean())) if len(noise) else np.nan
    )
    rows = [
        {
            "seed": seed,
            "critical_batch": np.nan if fit is None else fit.batch_size,
            "low": np.nan if fit is None else fit.low,
            "high": np.nan if fit is None else fit.high,
            "noise_scale": late.get(seed, np.nan),
        }
        for seed, fit in fits.items()
    ]
    return pd.DataFrame(rows)


def _no_target(
    key: str, claim: str, measure: str, rule: str, kind: str, points: pd.DataFrame
) -> Verdict:
    reason = (
        f"no F1 target of {', '.join(map(str, F1_TARGETS))} is reached by every seed of "
        f"{LEAST_COUNTS} node counts: {describe(points)}"
    )
    return Verdict(key, claim, UNDECIDED, UNKNOWN, measure, rule, kind, reason)
