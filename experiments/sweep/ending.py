"""What a person reads when a run or a sweep has ended: its table, its best run, what to do next.

Pure, but for `where_to_look`, which asks the store.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from experiments.reporting.mlflow_store import StoreError
from experiments.reporting.mlflow_view import address_of, charts_page, table_page
from experiments.reporting.point_summary import score_line
from experiments.reporting.store_calls import StoreCalls
from experiments.sweep.parent import POINTS, SHOWN, PointResult, best_first
from ffn_core import metric_names as names

MOST_ROWS: Final = 30
"""Of more points, the best; all are in a file."""

_NODE_COUNTS: Final = 3
"""Node counts with a score from which on a prediction over node counts is suggested."""


def results_table(
    points: Sequence[PointResult], reasons: Mapping[Path, str]
) -> tuple[str, list[str], list[list[str]]]:
    """Title, columns and rows of the points of a command, best first.

    Args:
        points: all of them.
        reasons: why some did not finish, by run directory.
    """
    ordered = best_first(points)
    counts = Counter(point.outcome for point in points)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    title = f"{len(points)} point{'s' if len(points) != 1 else ''}: {outcomes}"
    if len(ordered) > MOST_ROWS:
        title += f"; the best {MOST_ROWS}, all are in {POINTS}"
    columns = [tag for tag in SHOWN if any(tag in point.shown for point in ordered)]
    said = [reasons.get(point.run_dir, "") for point in ordered]
    rows = [[point.name, *(point.shown.get(tag, "-") for tag in columns)] for point in ordered]
    heads = ["point", *columns]
    if any(said):
        heads.append("reason")
        rows = [[*row, why] for row, why in zip(rows, said, strict=True)]
    return title, heads, rows[:MOST_ROWS]


def best_point(points: Sequence[PointResult]) -> PointResult | None:
    """The point with the best final score; None where no point has one."""
    ordered = best_first(points)
    return ordered[0] if ordered and ordered[0].score else None


def best_line(best: PointResult) -> str:
    """The best point and its score."""
    return f"best: {best.name} ({score_line(dict(best.score or {}))})"


def where_to_look(folder: Path, experiment: str, calls: StoreCalls) -> list[str]:
    """Where the runs lie, and how they are looked at in a browser, as far as the store answers.

    Args:
        folder: of the run directories.
        experiment: of MLflow that they are part of.
        calls: to the store.
    """
    lines = [f"runs: {folder}"]
    if calls.does_not_answer:
        return lines
    try:
        study = calls.call(lambda store: store.experiment_id(experiment))
    except StoreError:
        return lines
    command, address = address_of(calls.uri)
    if command:
        lines.append(f"compare them: {command}, then open")
    lines.append(f"  table:  {address}{table_page(study)}")
    return [*lines, f"  charts: {address}{charts_page(study)}"]


def next_commands(
    points: Sequence[PointResult], experiment: str, here: Path, store: str | None = None
) -> list[str]:
    """Commands that make sense now: segment with the best network, predict over node counts.

    Args:
        points: of the command.
        experiment: of MLflow that they are part of.
        here: the working directory.
        store: MLflow store, where it is not the one that commands read by default.
    """
    best, found = best_point(points), []
    if best is None:
        return []
    if best.params.get(_DATA_KIND) != "dummy" and _holds_out(best.params):
        folder = best.run_dir.relative_to(here) if best.run_dir.is_relative_to(here) else None
        checkpoint = f"checkpoint={folder or best.run_dir}"
        found.append(shlex.join(["python", "-m", "experiments.segment", checkpoint]))
    f1 = _reached(points)
    if f1 is not None:
        command = ["python", "-m", "analysis.predict", "--f1", f"{f1:g}", "--hours", "4"]
        command += ["--experiment", experiment]
        real = {p.params.get(names.NODES) for p in points if p.shown.get(_MACHINE) == "real"}
        command += [] if len(real) >= _NODE_COUNTS else ["--throughput", "published"]
        command += ["--store", store] if store else []
        found.append(shlex.join(command))
    return found


def _holds_out(params: Mapping[str, Any]) -> bool:
    """Whether a run with these parameters left data for validation, which it can segment."""
    given = (str(params.get(name) or "").strip("[]() ") for name in _HELD_OUT_VOLUMES)
    return any(given) or float(params.get(_HELD_OUT, 1)) != 0


_HELD_OUT_VOLUMES: Final = ("validation.synthetic_seeds", "validation.volumes")
_DATA_KIND: Final = "data.kind"
_HELD_OUT: Final = "validation.fraction"
_MACHINE: Final = names.SHOWN_MACHINE


def _reached(points: Sequence[PointResult]) -> float | None:
    """The highest multiple of 0.05 that three node counts have reached; None without three."""
    best: dict[str, float] = {}
    for point in points:
        if point.score and point.score["name"] in (names.AVERAGED_F1, names.VALIDATION_F1):
            nodes = str(point.params.get(names.NODES))
            best[nodes] = max(best.get(nodes, 0.0), point.score[names.SCORE_BEST])
    if len(best) < _NODE_COUNTS:
        return None
    third = sorted(best.values(), reverse=True)[_NODE_COUNTS - 1]
    return math.floor(third * 20 + 1e-9) / 20 or None
