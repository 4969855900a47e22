"""Figure of runs that grow the batch in stages, against constant node counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.curves import describe_band, describe_emulated, draw_curve, score_limits
from analysis.figures.style import (
    DARK,
    GRAY,
    Drawing,
    count_axis,
    node_colors,
    node_handles,
    panels,
    sentences,
    style_handles,
)
from analysis.models.model_average import modeled_throughput
from analysis.models.time_and_cost import seconds_of_stages
from analysis.reference.published import ARXIV
from analysis.runs.grouping import groups
from analysis.runs.stages import STAGES, is_staged, stage_table
from analysis.runs.study import NothingToDraw, Study, describe_runs

_SCORES = (("averaged/f1", "F1 (averaged weights)"), ("validation/f1", "Validation F1"))


def growing_batch(study: Study) -> Drawing:
    """F1 of runs in stages and of constant node counts, against FOVs and modelled time."""
    if study.staged.empty:
        raise NothingToDraw("no finished run went through stages")
    shown = pd.concat([study.best, study.staged], ignore_index=True)
    label, rows = _scores(study, shown)
    shown = shown[shown["run_id"].isin(rows["run_id"])]
    stages = {run_id: _stages(study, run_id) for run_id in shown["run_id"]}
    rows, node_rate = _with_modelled_minutes(rows, shown, stages)
    figure, (by_fovs, by_time) = panels(2, height_in=2.8)
    for ax, x, unit in ((by_fovs, "fovs", "FOVs processed, all nodes"), (by_time, "minutes", None)):
        _draw(ax, rows, x, study.staged, stages)
        ax.set(xlabel=unit or "Modelled time (min)", ylim=score_limits(rows, 0.0), xlim=(0, None))
    by_fovs.set_ylabel(label)
    count_axis(by_fovs, "x")
    constant = shown[shown["run_id"].isin(study.best["run_id"])]
    handles = node_handles(node_colors(constant["nodes"])) if not constant.empty else []
    handles += [Line2D([], [], color=DARK, label="in stages")]
    figure.legend(
        handles=handles + style_handles(shown["emulated"].tolist()), loc="outside right upper"
    )
    plans = sorted({_plan(stages[run_id]) for run_id in study.staged["run_id"] if run_id in stages})
    caption = sentences(
        f"{label} of runs that go through stages ({'; '.join(plans)}), dark, and of constant node",
        "counts. Thin lines: where a stage ends.",
        "Right: modelled time, FOVs of each stage over the throughput of its nodes, at",
        f"{node_rate} FOVs/s per node (one rank of these runs) and the published efficiency",
        f"({ARXIV}).",
        describe_band(shown),
        describe_emulated(shown),
        describe_runs(shown),
    )
    return Drawing(figure, caption)


def _scores(study: Study, shown: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The first score that runs in stages have: what to call it, and its curves."""
    for metric, label in _SCORES:
        rows = study.curves(metric, shown)
        if rows["run_id"].isin(study.staged["run_id"]).any():
            return label, rows
    raise NothingToDraw("no finished run in stages recorded an F1")


def _stages(study: Study, run_id: str) -> pd.DataFrame:
    history = study.runs.history
    return stage_table(history[history["run_id"] == run_id])


def _plan(stages: pd.DataFrame) -> str:
    """``batch 4 to 8000 FOVs, 64 to 16000``."""
    return "batch " + ", ".join(
        f"{batch:g} to {fovs:g}{'' if number else ' FOVs'}"
        for number, (fovs, batch) in enumerate(stages.itertuples(index=False))
    )


def _with_modelled_minutes(
    rows: pd.DataFrame, shown: pd.DataFrame, stages: dict[str, pd.DataFrame]
) -> tuple[pd.DataFrame, str]:
    """The curves with a column `minutes`, and the throughput of a node assumed."""
    known = shown.dropna(subset=["fovs_per_second"])
    # Ranks of a run in stages may change, and with them what a rank does.
    constant = known[~is_staged(known)]
    known = known if constant.empty else constant
    if known.empty:
        raise NothingToDraw("no finished run recorded throughput/fovs_per_second")
    throughput = modeled_throughput(known)
    local = shown.set_index("run_id")["local_batch_size"]
    parts = []
    for run_id, curve in rows.groupby("run_id"):
        plan = stages[str(run_id)]
        rate = throughput.throughput(plan["batch"].to_numpy(float) / local[run_id])
        fovs = curve["fovs"].to_numpy(float)
        seconds = seconds_of_stages(plan["fovs"].to_numpy(float), np.asarray(rate), fovs)
        parts.append(curve.assign(minutes=seconds / 60))
    return pd.concat(parts), f"{throughput.node_fovs_per_second:.3g}"


def _draw(
    ax: Axes, rows: pd.DataFrame, x: str, staged: pd.DataFrame, stages: dict[str, pd.DataFrame]
) -> None:
    in_stages = rows["run_id"].isin(staged["run_id"])
    colors = node_colors(rows.loc[~in_stages, "nodes"])
    for nodes, group in groups(rows[~in_stages], "nodes"):
        draw_curve(ax, group, x, colors[nodes], str(nodes), bool(group["emulated"].iloc[0]))
    for plan, group in groups(rows[in_stages], STAGES):
        draw_curve(ax, group, x, DARK, str(plan), bool(group["emulated"].iloc[0]))
        one = group[group["run_id"] == group["run_id"].iloc[0]]
        for end in stages[one["run_id"].iloc[0]]["fovs"].iloc[:-1]:
            place = np.interp(end, one["fovs"].to_numpy(float), one[x].to_numpy(float))
            ax.axvline(float(place), color=GRAY, linewidth=0.6, zorder=0)
