"""One segmentation from its config to its scores: workers, reconciliation, evaluation, pictures."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from experiments.config.parsing import from_dict
from experiments.launch.rank_numbers import require_no_launcher
from experiments.reporting import run_files
from experiments.reporting.figures import draw_pictures
from experiments.reporting.terminal import Terminal
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedSegment
from experiments.segment.folder import (
    changed_inputs,
    check_folder,
    check_inputs,
    claim_folder,
    inputs_of,
    write_inputs,
)
from experiments.segment.processes import WORKER, leave_to_others, run_workers
from experiments.segment.result import Summary, assemble, score
from ffn_core.errors import InputError
from ffn_core.files.checked import REPEAT, damaged
from ffn_core.geometry import Box
from ffn_core.inference.dropped import Tally, dropped_line
from ffn_core.inference.evaluation import Agreement, Evaluation
from ffn_core.runtime import warn_of_precision

T = TypeVar("T")

RESULT_HOLDS = {"segments": int, "fovs": int, "subvolumes": int}
EVALUATION_HOLDS = {"foreground": dict, "assigned": dict}

_HEADER = ["voxels", "ARE", "precision", "recall", "VOI split", "VOI merge"]


def segment(config: ResolvedSegment, terminal: Terminal) -> None:
    """Carry out a segmentation, and show what came of it."""
    require_no_launcher(os.environ)
    folder, grid = config.directory, config.grid
    check_folder(folder, config, inputs_of(config))
    if warning := warn_of_precision(str(config.precision)):
        terminal.warn(warning)
    terminal.say(f"{len(grid.subvolumes)} subvolume(s) of {grid.size_zyx} voxels (zyx) in {folder}")
    if not config.processes and _read_back(config, folder, terminal) is None:
        _begin(config, terminal)
        if left := leave_to_others(config):
            terminal.say(
                f"{left} subvolumes left: have srun, mpirun, horovodrun or a job array run"
                f" python -m {WORKER} {folder}, then repeat this command"
            )
            return
    summary, evaluation = carry_out(config, terminal)
    terminal.say(
        f"{summary.segments} segments from {summary.fovs:,} FOVs: "
        f"{segmentation_files.result(folder)}"
    )
    if summary.kept_voxels or summary.dropped_segments or not summary.segments:
        terminal.say(_dropped(summary, config.flood.min_segment_size))
    if evaluation is not None:
        print_evaluation(evaluation, terminal, config.voxel_size_nm)
    if config.pictures:
        _draw(config, grid.region, folder, terminal)


def carry_out(
    config: ResolvedSegment, terminal: Terminal, what: str = "segmenting"
) -> tuple[Summary, Evaluation | None]:
    """Segment, reconcile and, with labels, score; what is complete in the folder is read back.

    ``what`` stands before the progress bar.
    """
    folder = config.directory
    if (done := _read_back(config, folder, terminal)) is not None:
        return done
    _begin(config, terminal)
    run_workers(config, terminal.console, what)
    summary = assemble(config)
    evaluation = score(config) if config.labels else None
    run_files.write_json(folder / run_files.RESULT, dataclasses.asdict(summary))
    return summary, evaluation


def _begin(config: ResolvedSegment, terminal: Terminal) -> None:
    """Check the volumes, and make the folder of a segmentation its own."""
    check_folder(config.directory, config, inputs_of(config))
    state = check_inputs(config, terminal.warn)
    claim_folder(config, terminal.say)
    write_inputs(config.directory, state)


def _read_back(
    config: ResolvedSegment, folder: Path, terminal: Terminal
) -> tuple[Summary, Evaluation | None] | None:
    """Results of the same segmentation against the same labels; None without them.

    If the labels have changed since, it is scored again.

    Raises:
        InputError: One of their files is damaged.
    """
    result = run_files.read_json(folder / run_files.RESULT, REPEAT, RESULT_HOLDS)
    if result is None:
        return None
    before = segmentation_files.load_config(folder)
    changed = changed_inputs(folder, config)
    if (before.identity, before.truth) != (config.identity, config.truth) or "image" in changed:
        return None
    if not segmentation_files.is_readable(folder, config.grid.region.shape_zyx):
        return None
    summary = _built(Summary, result, folder / run_files.RESULT)
    if not config.labels:
        return summary, None
    if "labels" in changed:
        terminal.say(f"{config.labels} have changed since {folder} was scored: scoring again")
        state = check_inputs(config, terminal.warn)
        evaluation = score(config)
        write_inputs(folder, state)
        return summary, evaluation
    path = folder / segmentation_files.EVALUATION
    scores = run_files.read_json(path, REPEAT, EVALUATION_HOLDS)
    return None if scores is None else (summary, _built(Evaluation, scores, path))


def _built(cls: type[T], values: dict[str, Any], path: Path) -> T:
    try:
        return from_dict(cls, values)
    except (InputError, AttributeError) as error:
        raise damaged(path, str(error), REPEAT) from None


def _dropped(summary: Summary, least: int) -> str:
    return dropped_line(
        Tally(summary.segments, summary.kept_voxels),
        Tally(summary.dropped_segments, summary.dropped_voxels),
        Tally(summary.dropped_parts, summary.dropped_part_voxels),
        least,
        summary.proposed_min_segment_size,
    )


def print_evaluation(
    evaluation: Evaluation, terminal: Terminal, voxel_nm: Sequence[float] | None = None
) -> None:
    """Scores as a table on standard output; with the edges of a voxel, volumes in µm³ as well."""
    title = (
        f"{evaluation.segments} segments against {evaluation.truth_objects} true objects; "
        f"{evaluation.coverage:.1%} of the foreground is segmented"
    )
    rows = [
        ["foreground", *_cells(evaluation.foreground)],
        ["assigned", *_cells(evaluation.assigned)],
    ]
    header = ["over", *_HEADER]
    if voxel_nm is not None:
        um3 = math.prod(voxel_nm) / 1e9
        header.insert(2, "µm³")
        for row, scores in zip(rows, (evaluation.foreground, evaluation.assigned), strict=True):
            row.insert(2, f"{scores.voxels * um3:.4g}")
    terminal.table(title, header, rows)


def _cells(scores: Agreement) -> list[str]:
    rates = (scores.are, scores.precision, scores.recall, scores.voi_split, scores.voi_merge)
    return [f"{scores.voxels:,}", *(f"{rate:.4f}" for rate in rates)]


def _draw(config: ResolvedSegment, region: Box, folder: Path, terminal: Terminal) -> None:
    arguments = [segmentation_files.result(folder), "--image", config.image]
    if config.labels:
        arguments += ["--labels", config.labels]
    arguments += ["--start", *map(str, region.start_zyx), "--out", str(folder)]
    arguments += ["--cache-bytes", str(config.cache_bytes), "--overwrite"]
    draw_pictures(arguments, terminal)
