"""What a study shows, in sentences. Pure."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from analysis.report.effects import HIGHER, LOWER, NO_INTERVAL, Effect, falls
from analysis.runs.runs import Runs
from analysis.runs.summary import summarize
from analysis.stats.intervals import mean_interval
from analysis.text import cell, short_number
from ffn_core.metric_names import BASELINE_NODES, PARALLEL_EFFICIENCY

_WORDS: Final = {
    "nodes": "nodes",
    "lr_rule": "learning-rate rule",
    "lr_base": "base learning rate",
    "warmup": "warm-up",
    "cooldown": "cooldown",
    "optimizer": "optimizer",
    "local_batch_size": "FOVs a node takes in a step",
    "precision": "precision",
    "budget": "budget",
    "model_name": "network",
}

METHOD: Final = (
    "Differences are between points alike in all else that varied. Each seed's difference is the "
    "mean over those; the interval is the 95 % Student t interval over seeds. Dead runs (diverged, "
    "or an F1 near 0) are counted apart and left out of differences. A difference is called higher "
    "or lower where Holm's correction over all of them leaves p below 0.05. The options of a sweep "
    "were not chosen by a plan made beforehand: read this as exploration."
)


def option_words(option: str) -> str:
    """What an option is called in a sentence."""
    return _WORDS.get(option, option.replace("_", " "))


def value_words(option: str, value: Any) -> str:
    """A value of an option in a sentence."""
    if option == "lr_rule" and value == "none":
        return "unscaled"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3g}"
    return cell(value) if isinstance(value, float) else str(value)


def effect_words(effect: Effect) -> str:
    """An effect as a sentence with its interval."""
    option = option_words(effect.option)
    value, other = (value_words(effect.option, v) for v in (effect.value, effect.other))
    said = f"{option} {value} against {other}: "
    estimate = effect.estimate
    if estimate.value is None:
        return f"{said}not compared, {estimate.reason}{_deaths(effect)}."
    bounds = estimate.bounds()
    if bounds is None:
        spread = ""
        if effect.pairs > 1:
            spread = (
                f"; {effect.pairs} pairs from {_signed(effect.lowest)} to {_signed(effect.highest)}"
            )
        why = f"no interval ({estimate.reason}{spread})"
        return f"{said}{_signed(estimate.value)}, {why}{_deaths(effect)}."
    verdict = {HIGHER: "higher", LOWER: "lower"}.get(effect.verdict, "no difference shown")
    low, high = map(_signed, bounds)
    return (
        f"{said}{verdict}, {_signed(estimate.value)} ({low} to {high}; "
        f"{estimate.count} seeds, {effect.pairs} pairs; p {effect.adjusted:.2g} after correction)"
        f"{_deaths(effect)}."
    )


def _signed(value: float | None) -> str:
    """Three digits with a sign; nothing that rounds to 0 has a minus."""
    return "-" if value is None else f"{round(value, 3) + 0.0:+.3f}"


def _deaths(effect: Effect) -> str:
    if effect.died.startswith("0 ") and effect.other_died.startswith("0 "):
        return ""
    return f"; died: {effect.died} against {effect.other_died}"


def effects_table(effects: list[Effect]) -> pd.DataFrame:
    """The effects as a table of text."""
    rows = []
    for effect in effects:
        bounds = effect.estimate.bounds()
        value = effect.estimate.value
        rows.append(
            {
                "option": option_words(effect.option),
                "value": value_words(effect.option, effect.value),
                "against": value_words(effect.option, effect.other),
                "difference": "-" if value is None else _signed(value),
                "95 % interval": f"{_signed(bounds[0])} to {_signed(bounds[1])}" if bounds else "-",
                "seeds": str(effect.estimate.count),
                "pairs": str(effect.pairs),
                "died": f"{effect.died}, {effect.other_died}",
                "verdict": effect.verdict
                + (f": {effect.estimate.reason}" if effect.verdict == NO_INTERVAL else ""),
            }
        )
    return pd.DataFrame(rows)


def headline(points: pd.DataFrame, score: str) -> list[str]:
    """The best point, how it compares with knowing nothing, and what died."""
    scored = points.dropna(subset=["score"])
    alive = scored[~scored["dead"]]
    said = []
    if not alive.empty:
        order = alive.sort_values("score", ascending=falls(score))
        top = order.iloc[0]
        best = "" if math.isnan(top["best"]) else f" (best evaluation {top['best']:.3f})"
        chosen = "" if len(order) == 1 else f" It is the best of {len(order)}, which flatters it."
        said.append(
            f"Best point: `{top['name']}`, final score {top['score']:.3f}{best} by `{score}`."
            f"{chosen}"
        )
        said += _against_baseline(alive, score)
    if dead := int(points["dead"].sum()):
        named = ", ".join(f"`{name}`" for name in points.loc[points["dead"], "name"][:8])
        said.append(f"Died: {dead} of {len(points)} points ({named}).")
    return said


def _against_baseline(alive: pd.DataFrame, score: str) -> list[str]:
    if not score.endswith("/f1") or alive["baseline"].isna().all():
        return []
    known = alive.dropna(subset=["baseline"])
    above = int((known["score"] > known["baseline"]).sum())
    return [
        f"Calling every voxel object scores {known['baseline'].mean():.3f}: {above} of "
        f"{len(known)} points score more than that."
    ]


def scaling_words(runs: Runs) -> list[str]:
    """Throughput and parallel efficiency of real points by node count, with intervals."""
    summary = summarize(runs.finished()) if len(runs.finished().table) else pd.DataFrame()
    if summary.empty:
        return []
    alone = summary["sweep_parallel"] == 1 if "sweep_parallel" in summary else True
    real = summary[~summary["emulated"].astype(bool) & alone].dropna(subset=["fovs_per_second"])
    efficiency, baseline = runs.last(PARALLEL_EFFICIENCY), runs.last(BASELINE_NODES)
    said = []
    for nodes, rows in real.groupby("nodes"):
        rate = mean_interval(rows["fovs_per_second"].to_numpy())
        line = (
            f"{nodes:.0f} real node{'s' if nodes != 1 else ''}: "
            f"{short_number(float(f'{rate.estimate:.3g}'))} FOVs/s{_bounds(rate.low, rate.high, 3)}"
        )
        known = rows["run_id"].map(efficiency).dropna()
        base = rows["run_id"].map(baseline).dropna().unique()
        if len(known) and len(base) == 1 and base[0] != nodes:
            share = mean_interval(known.to_numpy())
            line += (
                f", parallel efficiency {share.estimate:.2f}{_bounds(share.low, share.high, 2)} "
                f"relative to {base[0]:.0f}"
            )
        said.append(f"{line}; {len(rows)} run{'s' if len(rows) != 1 else ''}.")
    return said


def _bounds(low: float, high: float, digits: int) -> str:
    if math.isnan(low):
        return " (one run: no interval)"
    return f" (95 %: {low:.{digits}g} to {high:.{digits}g})"
