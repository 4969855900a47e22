"""Figures of what more nodes cost in data and save in steps, and of growing them on the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.curves import (
    MEAN_WIDTH,
    describe_emulated,
    describe_lines,
    draw_curve,
    line_handles,
    score_limits,
)
from analysis.figures.style import (
    DARK,
    GRAY,
    PUBLISHED_TITLE,
    SERIES,
    Drawing,
    count_axis,
    draw_baseline,
    legend_below,
    log_axis,
    marker_fill,
    node_axis,
    node_color,
    node_colors,
    node_handles,
    notes,
    panels,
    style_handles,
)
from analysis.models.critical_batch import CriticalBatch, fit_runs
from analysis.models.model_average import modeled_throughput
from analysis.models.time_and_cost import seconds_of_stages
from analysis.reference import published
from analysis.reference.published import ARXIV
from analysis.runs.grouping import groups, varies
from analysis.runs.score import F1_TARGETS, targets_above
from analysis.runs.stages import STAGES, is_staged, stage_table
from analysis.runs.study import (
    NothingToDraw,
    Study,
    describe_best,
    describe_runs,
    describe_score,
)
from analysis.stats.targets import first_reached, targets_table, tradeoff_table
from analysis.text import capitalized
from ffn_core.metric_names import THROUGHPUT


def draw_cost(
    ax: Axes,
    table: pd.DataFrame,
    runs: pd.DataFrame,
    cost: str,
    color: str,
    label: str,
    style: str = "-",
) -> None:
    """Mean cost to one target over repeats with its interval, and every repeat as a small point.

    Args:
        ax: to draw on.
        table: rows of one target from `analysis.stats.targets.tradeoff_table`, plus `emulated`.
        runs: rows of the same target, one per run: nodes, emulated, the cost, and `at_least`, the
            cost by which a run that missed the target had ended (NaN: not drawn).
        cost: fovs, optimizer_step or elapsed_s.
        color: of the target.
        label: legend entry.
        style: of the line; dashed where the cost is modeled.
    """
    known = table.dropna(subset=[cost])
    ax.plot(known["nodes"], known[cost], style, color=color, label=label, zorder=2)
    bounds = known.dropna(subset=[f"{cost}_low"])
    ends = bounds[f"{cost}_low"], bounds[f"{cost}_high"]
    ax.vlines(bounds["nodes"], *ends, color=color, linewidth=0.9, zorder=2)
    for emulated, group in known.groupby("emulated"):
        fill = marker_fill(bool(emulated), color)
        ax.plot(group["nodes"], group[cost], "o", color=color, mfc=fill, zorder=3)
    ax.plot(runs["nodes"], runs[cost], "o", color=color, alpha=0.4, markersize=2, mew=0)
    missed = runs[runs[cost].isna()]
    (bounds_had,) = ax.plot(missed["nodes"], missed["at_least"], "^", color=color, alpha=0.6)
    bounds_had.set(markerfacecolor="none", markersize=3, markeredgewidth=0.6)


def draw_fit(ax: Axes, nodes: np.ndarray, cost: np.ndarray, color: str) -> None:
    """Fitted cost, dotted."""
    ax.plot(nodes, cost, ":", color=color, linewidth=1)


_COLORS = dict(zip(F1_TARGETS, SERIES, strict=False))
_PUBLISHED_TARGETS = (0.5, 0.7)
# What a run had when it ended; of its time nothing is said.
_HAD = {"fovs": "fovs_done", "optimizer_step": "steps_done"}


_LEAST_COUNTS = 3


def reached_targets(study: Study, shown: pd.DataFrame) -> pd.DataFrame:
    """What some runs needed to reach each target, as `targets_table`, with their node counts.

    Raises:
        NothingToDraw: fewer than three node counts reached a target above the trivial baseline.
    """
    if shown["nodes"].nunique() < _LEAST_COUNTS:
        raise NothingToDraw(f"a trade-off takes {_LEAST_COUNTS} node counts with an F1")
    baseline = study.baseline(shown)
    targets = targets_above(baseline)
    if not targets:
        raise NothingToDraw(f"no target lies above {baseline:.3f}, all voxels called object")
    runs = study.runs.select(study.runs.table["run_id"].isin(shown["run_id"]))
    columns = ["run_id", "nodes", "emulated", "global_batch_size"]
    reached = targets_table(runs, study.score.f1, targets, rising=True)
    reached = reached.merge(shown[columns], on="run_id")
    counts = reached.dropna(subset=["fovs"]).groupby("target")["nodes"].nunique()
    if counts.empty or counts.max() < _LEAST_COUNTS:
        above = "" if baseline is None else f" (calling all voxels object gives {baseline:.3f})"
        raise NothingToDraw(
            f"fewer than {_LEAST_COUNTS} node counts reached F1 {targets[0]}{above}"
        )
    return reached


def cost_to_target(study: Study) -> Drawing:
    """FOVs, optimizer steps and wall time to each F1 target against nodes."""
    shown = study.best.dropna(subset=["final_f1"])
    reached = reached_targets(study, shown)
    figure, axes = panels(5)
    _draw_costs(axes[0], reached, "fovs", "FOVs to target")
    _draw_costs(axes[1], reached, "optimizer_step", "Optimizer steps to target")
    timed, modeled = _draw_time(axes[2], reached, shown)
    fits = _draw_fits(axes[0], axes[1], reached)
    axes[0].set_title("this study")
    _draw_published(axes[3], axes[4])
    targets = sorted({*reached.loc[reached["fovs"].notna(), "target"], *_PUBLISHED_TARGETS})
    legend_below(figure, _cost_handles(targets, reached, shown, len(fits) > 1, modeled))
    return Drawing(
        figure,
        "FOVs, optimizer steps and time until F1 reaches a target, against nodes. Last two panels:"
        " the published curves.",
        notes(
            "Means over seeds are geometric, with 95 % t intervals of the logarithms; they are"
            " drawn where every seed reached the target.",
            "A run reaches a target where the nondecreasing curve nearest to its evaluations does"
            " (isotonic least squares), between two evaluations by linear interpolation.",
            timed,
            *fits,
            "Published: first crossings of 0.5 and 0.7. Optimizer steps were not published.",
            describe_score(study, shown),
            describe_best(shown),
            describe_runs(shown),
        ),
    )


def _cost_handles(
    targets: list[float], reached: pd.DataFrame, shown: pd.DataFrame, fitted: bool, modeled: bool
) -> list[Line2D]:
    """Legend entries for every mark of `cost_to_target`."""

    def mark(label: str, marker: str, size: float, fill: str = DARK) -> Line2D:
        line = Line2D([], [], color=DARK, linestyle="none", marker=marker, mfc=fill)
        line.set(markersize=size, label=label)
        return line

    handles = [Line2D([], [], color=_COLORS[t], label=f"F1 {t}") for t in targets]
    handles += style_handles(shown["emulated"].tolist(), markers=True)
    handles.append(mark("seed", "o", 2))
    if reached["fovs"].isna().any():
        handles.append(mark("not reached by then", "^", 3, "none"))
    if fitted:
        handles.append(Line2D([], [], color=DARK, linestyle=":", lw=1, label="fitted curve"))
    if modeled:
        handles.append(Line2D([], [], color=DARK, linestyle="--", label="modeled time"))
    return [*handles, mark("published", "s", 4)]


def _draw_time(ax: Axes, reached: pd.DataFrame, shown: pd.DataFrame) -> tuple[str, bool]:
    """Measured times where two real node counts have them, else modeled; says which, and if so."""
    real = reached[~reached["emulated"]]
    if varies(real.dropna(subset=["elapsed_s"])["nodes"]):
        _draw_costs(ax, real, "elapsed_s", "Wall time to target (s)")
        return "Time: real nodes only.", False
    known = shown.dropna(subset=["fovs_per_second"])
    if known.empty:
        ax.text(0.5, 0.5, "time not recorded", ha="center", transform=ax.transAxes)
        return "No time is shown: it takes two real node counts.", False
    throughput = modeled_throughput(known)
    rate = throughput.throughput(reached["nodes"].to_numpy(float))
    modeled = reached.assign(elapsed_s=reached["fovs"] / rate, emulated=True)
    _draw_costs(ax, modeled, "elapsed_s", "Modeled time (s)", style="--")
    return (
        "Time is modeled, for want of two real node counts: these FOVs at"
        f" {throughput.node_fovs_per_second:.3g} FOVs/s per node (one rank of these runs) and the"
        f" published efficiency ({ARXIV}).",
        True,
    )


def _draw_costs(ax: Axes, reached: pd.DataFrame, cost: str, label: str, style: str = "-") -> None:
    reached = reached.assign(at_least=reached[_HAD[cost]] if cost in _HAD else np.nan)
    table = tradeoff_table(reached)
    kind = reached.groupby("nodes")["emulated"].first()
    table["emulated"] = table["nodes"].map(kind)
    for target, group in groups(table, "target"):
        if group[cost].notna().any():
            runs = reached[reached["target"] == target]
            draw_cost(ax, group, runs, cost, _COLORS[target], f"F1 {target}", style)
    node_axis(ax, reached["nodes"], most_labels=5)
    log_axis(ax, "y")
    ax.set_ylabel(label)


def _draw_fits(fovs: Axes, steps: Axes, reached: pd.DataFrame) -> list[str]:
    """Draw the fitted hyperbola of each target; returns one caption sentence per fit."""
    per_node = reached["global_batch_size"] / reached["nodes"]
    if varies(per_node):
        return ["No critical batch size is fitted: the local batch size varies."]
    local_batch = float(per_node.iloc[0])
    found = []
    for target, group in groups(reached, "target"):
        fit = fit_runs(group)
        if fit is None:
            continue
        color = _COLORS[target]
        nodes = np.geomspace(group["nodes"].min(), group["nodes"].max(), 60)
        draw_fit(fovs, nodes, fit.fovs(nodes * local_batch), color)
        draw_fit(steps, nodes, fit.steps(nodes * local_batch), color)
        found.append(_finding(target, fit, local_batch))
    if found:
        found.insert(
            0,
            "Fitted curve: (S/Smin - 1)(E/Emin - 1) = 1 (McCandlish et al. 2018), to all seeds; "
            "those that missed the target count as needing more than they had.",
        )
    return found


def _finding(target: float, fit: CriticalBatch, local_batch: float) -> str:
    if fit.unseen:
        return f"F1 {target}: larger batches cost no more data as far as was tried."
    if not np.isfinite(fit.low):
        return f"F1 {target}: critical batch size {fit.batch_size:.3g} FOVs, too few runs to bound."
    return (
        f"F1 {target}: critical batch size {fit.batch_size:.3g} FOVs (95 % interval {fit.low:.3g} "
        f"to {fit.high:.3g}), that is {fit.nodes(local_batch):.3g} nodes."
    )


def _draw_published(fovs: Axes, hours: Axes) -> None:
    curves = published.batch_size_curves()
    by_fovs = curves[(curves["x_kind"] == "fovs") & (curves["reliability"] != "low")]
    by_hours = published.f1_against_hours()
    by_hours = by_hours[by_hours["reliability"] != "poor"].rename(columns={"hours": "x"})
    labels = ("FOVs to target", "Time to target (h)")
    for ax, table, label in zip((fovs, hours), (by_fovs, by_hours), labels, strict=True):
        for target in _PUBLISHED_TARGETS:
            reached = {
                nodes: first_reached(curve["x"].to_numpy(), curve["f1"].to_numpy(), target)
                for nodes, curve in groups(table, "nodes")
            }
            ax.plot(list(reached), list(reached.values()), "s-", color=_COLORS[target])
        node_axis(ax, by_hours["nodes"], most_labels=5)
        log_axis(ax, "y")
        ax.set_ylabel(label)
    fovs.set_title(PUBLISHED_TITLE)


def growing_batch(study: Study) -> Drawing:
    """F1 of runs in stages and of constant node counts, against FOVs and modeled time."""
    if study.staged.empty:
        raise NothingToDraw("no finished run went through stages")
    shown = pd.concat([study.best, study.staged], ignore_index=True)
    rows = study.curves(study.score.f1, shown)
    if not rows["run_id"].isin(study.staged["run_id"]).any():
        raise NothingToDraw(f"no finished run in stages recorded {study.score.f1}")
    shown = shown[shown["run_id"].isin(rows["run_id"])]
    stages = _stages(study, shown)
    rows, node_rate = _with_modeled_minutes(rows, shown, stages)
    figure, (by_fovs, by_time) = panels(2, height_in=2.3)
    for ax, x, unit in ((by_fovs, "fovs", "FOVs, all nodes"), (by_time, "minutes", None)):
        draw_baseline(ax, study.baseline(shown))
        _draw_arms(ax, rows, x, study.staged, stages)
        ax.set(xlabel=unit or "Modeled time (min)", ylim=score_limits(rows, 0.0), xlim=(0, None))
        ax.set_ylabel("F1")
    count_axis(by_fovs, "x")
    constant = shown[shown["run_id"].isin(study.best["run_id"])]
    handles = node_handles(node_colors(constant["nodes"])) if not constant.empty else []
    handles += [
        Line2D([], [], color=DARK, lw=MEAN_WIDTH, label="in stages"),
        Line2D([], [], color=GRAY, lw=0.6, label="end of a stage"),
    ]
    legend_below(figure, handles + line_handles(study, shown, raw=False))
    plans = sorted({_plan(stages[run_id]) for run_id in study.staged["run_id"] if run_id in stages})
    return Drawing(
        figure,
        f"{capitalized(study.score.words)} of runs in stages and of constant node counts, against"
        " FOVs and modeled time.",
        notes(
            f"Stages: {'; '.join(plans)}.",
            "Modeled time: FOVs of each stage over the throughput of its nodes, at"
            f" {node_rate} FOVs/s per node (one rank of these runs) and the published efficiency"
            f" ({ARXIV}).",
            describe_lines(shown),
            describe_emulated(shown),
            describe_score(study, shown),
            describe_runs(shown),
        ),
    )


def _stages(study: Study, shown: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`stage_table` of each run."""
    history = study.runs.history
    rows = history[history["run_id"].isin(shown["run_id"])]
    return {str(run_id): stage_table(run) for run_id, run in rows.groupby("run_id")}


def _plan(stages: pd.DataFrame) -> str:
    """``batch 4 to 8000 FOVs, 64 to 16000``."""
    return "batch " + ", ".join(
        f"{batch:g} to {fovs:g}{'' if number else ' FOVs'}"
        for number, (fovs, batch) in enumerate(stages.itertuples(index=False))
    )


def _with_modeled_minutes(
    rows: pd.DataFrame, shown: pd.DataFrame, stages: dict[str, pd.DataFrame]
) -> tuple[pd.DataFrame, str]:
    """The curves with a column `minutes`, and the throughput of a node assumed."""
    known = shown.dropna(subset=["fovs_per_second"])
    # Ranks of a run in stages may change, and with them what a rank does.
    constant = known[~is_staged(known)]
    known = known if constant.empty else constant
    if known.empty:
        raise NothingToDraw(f"no finished run recorded {THROUGHPUT}")
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


def _draw_arms(
    ax: Axes, rows: pd.DataFrame, x: str, staged: pd.DataFrame, stages: dict[str, pd.DataFrame]
) -> None:
    in_stages = rows["run_id"].isin(staged["run_id"])
    for nodes, group in groups(rows[~in_stages], "nodes"):
        emulated = bool(group["emulated"].iloc[0])
        draw_curve(ax, group, x, node_color(nodes), str(nodes), emulated, seeds=True)
    for plan, group in groups(rows[in_stages], STAGES):
        draw_curve(ax, group, x, DARK, str(plan), bool(group["emulated"].iloc[0]), seeds=True)
        one = group[group["run_id"] == group["run_id"].iloc[0]]
        for end in stages[one["run_id"].iloc[0]]["fovs"].iloc[:-1]:
            place = np.interp(end, one["fovs"].to_numpy(float), one[x].to_numpy(float))
            ax.axvline(float(place), color=GRAY, linewidth=0.6, zorder=0)
