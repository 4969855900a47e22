"""Every figure by name, and drawing those that a study supports.

The only module that saves pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from rich.console import Console

from analysis.figures.cost_to_target import cost_to_target, growing_batch
from analysis.figures.learning_rate import learning_rate, learning_rate_laws
from analysis.figures.scaling_models import models
from analysis.figures.segmentation import evaluation, segmentations
from analysis.figures.step_time import phase_breakdown, stragglers
from analysis.figures.style import Drawing, styles
from analysis.figures.throughput import efficiency, throughput
from analysis.figures.time_vs_cost import time_against_cost
from analysis.figures.training import (
    noise_scale,
    recipes_against_fovs,
    scores_against_fovs,
    scores_against_time,
    training_curve,
)
from analysis.reference.published import ARXIV
from analysis.runs.runs import Runs
from analysis.runs.scanned_rates import best_table, laws_table, own_scans, published_scan
from analysis.runs.score import targets_above
from analysis.runs.study import NothingToDraw, Study
from analysis.runs.summary import REPORT_COLUMNS, summary_table
from analysis.stats.targets import targets_table
from analysis.svg_font import with_font
from ffn_core.files.outputs import Outputs
from ffn_core.metric_names import (
    ASSIGNED_ARE,
    ASSIGNED_VOI_MERGE,
    ASSIGNED_VOI_SPLIT,
    AVERAGED,
    BASELINE_F1,
    COUPLING_EFFICIENCY,
    NOISE_SCALE,
    PHASES,
    SCORE_FINAL,
    SEGMENTATION_COVERAGE,
    SLOWEST_RANK,
    STEP,
    THROUGHPUT,
    VALIDATION,
    time_metric,
)

# File name -> what draws it, in the order of the captions.
FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "throughput": throughput,
    "parallel_efficiency": efficiency,
    "models": models,
    "phase_breakdown": phase_breakdown,
    "stragglers": stragglers,
    "training_curve": training_curve,
    "scores_vs_time": scores_against_time,
    "scores_vs_fovs": scores_against_fovs,
    "recipes_vs_fovs": recipes_against_fovs,
    "learning_rate": learning_rate,
    "learning_rate_laws": learning_rate_laws,
    "cost_to_target": cost_to_target,
    "time_vs_cost": time_against_cost,
    "growing_batch": growing_batch,
    "noise_scale": noise_scale,
    "evaluation": evaluation,
    "segmentations": segmentations,
}


METRICS = frozenset(
    {
        *(f"{kind}/{name}" for kind in (VALIDATION, AVERAGED) for name in ("f1", "accuracy")),
        *(time_metric(phase) for phase in (STEP, *PHASES)),
        BASELINE_F1,
        SCORE_FINAL,
        SLOWEST_RANK,
        THROUGHPUT,
        COUPLING_EFFICIENCY,
        NOISE_SCALE,
        ASSIGNED_ARE,
        ASSIGNED_VOI_MERGE,
        ASSIGNED_VOI_SPLIT,
        SEGMENTATION_COVERAGE,
    }
)
"""All that figures, tables and summary are drawn from."""

COMMAND = "analysis.figures"
SUMMARY, TARGETS, CAPTIONS = "summary.csv", "targets.csv", "captions.md"
LAWS, BEST_RATES = "learning_rate_laws.csv", "best_learning_rates.csv"
_SUFFIXES = (".png", ".svg", ".pdf")
# No date in the file: the same data give the same bytes.
_METADATA = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def draw_study(
    runs: Runs,
    experiment: str,
    out: Path,
    console: Console,
    outputs: Outputs | None = None,
    baseline_nodes: int | None = None,
    width: str = "page",
) -> list[str]:
    """Draw every figure one experiment supports into `out` and print its summary.

    Args:
        runs: of the experiment.
        experiment: its name.
        out: folder of the figures.
        console: where to print.
        outputs: how to write them; by default nothing that is there is replaced.
        baseline_nodes: node count that scaling is relative to; by default the smallest of each
            curve.
        width: one of `analysis.figures.style.WIDTHS_IN`.

    Returns:
        The names of the figures drawn.

    Raises:
        InputError: a file that may not be replaced is in the way.
    """
    outputs = outputs or Outputs(COMMAND)
    study = Study(experiment, runs, baseline_nodes)
    console.print(summary_table(study.summary, experiment))
    report = study.summary.reindex(columns=list(REPORT_COLUMNS))
    with outputs.place(out / SUMMARY) as path:
        report.to_csv(path, index=False, float_format="%.6g")
    wanted = targets_above(study.baseline(study.summary))
    targets = targets_table(runs, study.score.f1, wanted, rising=True)
    targets = targets.merge(report[["run_id", "name"]], on="run_id")
    with outputs.place(out / TARGETS) as path:
        targets.to_csv(path, index=False, float_format="%.6g", na_rep="not reached")
    _write_laws(study, out, outputs, console)
    source = f"Published values: {ARXIV}, digitized (`analysis/reference`).\n"
    captions, drawn = [f"# Figures of `{experiment}`\n", _left_out(study.summary), source], []
    for name, chart in FIGURES.items():
        try:
            with style.context(styles(width)):
                drawing = chart(study)
                save(drawing.figure, out / name, outputs)
        except NothingToDraw as reason:
            console.print(f"not drawn: {name}: {reason}", highlight=False, soft_wrap=True)
            captions.append(f"## {name}\n\nNot drawn: {reason}.\n")
            # One of an earlier call must not stand beside captions that say it was not drawn.
            for file in figure_files(out / name):
                outputs.remove(file)
            continue
        captions.append(captioned(name, drawing))
        drawn.append(name)
    with outputs.place(out / CAPTIONS) as path:
        path.write_text("\n".join(captions))
    console.print(f"drawn: {', '.join(drawn) or 'nothing'}", highlight=False, soft_wrap=True)
    console.print(f"figures, captions and summary: {out}", highlight=False, soft_wrap=True)
    return drawn


def _write_laws(study: Study, out: Path, outputs: Outputs, console: Console) -> None:
    """Write the laws of the best learning rate where there is a scan, and print the likeliest."""
    try:
        ours = own_scans(study)
    except NothingToDraw:
        # Tables of an earlier call must not stand beside figures of other runs.
        for name in (LAWS, BEST_RATES):
            outputs.remove(out / name)
        return
    scans = [*ours, published_scan(), published_scan(bounds=True)]
    for name, table in ((LAWS, laws_table(scans)), (BEST_RATES, best_table(scans))):
        with outputs.place(out / name) as path:
            table.to_csv(path, index=False, float_format="%.6g", na_rep="not known")
    for scan in scans:
        console.print(
            f"learning-rate law of lowest AICc, {scan.finding()}", highlight=False, soft_wrap=True
        )


def _left_out(summary: pd.DataFrame) -> str:
    counts = summary["status"].value_counts()
    others = ", ".join(f"{n} {status}" for status, n in counts.items() if status != "FINISHED")
    return (
        f"Points recorded: {len(summary)}, finished: {int(counts.get('FINISHED', 0))}; "
        f"{f'left out of every figure: {others}' if others else 'none left out'}.\n"
    )


def captioned(name: str, drawing: Drawing) -> str:
    """A figure with its caption and details, in Markdown."""
    details = "".join(f"- {detail}\n" for detail in drawing.details)
    return f"## {name}\n\n![{name}]({name}.png)\n\n{drawing.caption}\n\n{details}"


def save(figure: Figure, path: Path, outputs: Outputs) -> None:
    """Write a figure as PNG, SVG and PDF beside each other; `path` has no suffix.

    In SVG and PDF text is text, and its font is in the file.
    """
    # Arranged once, for all three alike: it takes longer than drawing.
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # with "none", each format would be drawn twice
    for target in figure_files(path):
        with outputs.place(target) as partial:
            figure.savefig(partial, metadata=_METADATA.get(target.suffix))
            if target.suffix == ".svg":
                partial.write_text(with_font(partial.read_text()))


def figure_files(path: Path) -> list[Path]:
    """The files that `save` writes."""
    return [path.with_suffix(suffix) for suffix in _SUFFIXES]


def study_files(out: Path) -> list[Path]:
    """All that `draw_study` may write to `out`."""
    figures = [file for name in FIGURES for file in figure_files(out / name)]
    tables = [out / name for name in (SUMMARY, TARGETS, CAPTIONS, LAWS, BEST_RATES)]
    return [*tables, *figures]
