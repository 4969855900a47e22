"""How many nodes reach a score, in a time, for a price.

    python -m analysis.predict --hours 4 --price 2.5 --budget 20
    python -m analysis.predict --f1 0.7,0.8 --hours 4 --experiment batch_size

Joins how many FOVs recorded runs needed to reach the score at several batch sizes with how
throughput grows with the nodes. Prints time and cost over node counts, what to choose, and what
it assumes. With several scores it also prints the best plan in stages.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import style
from rich.console import Console

from analysis.models.model_average import ThroughputModel, published_throughput
from analysis.models.predictor import Predictor, node_grid
from analysis.prediction.answer import answer, assumptions, prediction_table
from analysis.prediction.inputs import (
    TrainingCost,
    default_target,
    measured_throughput,
    throughput_of,
    training_cost,
)
from analysis.prediction.question import Question
from analysis.prediction.stages import best_stages, describe_stages, parse_stages, stages_option
from analysis.runs.runs import Runs
from analysis.runs.sources import add_source, read_source, source_files
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.limits.arguments import CommandParser, add_real, add_whole
from ffn_core.limits.ranges import MOST_NODES, SMALLEST, Range

COMMAND = "analysis.predict"
_TABLE, _CAPTIONS = "prediction.csv", "captions.md"
_FIGURES = ("prediction", "models")
_MOST_TARGETS = 3


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.predict", __doc__)
    positive = Range(at_least=SMALLEST, at_most=1e12)
    parser.add_argument(
        "--f1",
        type=_targets,
        metavar="F1[,F1...]",
        help="validation F1 to reach, of averaged weights, between 0 and 1; default: the highest "
        "that runs of half of the node counts reached",
    )
    add_real(parser, "--hours", positive, "training time allowed")
    add_real(parser, "--price", Range(at_least=0, at_most=1e12), "of one node-hour")
    parser.add_argument("--currency", default="", help="of the price, such as EUR")
    add_real(parser, "--budget", positive, "money allowed, in the currency of --price")
    parser.add_argument("--experiment", help="of the training runs; default: the only one there is")
    parser.add_argument(
        "--throughput",
        choices=("auto", "measured", "published"),
        default="auto",
        help="scaling of the store's runs on real nodes, or the published one to 1024 nodes; auto "
        "is measured, and published where that was not measured",
    )
    add_real(
        parser,
        "--node-fovs-per-second",
        positive,
        "throughput of one of your nodes: keeps the efficiency, replaces the speed",
    )
    counts = Range(at_least=1, at_most=MOST_NODES)
    add_whole(parser, "--most-nodes", counts, "largest count considered", default=2048)
    parser.add_argument(
        "--stages",
        metavar="NODES:FOVS,...",
        help="a plan that changes its nodes on the way: modeled time of each stage and in all",
    )
    parser.add_argument("--out", type=Path, help="directory for figures and prediction.csv")
    add_overwrite(parser)
    add_source(parser)
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, soft_wrap=True)
    try:
        _predict(arguments, console)
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _predict(arguments: argparse.Namespace, console: Console) -> None:
    question = _question(arguments)
    stages = parse_stages(arguments.stages) if arguments.stages else []
    outputs = _outputs(arguments)
    runs = read_source(arguments)
    targets = arguments.f1 or (default_target(runs, arguments.experiment),)
    costs = [training_cost(runs, arguments.experiment, target) for target in targets]
    throughput, lacking = _throughput(arguments, runs, costs[0])
    predictors = [Predictor(throughput, cost.fit, cost.local_batch_size) for cost in costs]
    tables = []
    for predictor, cost in zip(predictors, costs, strict=True):
        tables.append(predictor.table(node_grid(question.most_nodes)))
        console.print(prediction_table(tables[-1], cost, question))
        console.print("\n".join([*answer(predictor, cost, question), ""]))
    if len(costs) > 1:
        console.print("\n".join([*_plan(predictors, question), ""]))
    if stages:
        console.print("\n".join([*describe_stages(stages, throughput, question), ""]))
    console.print("Assumptions:")
    for line in dict.fromkeys(
        line for cost in costs for line in assumptions(throughput, cost, lacking)
    ):
        console.print(f"- {line}")
    if outputs is not None:
        with outputs.place(arguments.out / _TABLE) as path:
            parts = [t.assign(target=c.target) for t, c in zip(tables, costs, strict=True)]
            pd.concat(parts).to_csv(path, index=False, float_format="%.6g")
        _draw(arguments.out, predictors[-1], costs[-1], question, outputs)
        console.print(f"\nfigures, captions and table: {arguments.out}")


def _throughput(
    arguments: argparse.Namespace, runs: Runs, cost: TrainingCost
) -> tuple[ThroughputModel, str | None]:
    """FOVs/s against nodes, and what was lacking to measure it."""
    lacking = None
    if arguments.throughput == "published":
        throughput = published_throughput()
    elif arguments.throughput == "measured":
        throughput = measured_throughput(runs, cost.runs)
    else:
        throughput, lacking = throughput_of(runs, cost.runs)
    if arguments.node_fovs_per_second is not None:
        return throughput.with_node(arguments.node_fovs_per_second), None
    return throughput, lacking


def _plan(predictors: Sequence[Predictor], question: Question) -> list[str]:
    """The best plan in stages to the targets, in words."""
    stages = best_stages(predictors, question)
    if stages is None:
        return ["No plan in stages keeps the time and the budget."]
    return [
        "Best plan in stages, modeled: training on another node count is taken to lose nothing.",
        *describe_stages(stages, predictors[0].throughput, question),
        f"option of a training command: {stages_option(stages)}",
    ]


def _outputs(arguments: argparse.Namespace) -> Outputs | None:
    """What is written to ``--out``, checked before anything is computed; None without it."""
    if arguments.out is None:
        return None
    from analysis.figures.registry import figure_files

    figures = [file for name in _FIGURES for file in figure_files(arguments.out / name)]
    outputs = Outputs(COMMAND, source_files(arguments), arguments.overwrite)
    outputs.check([arguments.out / _TABLE, arguments.out / _CAPTIONS, *figures])
    return outputs


def _draw(
    out: Path, predictor: Predictor, cost: TrainingCost, question: Question, outputs: Outputs
) -> None:
    # Imported here: an answer on the terminal needs none of it.
    from analysis.figures.registry import captioned, save
    from analysis.figures.scaling_models import fitted_models
    from analysis.figures.style import STYLE
    from analysis.prediction.figure import prediction

    captions = []
    with style.context(STYLE):
        drawings = (prediction(predictor, cost, question), fitted_models(predictor.throughput))
        for name, drawing in zip(_FIGURES, drawings, strict=True):
            save(drawing.figure, out / name, outputs)
            captions.append(captioned(name, drawing))
    with outputs.place(out / _CAPTIONS) as path:
        path.write_text("\n".join(captions))


def _question(arguments: argparse.Namespace) -> Question:
    if arguments.out is not None and arguments.out.exists() and not arguments.out.is_dir():
        raise InputError(f"--out {arguments.out} is a file: name a directory")
    return Question(
        arguments.most_nodes,
        arguments.hours,
        arguments.price,
        arguments.currency,
        arguments.budget,
    )


def _targets(given: str) -> tuple[float, ...]:
    """Rising scores of ``0.7,0.8``."""
    allowed = Range(above=0, below=1)
    try:
        targets = sorted({float(word) for word in given.split(",")})
    except ValueError:
        targets = [math.nan]
    if not all(allowed.holds(target) for target in targets):
        raise argparse.ArgumentTypeError(f"{given} must be a number {allowed}, or several: 0.7,0.8")
    if len(targets) > _MOST_TARGETS:
        raise argparse.ArgumentTypeError(f"{given} are more than {_MOST_TARGETS} scores")
    return tuple(targets)


if __name__ == "__main__":
    sys.exit(main())
