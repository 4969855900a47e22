"""Set what the pilot of the study may set: best rates and the target score.

    python -m analysis.tuned --store sqlite:////absolute/mlflow.db
    python -m analysis.tuned --store sqlite:////absolute/mlflow.db --write

Prints the best rate of every node count and optimizer and the target score, from the recorded pilot
studies, and with --write puts them into conf/tuned/study.yaml. Nothing else of the study depends on
the pilot.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from analysis.claims.pilot import best_rates, grid_best, target
from analysis.models.rate_scans import FLAT, INSIDE
from analysis.runs.presets import CONF
from analysis.runs.sources import load_studies
from analysis.verdicts.plan import PRIMARY
from analysis.verdicts.scored_runs import Studies, ended, scored_points
from ffn_core.command import command
from ffn_core.errors import InputError, in_one_line
from ffn_core.files import whole_file
from ffn_core.limits.arguments import CommandParser

RATES: Final = "tune_rates"
OPTIMIZERS: Final = "tune_optimizers"
GATE: Final = "fib25_gate"
FILE: Final = CONF / "tuned" / "study.yaml"


def tuned(studies: Studies) -> tuple[dict[str, float], list[str]]:
    """Values that the pilot sets, by name, from the studies that are there; and doubts about them.

    A best rate that does not lie inside the grid is replaced by the best rate of the grid.
    """
    values: dict[str, float] = {}
    doubts: list[str] = []
    rates = scored_points(studies, RATES)
    others = scored_points(studies, OPTIMIZERS)
    for prefix, points in [("rate", rates), *others.groupby("optimizer")]:
        table = best_rates(points)
        for nodes, best, status in zip(
            table["nodes"], table["lr_peak"], table["status"], strict=True
        ):
            name, rate = f"{prefix}_{nodes}", float(best)
            if status != INSIDE:
                doubts.append(f"{name}: {status}")
            if status not in (INSIDE, FLAT) or math.isnan(rate):
                of_grid = grid_best(points[points["nodes"] == nodes])
                if of_grid is None:
                    continue
                doubts[-1] += "; the best of the grid is taken"
                rate = of_grid
            values[name] = rate
    if "rate_1" in values:
        values["low_base"] = values["rate_1"] / 4
    gate = scored_points(studies, GATE)
    if len(gate):
        values["fib25_base"] = float(gate.sort_values("score")["lr_base"].iloc[-1])
    if len(rates):
        chosen = target(*best_courses(studies, rates), float(rates["baseline"].max()))
        if chosen is None:
            doubts.append("target: no score above calling every voxel object is reached by all")
        else:
            values["target"] = chosen
    return values, doubts


def best_courses(studies: Studies, rates: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Highest scores by half the budget and by its end, at the best grid rate of each node count.

    Both by run_id.
    """
    best = {nodes: grid_best(group) for nodes, group in rates.groupby("nodes")}
    kept = rates[rates["lr_peak"] == rates["nodes"].map(best)]
    history = ended(studies[RATES]).history
    rows = history[(history["metric"] == PRIMARY) & history["run_id"].isin(kept["run_id"])]
    last = rows["run_id"].map(rows.groupby("run_id")["fovs"].max())
    first_half = rows[rows["fovs"] <= last / 2]
    half_way, at_all = (part.groupby("run_id")["value"].max() for part in (first_half, rows))
    return half_way, at_all


def with_values(text: str, values: Mapping[str, float]) -> str:
    """The file with some values set, its comments kept."""
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^{name}: [^ #\n]+", f"{name}: {value:.4g}", text)
        if count != 1:
            raise InputError(f"{FILE} has no line {name}: ...")
    return text


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = CommandParser("analysis.tuned", __doc__)
    parser.add_argument("--store", required=True, help="MLflow tracking URI or recorded studies")
    parser.add_argument("--write", action="store_true", help=f"into {FILE.relative_to(CONF)}")
    parser.add_argument("--file", type=Path, default=FILE, help="the file to write")
    arguments = parser.parse_args(argv)
    try:
        values, doubts = tuned(load_studies(arguments.store))
        if not values:
            raise InputError(f"no finished point of {RATES}, {OPTIMIZERS} or {GATE} in the store")
        if arguments.write:
            text = with_values(arguments.file.read_text(), values)
            with whole_file(arguments.file) as partial:
                partial.write_text(text)
    except (InputError, OSError) as error:
        print(f"error: {in_one_line(error)}", file=sys.stderr)
        return 2
    for name, value in values.items():
        print(f"{name}: {value:.4g}")
    for doubt in doubts:
        print(f"note: {doubt}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
