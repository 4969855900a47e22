"""How many nodes for a score in a time: `python -m analysis.predict --f1 0.8 --hours 4`.

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
from ffn_core.errors import InputError
from ffn_core.outputs import Outputs, add_overwrite

COMMAND = "analysis.predict"
_TABLE, _CAPTIONS = "prediction.csv", "captions.md"
_FIGURES = ("prediction", "models")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.predict", description=__doc__)
    parser.add_argument(
        "--f1",
        type=float,
        required=True,
        help="validation F1 to reach (averaged weights)",
    )
    parser.add_argument("--hours", type=float, required=True, help="training time allowed")
    parser.add_argument("--price", type=float, help="of one node-hour, in any currency")
    parser.add_argument("--experiment", help="of the training runs; default: the only one there is")
    parser.add_argument(
        "--throughput",
        choices=("measured", "published"),
        default="measured",
        help="scaling of the store's runs on real nodes, or the published one to 1024 nodes",
    )
    parser.add_argument(
        "--node-fovs-per-second",
        type=float,
        help="throughput of one of your nodes: keeps the efficiency, replaces the speed",
    )
    parser.add_argument("--most-nodes", type=int, default=2048, help="largest count considered")
    parser.add_argument(
        "--stages",
        metavar="NODES:FOVS,...",
        help="a plan that changes its nodes on the way: modeled time of each stage and in all",
    )
    parser.add_argument("--out", type=Path, help="directory for figures and prediction.csv")
    add_overwrite(parser)
    add_source(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = _arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, soft_wrap=True)
    try:
        _predict(arguments, console)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
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
    if not 0 < arguments.f1 < 1:
        raise InputError(f"--f1 {arguments.f1:g} must lie between 0 and 1")
    for option in ("hours", "node_fovs_per_second"):
        value = getattr(arguments, option)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"--{option.replace('_', '-')} {value:g} must be above 0")
    if arguments.price is not None and not 0 <= arguments.price < float("inf"):
        raise InputError(f"--price {arguments.price:g} must not be negative")
    if not 1 <= arguments.most_nodes <= 2**20:
        raise InputError(f"--most-nodes {arguments.most_nodes} must lie between 1 and {2**20}")
    if arguments.out is not None and arguments.out.exists() and not arguments.out.is_dir():
        raise InputError(f"--out {arguments.out} is a file: name a directory")
    return Question(arguments.f1, arguments.hours, arguments.price, arguments.most_nodes)


if __name__ == "__main__":
    sys.exit(main())
