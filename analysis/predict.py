"""Predict how many nodes reach a score in a given time.

    python -m analysis.predict --f1 0.8 --hours 4 --experiment batch_size
    python -m analysis.predict --f1 0.5 --hours 4 --throughput published

Joins how many FOVs recorded runs needed to reach the score at several batch sizes with how
throughput grows with the nodes, prints time and cost over node counts and the answer, and says
what it assumes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib import style
from rich.console import Console

from analysis.models.model_average import published_throughput
from analysis.models.predictor import Predictor, node_grid
from analysis.prediction.answer import Question, answer, assumptions, prediction_table
from analysis.prediction.inputs import TrainingCost, measured_throughput, training_cost
from analysis.prediction.stages import describe_stages, parse_stages
from analysis.runs.sources import add_source, read_source, source_files
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files.outputs import Outputs, add_overwrite
from ffn_core.limits.arguments import CommandParser, add_real, add_whole
from ffn_core.limits.ranges import MOST_NODES, SMALLEST, Range

COMMAND = "analysis.predict"
_TABLE, _CAPTIONS = "prediction.csv", "captions.md"
_FIGURES = ("prediction", "models")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("analysis.predict", __doc__)
    positive = Range(at_least=SMALLEST, at_most=1e12)
    add_real(
        parser,
        "--f1",
        Range(above=0, below=1),
        "validation F1 to reach, of averaged weights",
        required=True,
    )
    add_real(parser, "--hours", positive, "training time allowed", required=True)
    prices = Range(at_least=0, at_most=1e12)
    add_real(parser, "--price", prices, "of one node-hour, in any currency")
    parser.add_argument("--experiment", help="of the training runs; default: the only one there is")
    parser.add_argument(
        "--throughput",
        choices=("measured", "published"),
        default="measured",
        help="scaling of the store's runs on real nodes, or the published one to 1024 nodes",
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
    cost = training_cost(runs, arguments.experiment, question.f1)
    if arguments.throughput == "published":
        throughput = published_throughput()
    else:
        throughput = measured_throughput(runs, cost.runs)
    if arguments.node_fovs_per_second is not None:
        throughput = throughput.with_node(arguments.node_fovs_per_second)
    predictor = Predictor(throughput, cost.fit, cost.local_batch_size)
    table = predictor.table(node_grid(question.most_nodes))
    console.print(prediction_table(table, cost, question))
    for line in answer(predictor, cost, question):
        console.print(line)
    for line in describe_stages(stages, throughput) if stages else ():
        console.print(line)
    console.print("\nAssumptions:")
    for line in assumptions(throughput, cost):
        console.print(f"- {line}")
    if outputs is not None:
        with outputs.place(arguments.out / _TABLE) as path:
            table.to_csv(path, index=False, float_format="%.6g")
        _draw(arguments.out, predictor, cost, question, outputs)
        console.print(f"\nfigures, captions and table: {arguments.out}")


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
    return Question(arguments.f1, arguments.hours, arguments.price, arguments.most_nodes)


if __name__ == "__main__":
    sys.exit(main())
