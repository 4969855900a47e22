"""How a run ended, read from its directory, and the same in MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.reporting import run_files
from experiments.reporting.mlflow_sync import MlflowSync, RunIdentity
from experiments.reporting.point_summary import description, results_shown, score_line
from experiments.reporting.records import Record
from ffn_core.errors import InputError
from ffn_core.exit_codes import EXIT_DIVERGED, EXIT_INPUT
from ffn_core.metric_names import BASELINE_F1, COURSE, LOSS, OUTCOME, REASON
from ffn_core.scores.course import Course, course_of
from ffn_core.scores.roc import CHANCE_AUC
from ffn_core.training import checkpoint as checkpoints

STAGE_DONE = "stage done"
FAILURES = ("failed", "input")
"""Outcomes that make a command fail."""

_STATUS = {"finished": "FINISHED", "stopped": "KILLED", STAGE_DONE: "RUNNING"}
_FILES = (
    run_files.CONFIG,
    run_files.PROVENANCE,
    run_files.DEVICE,
    run_files.FAILURE,
    run_files.RESULT,
    run_files.METRICS,
    run_files.SEGMENTATION_SCORES,
    run_files.SCALING,
)
_TAG_LIMIT = 5000

IMPORT_PATIENCE_S = 60.0
"""How long an import waits for a server: there is nothing else to do."""


@dataclass(frozen=True)
class Outcome:
    """How a point ended.

    Attributes:
        name: the point's name.
        run_dir: its folder.
        outcome: ``finished``, ``skipped`` (was complete before), ``diverged``, ``stopped``,
            ``failed``, ``input`` (bad input), or `STAGE_DONE` (its next stage is another job).
        message: reason, where it did not finish.
        score: what it is judged by, in words, where it finished.
        course: how the training went and what to try, where it came to its end.
    """

    name: str
    run_dir: Path
    outcome: str
    message: str = ""
    score: str = ""
    course: str = ""


def conclude(name: str, run_dir: Path) -> Outcome:
    """Outcome of a run whose ranks have ended."""
    run = run_files.RunDirectory(run_dir)
    if result := run.result():
        kind, message = result["outcome"], result.get("message", "")
    elif failure := run.failure():
        kinds = {EXIT_INPUT: "input", EXIT_DIVERGED: "diverged"}
        kind, message = kinds.get(failure.get("exit_code", 0), "failed"), failure["message"]
        if kind == "diverged":
            # A result like any other: running it again would only diverge again.
            run.write_result({"outcome": kind, "message": message})
    else:
        return Outcome(name, run_dir, "stopped", "interrupted; repeat the command to continue")
    score, course = score_line(result.get("score")), str(training_course(run) or "")
    return Outcome(name, run_dir, kind, message, score, course)


def training_course(run: run_files.RunDirectory) -> Course | None:
    """How the training of a complete run went; None without a result or evaluations."""
    result = run.result()
    if not result:
        return None
    diverged, score = result["outcome"] == "diverged", result.get("score") or {}
    if not (diverged or score):
        return None
    name, records = score.get("name", ""), all_records(run)
    seen = [(r.fovs, r.metrics[name]) for r in records if name in r.metrics]
    fovs, scores = zip(*seen, strict=True) if seen else ((), ())
    measure = name.rpartition("/")[2]
    trivial = {"auc": CHANCE_AUC}.get(measure)
    if measure in ("f1", "f1_half"):
        trivial = next((r.metrics[BASELINE_F1] for r in records if BASELINE_F1 in r.metrics), None)
    return course_of(name, fovs, scores, measure == LOSS, trivial, diverged)


def send_outcome(sync: MlflowSync, outcome: Outcome) -> bool:
    """Complete the MLflow run with artifacts, tags and status; False if the store refused."""
    run_dir, run = outcome.run_dir, run_files.RunDirectory(outcome.run_dir)
    artifacts: dict[Path, str | None] = {
        run_dir / name: None for name in _FILES if (run_dir / name).is_file()
    }
    if (run_dir / run_files.CANVASES).is_dir():
        artifacts[run_dir / run_files.CANVASES] = run_files.CANVASES
    for kept, folder in ((run.checkpoints, "checkpoint"), (run.best, run_files.BEST)):
        if (newest := checkpoints.latest(kept)) is not None:
            # The state of the example streams can be large, and is of use only where the run is.
            artifacts[newest / checkpoints.SHARED] = folder
            artifacts[newest / checkpoints.MANIFEST] = folder
    tags = run.device() | {OUTCOME: outcome.outcome}
    if outcome.message:
        tags[REASON] = outcome.message[:_TAG_LIMIT]
    identity, score = run.identity(), run.result().get("score")
    if course := training_course(run):
        tags[COURSE] = course.kind
    tags |= results_shown(outcome.outcome, score, all_records(run))
    known = identity.get("params", {}), identity.get("tags", {})
    note = description(*known, outcome.outcome, outcome.message, score, str(course or ""))
    return sync.finish(_STATUS.get(outcome.outcome, "FAILED"), artifacts, tags, note)


def all_records(run: run_files.RunDirectory) -> list[Record]:
    """Records of the training and then of its comparison with others; none of damaged files."""
    try:
        return [*run.records(), *run.records(run_files.SCALING)]
    except (OSError, ValueError, TypeError):
        return []


def find_runs(roots: list[Path]) -> list[Path]:
    """Run directories in or below ``roots``, sorted.

    Raises:
        InputError: if a root holds none.
    """
    found: list[Path] = []
    for root in roots:
        here = [run.path for run in run_files.run_directories(root)]
        if not here:
            raise InputError(f"{root} holds no run directory (a folder with {run_files.IDENTITY})")
        found += here
    return found


def import_run(run_dir: Path, uri: str) -> str | None:
    """Make the store say what ``run_dir`` says.

    Returns:
        The error of the store, or what is damaged, in one line; None if all went well.
    """
    try:
        run = run_files.RunDirectory(run_dir)
        who = run_files.build(RunIdentity, run.identity(), run_dir / run_files.IDENTITY)
        run.records()  # all that there should be
        sync = MlflowSync(uri, run_dir, who, IMPORT_PATIENCE_S)
        return None if send_outcome(sync, conclude(who.name, run_dir)) else sync.error
    except InputError as error:
        return str(error)
