"""The figures of a study: `python -m analysis.figures --out DIR [--experiment NAME]`.

Reads an MLflow store, draws what the runs support, and writes each figure as PNG and SVG with
`captions.md`, `summary.csv` and `targets.csv`. The only module that saves pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from rich.console import Console

from analysis.charts.batch_size import cost_to_target
from analysis.charts.drawing import STYLE, Drawing
from analysis.charts.evaluation import evaluation
from analysis.charts.learning_rate import learning_rate
from analysis.charts.models import models
from analysis.charts.noise import noise_scale
from analysis.charts.recipes import recipes_against_fovs
from analysis.charts.scaling import efficiency, phase_breakdown, throughput
from analysis.charts.segmentations import segmentations
from analysis.charts.stragglers import stragglers
from analysis.charts.tradeoff import time_against_cost
from analysis.charts.training import scores_against_fovs, scores_against_time
from analysis.charts.training_curve import training_curve
from analysis.runs.runs import Runs
from analysis.runs.sources import add_source, read_source
from analysis.runs.study import Material, NothingToDraw
from analysis.runs.summary import REPORT_COLUMNS, summary_table
from analysis.stats.targets import targets_table
from ffn_core.errors import InputError

# File name -> what draws it, in the order of the captions.
FIGURES: dict[str, Callable[[Material], Drawing]] = {
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
    "cost_to_target": cost_to_target,
    "time_vs_cost": time_against_cost,
    "noise_scale": noise_scale,
    "evaluation": evaluation,
    "segmentations": segmentations,
}


def draw_study(runs: Runs, experiment: str, out: Path, console: Console) -> list[str]:
    """Draws every figure one experiment supports into `out` and prints its summary.

    Returns:
        The names of the figures drawn.
    """
    material = Material(experiment, runs)
    out.mkdir(parents=True, exist_ok=True)
    console.print(summary_table(material.summary, experiment))
    report = material.summary.reindex(columns=list(REPORT_COLUMNS))
    report.to_csv(out / "summary.csv", index=False, float_format="%.6g")
    targets = targets_table(runs).merge(report[["run_id", "name"]], on="run_id")
    targets.to_csv(out / "targets.csv", index=False, float_format="%.6g", na_rep="not reached")
    captions, drawn = [f"# Figures of `{experiment}`\n", _left_out(material.summary)], []
    for name, chart in FIGURES.items():
        try:
            with style.context(STYLE):
                drawing = chart(material)
                save(drawing.figure, out / name)
        except NothingToDraw as reason:
            console.print(f"not drawn: {name}: {reason}", highlight=False, soft_wrap=True)
            captions.append(f"## {name}\n\nNot drawn: {reason}.\n")
            _remove_stale(out / name)
            continue
        captions.append(f"## {name}\n\n![{name}]({name}.png)\n\n{drawing.caption}\n")
        drawn.append(name)
    (out / "captions.md").write_text("\n".join(captions))
    console.print(f"drawn: {', '.join(drawn) or 'nothing'}", highlight=False, soft_wrap=True)
    console.print(f"figures, captions and summary: {out}", highlight=False, soft_wrap=True)
    return drawn


def _left_out(summary: pd.DataFrame) -> str:
    counts = summary["status"].value_counts()
    others = ", ".join(f"{n} {status}" for status, n in counts.items() if status != "FINISHED")
    return (
        f"Points recorded: {len(summary)}, finished: {int(counts.get('FINISHED', 0))}; "
        f"{f'left out of every figure: {others}' if others else 'none left out'}.\n"
    )


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG and SVG beside each other; `path` has no suffix."""
    figure.savefig(path.with_suffix(".png"))
    # No date in the file: the same data give the same bytes.
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def _remove_stale(path: Path) -> None:
    """A figure of an earlier call must not stand beside captions that say it was not drawn."""
    for suffix in (".png", ".svg"):
        path.with_suffix(suffix).unlink(missing_ok=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.figures", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory for the figures")
    parser.add_argument("--experiment", help="preset name; default: every experiment with points")
    add_source(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code. Several experiments get a subdirectory each."""
    arguments = _arguments(argv)
    # A table that goes to a file is not cut to the width of a terminal that is not there.
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        if arguments.out.exists() and not arguments.out.is_dir():
            raise InputError(f"--out {arguments.out} is a file: name a directory")
        runs = read_source(arguments, arguments.experiment)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    names = runs.experiments()
    for name in names:
        out = arguments.out if len(names) == 1 else arguments.out / name
        draw_study(runs.select(runs.table["experiment"] == name), name, out, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
