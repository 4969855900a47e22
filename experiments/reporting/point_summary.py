"""What MLflow's table and a run's page say of a point: short tags and a description. Pure.

MLflow rounds nothing and heads a column with a metric's whole name: these tags are its values as a
person reads them. The metrics they come from are recorded beside them, in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.reporting.records import Record
from ffn_core import metric_names as names
from ffn_core.parallel_efficiency import overall_rate


def settings_shown(params: Mapping[str, Any], emulated: bool) -> dict[str, str]:
    """Tags of what a point is.

    Args:
        params: flat parameters as recorded; what is not among them has no tag.
        emulated: whether its nodes are more than its processes.
    """
    rule = params.get(names.RATE_RULE)
    warmup = params.get(names.WARMUP)
    found = {
        names.SHOWN_NODES: params.get(names.NODES),
        names.SHOWN_RULE: "unscaled" if rule == "none" else rule,
        names.SHOWN_WARMUP: None if warmup is None else str(warmup).removesuffix(" fraction"),
        names.SHOWN_OPTIMIZER: params.get(names.OPTIMIZER),
        names.SHOWN_SEED: params.get(names.SEED),
        names.SHOWN_MACHINE: "emulated" if emulated else "real",
    }
    return {tag: str(value) for tag, value in found.items() if value is not None}


def results_shown(
    outcome: str, score: Mapping[str, Any] | None, records: Sequence[Record]
) -> dict[str, str]:
    """Tags of what came of a point.

    Args:
        outcome: how it ended, in a word.
        score: `ScoreHistory.summary` of a point that came to its end.
        records: all there are, of the training and of its comparison with others.
    """
    metrics = [record.metrics for record in records]
    rates = [found[names.THROUGHPUT] for found in metrics if names.THROUGHPUT in found]
    shown = {names.SHOWN_OUTCOME: outcome}
    if score:
        shown[names.SHOWN_FINAL] = f"{score[names.SCORE_FINAL]:.3f}"
        shown[names.SHOWN_BEST] = f"{score[names.SCORE_BEST]:.3f}"
    if rates:
        rate = overall_rate(rates)
        shown[names.SHOWN_THROUGHPUT] = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
    return shown | efficiency_shown(records)


def efficiency_shown(records: Sequence[Record]) -> dict[str, str]:
    """Tag of the newest parallel efficiency; none where a point is not compared with others."""
    key = names.PARALLEL_EFFICIENCY
    found = [record.metrics[key] for record in records if key in record.metrics]
    return {names.SHOWN_EFFICIENCY: f"{found[-1]:.0%}"} if found else {}


def description(
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    outcome: str,
    message: str,
    score: Mapping[str, Any] | None,
    course: str = "",
) -> str:
    """A point in a few sentences of Markdown, for its page."""
    nodes, ranks = params.get(names.NODES), params.get(names.RANKS)
    emulated = tags.get(names.EMULATED) == "true"
    on = f"{ranks} processes carrying {nodes} logical nodes (emulated: its throughput is theirs)"
    rate = params.get(names.RATE_PEAK)
    peak = f"{float(rate):.3g}" if rate is not None else "unknown"
    lines = [
        f"Trained on {on if emulated else f'{nodes} real nodes'}, {params.get(names.BUDGET)}, by "
        f"{params.get(names.OPTIMIZER)} at {peak} (rule {params.get(names.RATE_RULE)}, warm-up "
        f"{params.get(names.WARMUP)}), seed {params.get(names.SEED)}.",
        f"**{outcome}**" + (f": {message}" if message else "") + ".",
        f"Score: {score_line(dict(score))}." if score else "",
        course,
        f"A step of its metrics is one FOV, summed over nodes. Files: `{tags.get(names.RUN_DIR)}`.",
    ]
    return "\n\n".join(filter(None, lines))


def score_line(summary: dict[str, Any] | None) -> str:
    """The summary of a run's score in words, as `ScoreHistory` gives it; empty without one."""
    if summary is None:
        return ""
    return (
        f"{summary['name']} {summary[names.SCORE_FINAL]:.3f}, mean of the last "
        f"{summary['evaluations']}; best {summary[names.SCORE_BEST]:.3f} "
        f"at {summary[names.SCORE_BEST_FOVS]:,.0f} FOVs"
    )
