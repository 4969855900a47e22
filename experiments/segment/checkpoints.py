"""Segment one region with every checkpoint of a run: the curve, a sample, the MLflow records."""

from __future__ import annotations

import csv
import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.config.run_names import named_run, near_names
from experiments.config.trained_network import training_run
from experiments.launch.rank_numbers import require_no_launcher
from experiments.reporting.mlflow_sync import LINK, MlflowSync, RunIdentity
from experiments.reporting.records import Record
from experiments.reporting.redaction import MASK
from experiments.reporting.run_files import (
    CONFIG,
    IDENTITY,
    SEGMENTATION_SCORES,
    SEGMENTATIONS,
    RunDirectory,
    build,
    read_json,
)
from experiments.reporting.terminal import Terminal
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedSegment, SegmentConfig
from experiments.segment.folder import check_folder, inputs_of
from experiments.segment.pipeline import carry_out
from experiments.segment.resolve import resolve
from ffn_core.errors import InputError
from ffn_core.files.outputs import Outputs
from ffn_core.inference.evaluation import Evaluation
from ffn_core.inference.sample import SegmentedSample
from ffn_core.metric_names import (
    ELAPSED_S,
    OPTIMIZER_STEP,
    SAMPLE_FILE,
    SEGMENTATION_COVERAGE,
    SEGMENTATION_FOLDER,
    SEGMENTATION_SEGMENTS,
    segmentation_metric,
)
from ffn_core.runtime import absolute_uri
from ffn_core.training import checkpoint as checkpoints
from ffn_core.volumes import open_labels, open_volume, short_name

SCORES = "scores.csv"


@dataclass(frozen=True)
class CheckpointScore:
    """Scores of one checkpoint, and how much training it has seen."""

    step: int
    fovs: int
    elapsed_s: float
    evaluation: Evaluation

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the table: scores over all foreground, and over its segmented part."""
        known = {"step": self.step, "fovs": self.fovs, "elapsed_s": self.elapsed_s}
        both = dataclasses.asdict(self.evaluation)
        foreground, assigned = both.pop("foreground"), both.pop("assigned")
        return [
            known | {"over": over} | scores | both
            for over, scores in (("foreground", foreground), ("assigned", assigned))
        ]

    def metrics(self) -> dict[str, float]:
        """Metrics for the run; unqualified rates are over all foreground."""
        evaluation = self.evaluation
        foreground = dataclasses.asdict(evaluation.foreground) | {"voi": evaluation.foreground.voi}
        assigned = dataclasses.asdict(evaluation.assigned) | {"voi": evaluation.assigned.voi}
        del foreground["voxels"], assigned["voxels"]
        return (
            {ELAPSED_S: self.elapsed_s, OPTIMIZER_STEP: float(self.step)}
            | {segmentation_metric(name): value for name, value in foreground.items()}
            | {segmentation_metric(name, assigned=True): value for name, value in assigned.items()}
            | {
                SEGMENTATION_COVERAGE: evaluation.coverage,
                SEGMENTATION_SEGMENTS: float(evaluation.segments),
            }
        )


def segment_checkpoints(config: SegmentConfig, terminal: Terminal) -> list[CheckpointScore]:
    """Segment and score every checkpoint of the run directory ``config.checkpoint``."""
    require_no_launcher(os.environ)
    run_dir = Path(config.checkpoint).absolute()
    if not run_dir.exists():
        run_dir = named_run(config.checkpoint, Path(config.runs_dir), "checkpoint") or run_dir
    found = checkpoints.list_checkpoints(RunDirectory(run_dir).checkpoints)
    if not found:
        raise InputError(
            f"checkpoint={config.checkpoint} is not a run directory with checkpoints, nor the name"
            f" of a run; {near_names(config.checkpoint, Path(config.runs_dir))}"
        )
    first = resolve(replace(config, checkpoint=str(found[0])))
    if not first.labels:
        raise InputError("scores need a ground truth: give labels=path:dataset")
    folder, outputs = _prepare_folder(first, run_dir, terminal.say)
    region = first.region
    terminal.say(
        f"{len(found)} checkpoints; {region.size_zyx} voxels from {region.start_zyx} (zyx)"
        f" in {folder}"
    )
    cluster = training_run(run_dir).cluster
    scores: list[CheckpointScore] = []
    for path in found:
        shared = checkpoints.load(path)
        options = replace(first, checkpoint=str(path), out=str(folder / path.name))
        _, evaluation = carry_out(options, terminal, path.name)
        assert evaluation is not None
        fovs, elapsed_s = cluster.fovs_done(shared.progress), shared.progress["elapsed_s"]
        scores.append(CheckpointScore(shared.step, fovs, elapsed_s, evaluation))
        with outputs.place(folder / SCORES) as table:
            _write_table(table, scores)
        _record(run_dir, scores[-1])
    with outputs.place(folder / SAMPLE_FILE) as sample:
        _sample(options, shared.step).save(sample)
    _print(scores, terminal)
    _send(run_dir, folder, terminal)
    return scores


def _prepare_folder(
    first: ResolvedSegment, run_dir: Path, say: Callable[[str], object]
) -> tuple[Path, Outputs]:
    """The folder of the whole series, with its settings in it, and what is written there.

    Raises:
        InputError: It holds another series, or other files.
    """
    series = replace(first, checkpoint=str(run_dir))
    name = f"{short_name(series.image)}-{series.identity}"
    folder = Path(series.out or run_dir / SEGMENTATIONS / name).absolute()
    # Read are the checkpoints: a series may lie in their run directory, beside them.
    inputs = [*inputs_of(first), RunDirectory(run_dir).checkpoints]
    if check_folder(folder, series, inputs, scores=SCORES):
        say(f"replacing the scores in {folder}")
    # A repeated command takes in more checkpoints: its own table is replaced, unless it was edited.
    outputs = Outputs("experiments.segment_checkpoints", overwrite=True, say=lambda _: None)
    outputs.check([folder / SCORES, folder / SAMPLE_FILE])
    segmentation_files.write_config(folder, replace(series, overwrite=False))
    return folder, outputs


def _write_table(path: Path, scores: list[CheckpointScore]) -> None:
    rows = [row for score in scores for row in score.rows()]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _record(run_dir: Path, score: CheckpointScore) -> None:
    """Add the scores to the run's own record, unless they are the last said of this step."""
    run = RunDirectory(run_dir)
    known = {record.step: record.metrics for record in run.records(SEGMENTATION_SCORES)}
    metrics = score.metrics()
    if known.get(score.step) != metrics:
        record = Record(score.step, score.fovs, score.elapsed_s, time.time(), metrics)
        run.append(record, SEGMENTATION_SCORES)


def _sample(config: ResolvedSegment, step: int) -> SegmentedSample:
    """A piece of a finished segmentation, beside its ground truth."""
    truth = config.open_truth(config.cache_bytes)
    assert truth is not None
    return SegmentedSample.cut(
        open_labels(segmentation_files.result(config.directory), config.cache_bytes),
        truth,
        open_volume(config.image, config.cache_bytes),
        config.grid.region,
        step,
    )


def _print(scores: list[CheckpointScore], terminal: Terminal) -> None:
    columns = ["step", "FOVs", "ARE", "precision", "recall", "VOI split", "VOI merge", "coverage"]
    rows = []
    for score in scores:
        over = score.evaluation.foreground
        rates = (over.are, over.precision, over.recall, over.voi_split, over.voi_merge)
        cells = [f"{score.step:,}", f"{score.fovs:,}", *(f"{rate:.4f}" for rate in rates)]
        rows.append([*cells, f"{score.evaluation.coverage:.1%}"])
    terminal.table("all foreground; what is not segmented counts as one segment", columns, rows)


def _send(run_dir: Path, folder: Path, terminal: Terminal) -> None:
    """Complete the MLflow run of the training."""
    who, link = RunDirectory(run_dir).identity(), read_json(run_dir / LINK)
    if not (who and link):
        terminal.say(f"{run_dir} has no MLflow run; scores are in {folder / SCORES}")
        return
    # A password is not kept: then the store must be named by MLFLOW_TRACKING_URI again.
    uri = absolute_uri(None) if MASK in link["uri"] else link["uri"]
    sync = MlflowSync(uri, run_dir, build(RunIdentity, who, run_dir / IDENTITY))
    artifacts = {folder / name: SEGMENTATION_FOLDER for name in (SCORES, SAMPLE_FILE, CONFIG)}
    if sync.send(artifacts):
        terminal.say(f"scores: {folder / SCORES}, and segmentation/* in {link['uri']}")
    else:
        terminal.warn(
            f"MLflow did not take the scores ({sync.error}); nothing is lost, send them later"
            f" with: python -m experiments.import_runs {run_dir}"
        )
