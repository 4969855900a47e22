"""The MLflow run of a sweep, of which its points are children: what it shows of them."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from experiments.config.naming import varying_parameters
from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store, StoreError
from experiments.reporting.mlflow_view import charts_page, experiment_tags, run_page, table_page
from experiments.reporting.point_summary import results_shown, settings_shown
from experiments.reporting.records import Record
from experiments.reporting.redaction import redacted_text
from experiments.reporting.run_files import RunDirectory
from experiments.reporting.store_calls import Call, StoreCalls
from experiments.sweep.outcome import Outcome, all_records
from ffn_core import metric_names as names

POINTS: Final = "points.csv"
REPORT: Final = "report.html"

START_PATIENCE_S = 2.0
"""How long the first point of a sweep waits for a server to make the run of the sweep."""

_DONE: Final = ("finished", "diverged")
_FOLLOWS: Final = ("cluster.", *(f"{section}." for section in names.RUN_LOCAL))
"""Parameters that say where a point ran, or follow from others; nodes and batch excepted."""

_REMEDY: Final = "remove it: in MLflow this sweep becomes another one"
_IN_NOTE: Final = 20
SHOWN: Final = (
    *(names.SHOWN_FINAL, names.SHOWN_BEST, names.SHOWN_THROUGHPUT),
    *(names.SHOWN_EFFICIENCY, names.SHOWN_OUTCOME),
)
"""Tags that tables of a sweep show of its points."""


@dataclass(frozen=True)
class PointResult:
    """What came of a point, as its directory says.

    Attributes:
        name: what it is called in the sweep.
        params: its flat parameters; none of one that was never started.
        outcome: ``finished``, ``diverged``, ``failed``, ...
        score: `ScoreHistory.summary` where it came to its end.
        fovs: FOVs it has processed, over all nodes.
        shown: the tags that MLflow's table shows of it.
        unix_s: when its last record was made; 0 without one.
        run_dir: its directory.
    """

    name: str
    params: Mapping[str, Any]
    outcome: str
    score: Mapping[str, Any] | None
    fovs: int
    shown: Mapping[str, str]
    unix_s: float = 0.0
    run_dir: Path = Path()


def point_result(outcome: Outcome) -> PointResult:
    """Read a point of a sweep that has ended, in whatever way."""
    run = RunDirectory(outcome.run_dir)
    identity, result = run.identity(), run.result()
    params, tags = identity.get("params", {}), identity.get("tags", {})
    records, score = all_records(run), result.get("score")
    ended = result.get("outcome", outcome.outcome)
    shown = settings_shown(params, tags.get(names.EMULATED) == "true")
    shown |= results_shown(ended, score, records)
    fovs, unix_s = (records[-1].fovs, records[-1].unix_s) if records else (0, 0.0)
    name = identity.get("name", outcome.name)
    return PointResult(name, params, ended, score, fovs, shown, unix_s, outcome.run_dir)


def best_first(points: Sequence[PointResult]) -> list[PointResult]:
    """Points by their final score, those without one last."""
    falling = any(p.score["name"].endswith(names.LOSS) for p in points if p.score)
    sign = 1 if falling else -1

    def key(point: PointResult) -> tuple[bool, float]:
        return point.score is None, sign * point.score[names.SCORE_FINAL] if point.score else 0.0

    return sorted(points, key=key)


def sweep_metrics(points: Sequence[PointResult]) -> Record:
    """Metrics of the sweep's run: best score, points done and failed, FOVs in all.

    As old as the newest record of a point: sent again, they are the same.
    """
    fovs = sum(point.fovs for point in points)
    metrics = {
        names.SWEEP_POINTS: float(len(points)),
        names.SWEEP_DONE: float(sum(point.outcome in _DONE for point in points)),
        names.SWEEP_FAILED: float(sum(point.outcome in ("failed", "input") for point in points)),
        names.SWEEP_FOVS: float(fovs),
    }
    ordered = best_first(points)
    if ordered and (best := ordered[0].score):
        metrics[names.SWEEP_BEST] = best[names.SCORE_FINAL]
    newest = max((point.unix_s for point in points), default=0.0)
    return Record(0, 0, 0.0, newest or time.time(), metrics)


def what_varies(params: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The values of each parameter that varies over points, as text, in the order they came in."""
    started = [one for one in params if one]
    kept = (names.NODES, names.LOCAL_BATCH_SIZE)
    return {
        key: ", ".join(dict.fromkeys(str(one.get(key)) for one in started))
        for key in varying_parameters(started)
        if key in kept or (key != names.RATE_PEAK and not key.startswith(_FOLLOWS))
    }


def write_points(points: Sequence[PointResult], path: Path) -> None:
    """Write a CSV file with a row for each point, best first."""
    columns = list(dict.fromkeys(tag for point in points for tag in point.shown))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["point", *columns, "fovs"])
        for point in best_first(points):
            writer.writerow(
                [point.name, *(point.shown.get(tag, "") for tag in columns), point.fovs]
            )


def sweep_note(
    question: str,
    command: str,
    points: Sequence[PointResult] = (),
    varying: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> str:
    """Description of the sweep's run, in Markdown.

    Args:
        question: what the sweep is to answer; may be empty.
        command: what the user typed, without secrets.
        points: its results, once there are some.
        varying: parameters that differ among them, with their values.
        links: title and path of the pages that show more.
    """
    asked, _, more = question.partition("\n\n")  # what a page shows of it unfolded is short
    said = [asked]
    if links:
        said.append(" · ".join(f"[{title}]({path})" for title, path in links.items()))
    if varying:
        said.append("What varies: " + "; ".join(f"`{k}` {v}" for k, v in varying.items()) + ".")
    if points:
        said.append(_markdown(best_first(points)))
    return "\n\n".join(filter(None, [*said, f"```\n{command}\n```", more]))


def _markdown(points: Sequence[PointResult]) -> str:
    columns = [tag for tag in SHOWN if any(tag in point.shown for point in points)]
    lines = [f"| point | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for point in points[:_IN_NOTE]:
        cells = " | ".join(point.shown.get(tag, "-") for tag in columns)
        lines.append(f"| {point.name} | {cells} |")
    if len(points) > _IN_NOTE:
        lines.append(f"\n{len(points) - _IN_NOTE} more in `{POINTS}` among the artifacts.")
    return "\n".join(lines)


class SweepRun:
    """A sweep's run in a store, found again by the command line that made it.

    What calls the store takes it, and may raise `StoreError`; a server is to be called by
    `StoreCalls`.
    """

    def __init__(
        self, store: Store, experiment: str, folder: Path, key: str, title: str, note: str
    ) -> None:
        """Find the run, or start it.

        Args:
            store: the store.
            experiment: its name there.
            folder: of the study's run directories.
            key: what tells one command line from another.
            title: the preset, to which the date is added for a name.
            note: description of a new one.
        """
        self.folder = folder
        self.experiment_id = store.experiment_id(experiment)
        link = folder / f"sweep-{key}.json"
        known = run_files.read_json(link, _REMEDY) or {}
        uri = redacted_text(store.uri)
        run_id = str(known.get("run_id"))
        if known.get("uri") == uri and store.has_run(run_id):
            store.set_status(run_id, "RUNNING")
        else:
            name = self._new_name(title)
            tags = {names.KIND: names.SWEEP, names.NOTE: note}
            run_id = store.start_run(experiment, name, tags)
            folder.mkdir(parents=True, exist_ok=True)
            run_files.write_json(link, {"uri": uri, "run_id": run_id, "name": name})
        self.run_id = run_id

    def _new_name(self, title: str) -> str:
        """The title and the date, to the second only where another sweep has that of the minute."""
        links = [
            run_files.read_json(path, _REMEDY) or {} for path in self.folder.glob("sweep-*.json")
        ]
        now = datetime.now()
        name = f"{title} {now:%Y-%m-%d %H:%M}"
        return f"{name}:{now:%S}" if name in {link.get("name") for link in links} else name

    def links(self, report: bool) -> dict[str, str]:
        """Title and path of the pages of the sweep and its study, below the address of the UI."""
        own = {"sweep": run_page(self.experiment_id, self.run_id)}
        if report:
            own["report"] = run_page(self.experiment_id, self.run_id, REPORT)
        study = self.experiment_id
        return {"points": table_page(study), "charts": charts_page(study)} | own

    def open_study(
        self,
        store: Store,
        params: Sequence[Mapping[str, Any]],
        run_names: Sequence[str],
        score: str,
        note: str,
    ) -> None:
        """Set up the view of the study for the points of the sweep.

        Args:
            store: the store.
            params: flat parameters of the points.
            run_names: what they are called.
            score: metric they are judged by.
            note: description of the experiment.
        """
        longest = max(map(len, run_names), default=0)
        tags = experiment_tags(list(what_varies(params)), len(params), longest, score, note)
        store.describe_experiment(self.experiment_id, tags)

    def show(
        self,
        store: Store,
        points: Sequence[PointResult],
        question: str,
        command: str,
        report: bool,
    ) -> None:
        """Show what came of the points: parameters, metrics, table and description."""
        varying = what_varies([point.params for point in points])
        store.log_params(self.run_id, varying)
        store.log_records(self.run_id, [sweep_metrics(points)])
        table = self.folder / POINTS
        write_points(points, table)
        store.log_artifact(self.run_id, table)
        links = {title: path.removeprefix("/") for title, path in self.links(report).items()}
        note = sweep_note(question, command, points, varying, links)
        store.describe_run(self.run_id, note)


class LateRun:
    """The sweep's run, which a server may make late or never.

    Attributes:
        run: the run; None while it is not there.
    """

    def __init__(self, warn: Callable[[Exception], object]) -> None:
        """Nothing is called yet; ``warn`` is called for a store that refuses or does not answer."""
        self.run: SweepRun | None = None
        self._warn = warn
        self._starting: tuple[StoreCalls, Call[SweepRun]] | None = None
        self._started = False

    def start(self, calls: StoreCalls, make: Callable[[Store], SweepRun]) -> None:
        """Have the run made, the first time, and wait a moment; later see whether it is there."""
        if self._started:
            self.take_up()
            return
        self._started = True
        self._starting = calls, calls.submit(make)
        if not self.take_up(START_PATIENCE_S):
            self._warn(calls.silent(START_PATIENCE_S))

    def take_up(self, patience_s: float = 0.0) -> bool:
        """Take the run from the call that makes it; False if that is still under way."""
        if self._starting is None:
            return True
        calls, call = self._starting
        if not calls.wait(call, patience_s):
            return False
        self._starting = None
        try:
            self.run = call.result()
        except StoreError as error:
            self._warn(error)
        return True
